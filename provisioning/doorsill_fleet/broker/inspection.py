"""Is the broker as it has to be? Its files, and who is refused at the running one.

A file that differs from what the register says is named with the command that writes it
again. At the running broker three strangers are tried and have to be refused; then the
office itself comes, and may not write in a camera's name.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from sqlalchemy.orm import Session

from doorsill.documents import pem
from doorsill.errors import DoorsillError, UplinkError
from doorsill.wire.messages import topic
from doorsill_fleet.broker.members import access
from doorsill_fleet.broker.mosquitto import client_context
from doorsill_fleet.broker.office_client import OfficeClient
from doorsill_fleet.ca.authority import Authority
from doorsill_fleet.office.chain import Chain, own, settings
from doorsill_fleet.office.own_certificates import RENEW_BEFORE
from doorsill_fleet.registry.devices import revoked

TRY_S = 5.0  # for one handshake
AGAIN = "doorsill-fleet broker write"


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried at the running broker; ``fault`` is empty where it is right."""

    words: str
    fault: str = ""


def faults(chain: Chain, session: Session, now: datetime) -> list[str]:
    """What is wrong with the files; empty if nothing is."""
    wanted = settings(chain) | {chain.broker / "access": access(session).encode()}
    found = [
        f"{path} is not what this fleet wants; write it again: {AGAIN}"
        for path, text in wanted.items()
        if not path.is_file() or path.read_bytes() != text
    ]
    found += _of_list(chain, session)
    for path in (chain.broker / "ca.pem", *(each.path for each in own(chain))):
        found += _of_certificate(path, now)
    return found


def _of_list(chain: Chain, session: Session) -> Iterator[str]:
    path = chain.broker / "revoked.pem"
    try:
        listed = x509.load_pem_x509_crl(path.read_bytes())
    except (OSError, ValueError):
        yield f"{path} is no revocation list; write it again: {AGAIN}"
        return
    key = chain.issuing.public_key()
    if not listed.is_signature_valid(key):  # type: ignore[arg-type]
        yield f"{path} is not signed by this fleet's authority; write it again: {AGAIN}"
    for row in revoked(session):
        serial = x509.load_pem_x509_certificate(row.pem.encode()).serial_number
        if listed.get_revoked_certificate_by_serial_number(serial) is None:
            yield f"{path} lacks a certificate of {row.serial}; write it again: {AGAIN}"


def _of_certificate(path: Path, now: datetime) -> Iterator[str]:
    if not path.exists():
        yield f"{path} is missing; make it: {AGAIN}"
        return
    try:
        ends = pem.read_certificate(path).not_valid_after_utc
    except DoorsillError as error:
        yield str(error)
        return
    if ends - now < RENEW_BEFORE:
        word = "ended" if ends < now else "ends"
        yield f"{path} {word} {ends:%Y-%m-%d}; make another: {AGAIN}"


def refusals(chain: Chain, now: datetime) -> Iterator[Tried]:
    """Try who has to be refused; UplinkError if nobody answers there."""
    with tempfile.TemporaryDirectory() as folder:
        for who, context in _strangers(chain, Path(folder), now):
            yield _try_stranger(chain, who, context)
    with OfficeClient.of(chain) as office:
        yield Tried("the office itself: let in")
        forged = topic("check", "check", "interval")
        code = office.try_to_write(forged)
        words = f"the office, writing to {forged}: "
        if code < 0x80:
            yield Tried(words + "taken", f"the broker lets the office write {forged}")
        else:
            yield Tried(words + "refused")


def _strangers(
    chain: Chain, folder: Path, now: datetime
) -> Iterator[tuple[str, ssl.SSLContext]]:
    ca = chain.broker / "ca.pem"
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.load_verify_locations(ca)
    yield "no certificate", bare
    stranger = Authority.create("doorsill issuing", now).issue_reader("store", now)
    foreign = client_context(ca, *stranger.write(folder, "foreign"))
    yield "a certificate of another authority", foreign
    old = client_context(ca, chain.folder / "office.pem", chain.folder / "office.key")
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    yield "TLS 1.2", old


def _try_stranger(chain: Chain, who: str, context: ssl.SSLContext) -> Tried:
    import socket

    host, port = chain.places.broker, chain.places.broker_port
    try:
        plain = socket.create_connection((host, port), timeout=TRY_S)
    except OSError as error:
        raise UplinkError(f"nobody answers at {host}:{port}: {error}") from None
    with plain:
        try:
            with context.wrap_socket(plain, server_hostname=host) as spoken:
                spoken.settimeout(TRY_S)
                spoken.sendall(CONNECT)
                let_in = bool(spoken.recv(1))
        except ssl.SSLCertVerificationError as error:
            raise UplinkError(f"{host}:{port} is no broker of ours: {error}") from None
        except OSError:
            let_in = False  # an alert, or the end of the connection
    if let_in:
        return Tried(f"{who}: let in", f"the broker lets {who} in: {AGAIN}, restart it")
    return Tried(f"{who}: refused")


# MQTT 5 CONNECT of a client "x", clean start: a client that is let in gets an answer.
CONNECT = b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x1e\x00\x00\x01x"
