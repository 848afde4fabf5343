"""A shop's own broker obeys the chain's list of revoked certificates, without a hand.

    device revoke ─► FLEET/broker/revoked.pem ─► `serve` ─ HTTPS ─► follow ─► the broker

The list is signed by the CA that both brokers trust: neither the line nor the server is
believed. A list only grows, so one that lacks what an older one had is refused; with
that an old list, played again, takes nothing back.
"""

from __future__ import annotations

import hashlib
import http
import http.client
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from doorsill.documents import pem
from doorsill.documents.durable import put
from doorsill.documents.reading import read_file
from doorsill.errors import ConfigError, UntrustedError, UplinkError
from doorsill.process.in_time import in_time

log = logging.getLogger(__name__)

PATH = "/doorsill/revoked"  # where `serve` gives the list, to anybody
LOOK_S = 15.0  # between two looks; half a minute later a broker obeys at the latest
ANSWER_S = 20.0  # for a whole answer, whatever the line does
LIST_BYTES = 1 << 20  # of a list: 20,000 certificates
LIST, OBEYED = "revoked.pem", "obeyed"  # the list; the hash of that which is obeyed
CA = "ca.pem"  # the issuing CA, and the root


@dataclass(slots=True)
class Follower:
    """The broker of ``folder``; ``apply`` has it take its files over, or raises."""

    folder: Path
    server: tuple[str, int]  # host and port of `serve`
    apply: Callable[[], object]
    away: str = ""  # why it does not know the list of now, as last logged

    def turn(self, now: datetime) -> bool:
        """Fetch, verify, and obey what is new; whether it knows the list of now."""
        try:
            self._turn(now)
        except (ConfigError, UntrustedError, UplinkError, OSError) as error:
            if str(error) != self.away:  # once, not with every attempt
                self.away = str(error)
                log.error("%s; the last list holds", error)
            return False
        if self.away:
            log.info("the list is there again")
        self.away = ""
        return True

    def _turn(self, now: datetime) -> None:
        path, issuing = self.folder / LIST, pem.read_certificate(self.folder / CA)
        found = fetch(self.server, self.folder / CA)
        new = verify(found, issuing, now)
        try:
            had = read_file(path)
            before = verify(had, issuing)
        except (ConfigError, UntrustedError):  # gone or spoilt: no broker starts so
            had, before = b"", set()
        require_grown(before, new)
        if found != had:
            put(path, found)
        if not self._obeys(found):
            self.apply()
            put(self.folder / OBEYED, _mark(found))
            log.info("the broker obeys its new %s", LIST)

    def _obeys(self, found: bytes) -> bool:
        """Whether the broker was last made to obey this list; not yet, at first."""
        mark = self.folder / OBEYED
        return mark.exists() and read_file(mark) == _mark(found)


def fetch(server: tuple[str, int], ca: Path) -> bytes:
    """What `serve` gives as its list; UplinkError if it gives none, in time or at all.

    UntrustedError if a server answers that is not of the fleet of ``ca``.
    """
    where = f"the server at {server[0]}:{server[1]}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(ca)
    try:
        status, body = in_time(ANSWER_S, "no list", lambda: _get(server, context))
    except ssl.SSLCertVerificationError as error:
        raise UntrustedError(
            f"{where} is not this fleet's: {error.verify_message}"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        why = str(error) or type(error).__name__
        raise UplinkError(f"{where} does not answer: {why}") from None
    if status != http.HTTPStatus.OK or len(body) > LIST_BYTES:
        raise UplinkError(f"{where} gives no list (status {status}, {len(body)} bytes)")
    return body


def _get(server: tuple[str, int], context: ssl.SSLContext) -> tuple[int, bytes]:
    connection = http.client.HTTPSConnection(*server, timeout=ANSWER_S, context=context)
    try:
        connection.request("GET", PATH)
        answer = connection.getresponse()
        return answer.status, answer.read(LIST_BYTES + 1)
    finally:
        connection.close()


def verify(
    data: bytes, issuing: x509.Certificate, now: datetime | None = None
) -> set[int]:
    """The serial numbers on a list that ``issuing`` signed, and that holds at ``now``.

    Raises UntrustedError for any other.
    """
    try:
        found = x509.load_pem_x509_crl(data)
        is_signed = found.is_signature_valid(issuing.public_key())  # type: ignore[arg-type]
        ends, serials = found.next_update_utc, {each.serial_number for each in found}
    except (ValueError, TypeError):
        raise UntrustedError("what came is no list of revoked certificates") from None
    if not is_signed or found.issuer != issuing.subject:
        raise UntrustedError("the list of revoked certificates is not the CA's")
    if now is not None and (ends is None or ends <= now):
        raise UntrustedError("the list of revoked certificates has ended")
    return serials


def require_grown(before: set[int], now: set[int]) -> None:
    """UntrustedError if one that was revoked is not any more."""
    if lacks := before - now:
        raise UntrustedError(
            f"the list of revoked certificates is an old one: it lacks {len(lacks)} "
            "that were revoked before"
        )


def _mark(found: bytes) -> bytes:
    return hashlib.sha256(found).hexdigest().encode()
