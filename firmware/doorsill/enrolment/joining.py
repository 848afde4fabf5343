"""From a voucher to all that a camera needs; each step is kept, and none is done twice.

    root ─► key, made here ─► certificate ─► broker, controller, policy ─► in place
                                                                           voucher wiped

UplinkError says: try again, nothing is lost. Any other error wants a person.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from doorsill.device.clock import floor_of
from doorsill.device.identity import names_of
from doorsill.documents import canonical, proof
from doorsill.documents.canonical import PrivateKey
from doorsill.documents.charter import Charter, read_charter
from doorsill.documents.fields import HOST, PORT_MOST, Fields
from doorsill.documents.pem import fingerprint, read_key
from doorsill.documents.strict_x509 import read_pem_chain
from doorsill.documents.voucher import Voucher
from doorsill.enrolment.configuration import BrokerPlace, configure
from doorsill.enrolment.fleet_server import (
    EST,
    Answer,
    FleetServer,
    fetch_authorities,
    read_certificates,
)
from doorsill.enrolment.stage import READY, Stage
from doorsill.errors import ConfigError, UntrustedError, UplinkError
from doorsill.policy import document
from doorsill.policy.acceptance import accept
from doorsill.policy.store import read_public_key


class Wait(UplinkError):
    """The fleet says: not yet; ask again after some seconds, or None for our choice."""

    def __init__(self, words: str, after_s: float | None = None) -> None:
        super().__init__(words)
        self.after_s = after_s


class PolicyWait(Wait):
    """The fleet has the camera, and no policy for it yet."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the person at the camera said."""

    camera: str  # DRIVER[:SOURCE], where there is no configuration yet
    site: str = ""  # the shop in which the camera hangs, if that is known


def join(
    stage: Stage,
    voucher: Voucher,
    wanted: Wanted,
    now: float,
    used: Callable[[], None] = lambda: None,
) -> tuple[str, str]:
    """Take the next steps until all is in place; site and name of this camera.

    ``used`` is called once the voucher has brought its certificate, and before anything
    is in place. Raises UplinkError where it has to be called again.
    """
    if not stage.has(READY):
        server = _meet(stage, voucher, now)
        key = key_of(stage)
        if not stage.has("device.crt"):
            stage.put("device.crt", _certify(server, voucher, key))
        used()
        _start(stage, server, key, wanted)
        stage.put(READY, b"")
    site, device = names_of(read_pem_chain(stage.read("device.crt"))[0])
    stage.finish()
    return site, device


def key_of(stage: Stage) -> PrivateKey:
    """The key of this camera, made here at the first time."""
    if not stage.has("device.key"):
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        stage.put("device.key", pem)
    return read_key(stage.folder / "device.key")


def request_for(serial: str, key: PrivateKey) -> bytes:
    """A certificate request in DER, base64, as EST carries it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, serial)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name)
    made = request.sign(key, hashes.SHA256())
    return base64.encodebytes(made.public_bytes(serialization.Encoding.DER))


def certificate_in(answer: Answer, key: PrivateKey, trusted: bytes) -> bytes:
    """The chain in ``answer``, PEM, ours first; it must be for ``key``, of the fleet.

    ``trusted`` are the fleet's CAs, PEM. Raises Wait or UplinkError if it is to be
    asked for again, UntrustedError if it was refused or is not ours.
    """
    require_answer(answer)
    found = read_certificates(answer.body)
    ours = [each for each in found if each.public_key() == key.public_key()]
    if len(ours) != 1:
        raise UntrustedError("the fleet's certificate is not for this camera's key")
    issuers = read_pem_chain(trusted)
    require_issued(ours[0], issuers)
    chain = [ours[0], *(each for each in issuers if each.subject == ours[0].issuer)]
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)


def require_answer(answer: Answer) -> None:
    """Nothing if the fleet gave what was asked for."""
    if answer.status == 200:
        return
    if answer.status in (202, 429) or answer.status >= 500:
        raise Wait(f"the fleet says: {answer.words}", answer.retry_after_s)
    raise UntrustedError(f"the fleet refuses: {answer.words}")


def require_issued(found: x509.Certificate, issuers: list[x509.Certificate]) -> None:
    """UntrustedError unless one of ``issuers`` issued ``found``."""
    for each in issuers:
        try:
            found.verify_directly_issued_by(each)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return
    raise UntrustedError("the fleet's certificate was not issued by its own CA")


def _meet(stage: Stage, voucher: Voucher, now: float) -> FleetServer:
    """The server, after the root was held to the voucher's hash."""
    if not stage.has("ca.pem"):
        root, found = fetch_authorities(voucher.host, voucher.port, voucher.root)
        issuing = [each for each in found if each != root]
        for each in issuing:
            require_issued(each, [root])
        pem = serialization.Encoding.PEM
        stage.put("root.pem", root.public_bytes(pem))
        both = [each.public_bytes(pem) for each in (*issuing, root)]
        stage.put("ca.pem", b"".join(both))
    where = {"host": voucher.host, "port": voucher.port, "serial": voucher.serial}
    said = json.dumps(where).encode() + b"\n"
    if not stage.has("fleet.json") or stage.read("fleet.json") != said:
        stage.put("fleet.json", said)
    authorities = stage.read("ca.pem").decode("ascii")
    return FleetServer(voucher.host, voucher.port, authorities, now, floor_of([]))


def _certify(server: FleetServer, voucher: Voucher, key: PrivateKey) -> bytes:
    words = base64.b64encode(f"{voucher.serial}:{voucher.secret}".encode()).decode()
    headers = {"Authorization": f"Basic {words}", "Content-Type": "application/pkcs10"}
    body = request_for(voucher.serial, key)
    answer = server.ask(f"{EST}/simpleenroll", body, headers)
    return certificate_in(answer, key, server.authorities.encode())


def _start(stage: Stage, server: FleetServer, key: PrivateKey, wanted: Wanted) -> None:
    """Fetch broker, charter and policy, check them, stage what follows from them."""
    ours = read_pem_chain(stage.read("device.crt"))[0]
    of = fingerprint(ours)
    headers = {
        "Doorsill-Certificate": of,
        "Doorsill-Proof": proof.sign_request(key, proof.START, of, b""),
    }
    answer = server.ask("/doorsill/start", b"", headers)
    require_answer(answer)
    broker, charter, policy = _read_start(answer.body, stage)
    place = document.Place(*names_of(ours))
    if wanted.site not in ("", place.site):
        raise ConfigError(
            f"site = {wanted.site}, and the office knows this camera as {place.device} "
            f"of {place.site}; write the right site, or take the card to the other shop"
        )
    stage.put("controller.key.pub", charter.controller_key)
    stage.put("consent-ca.pem", charter.consent_ca)
    if policy is None:
        raise PolicyWait(f"the fleet has no signed policy for {place.site} yet")
    signer = read_public_key(stage.folder / "controller.key.pub")
    accept(None, policy, signer, place, server.now)
    stage.put("policy.json", policy)
    text = configure(stage.target / "doorsill.toml", place, broker, wanted.camera)
    stage.put("doorsill.toml", text.encode())


def _read_start(body: bytes, stage: Stage) -> tuple[BrokerPlace, Charter, bytes | None]:
    found: Any = canonical.decode(body)
    root = read_pem_chain(stage.read("root.pem"))[0]
    problems: list[str] = []
    answer = Fields("answer", found, problems)
    named = answer.table("broker")
    broker = BrokerPlace(
        named.text("host", HOST, 253), named.whole("port", 1, PORT_MOST)
    )
    if problems:
        raise UntrustedError(f"the fleet's answer: {'; '.join(problems)}")
    try:
        charter = base64.b64decode(found["charter"], validate=True)
        policy = found["policy"]
        policy = None if policy is None else base64.b64decode(policy, validate=True)
    except (KeyError, TypeError, ValueError):
        raise UntrustedError("the fleet's answer lacks a part") from None
    return broker, read_charter(charter, root), policy
