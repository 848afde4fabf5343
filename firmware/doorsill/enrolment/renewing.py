"""Another certificate at two thirds of the life of the one we have.

A new key is made, and the request for it is signed with the old one. Old key and
certificate stay in use until the new pair is whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from doorsill.device import identity
from doorsill.device.clock import floor_of
from doorsill.documents import proof
from doorsill.documents.fields import HOST, PORT_MOST, Fields
from doorsill.documents.pem import fingerprint
from doorsill.documents.reading import read_file
from doorsill.documents.voucher import SERIAL
from doorsill.enrolment.fleet_server import EST, FleetServer
from doorsill.enrolment.joining import certificate_in, key_of, request_for
from doorsill.enrolment.stage import READY, Stage
from doorsill.errors import ConfigError

RENEW_AT = 2 / 3  # share of a certificate's life


@dataclass(frozen=True, slots=True)
class Fleet:
    """Where the camera was enrolled, and as what."""

    host: str
    port: int
    serial: str


def read_fleet(path: Path) -> Fleet:
    """What `doorsill enrol` wrote down; ConfigError if it never did."""
    try:
        found = json.loads(read_file(path))
    except (ValueError, RecursionError):
        raise ConfigError(f"{path} is not what `doorsill enrol` wrote") from None
    problems: list[str] = []
    table = Fields("fleet", found, problems)
    fleet = Fleet(
        table.text("host", HOST, 253),
        table.whole("port", 1, PORT_MOST),
        table.text("serial", SERIAL.pattern, 16),
    )
    table.end()
    if problems:
        raise ConfigError(*problems).of(path)
    return fleet


def due_at(certificate: x509.Certificate) -> datetime:
    """When it is to be renewed."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return begins + (ends - begins) * RENEW_AT


def renew(stage: Stage, now: float) -> datetime | None:
    """A new pair in place, if it is time; else None. Returns when the new one is due.

    Raises UplinkError where it has to be called again.
    """
    if not stage.has(READY):
        old = identity.load(stage.target)
        if datetime.fromtimestamp(now, UTC) < due_at(old.certificate):
            return None
        fleet = read_fleet(stage.target / "fleet.json")
        trusted = read_file(stage.target / "ca.pem")
        begins = old.certificate.not_valid_before_utc.timestamp()
        server = FleetServer(
            fleet.host, fleet.port, trusted.decode("ascii"), now, floor_of([begins])
        )
        key, of = key_of(stage), fingerprint(old.certificate)
        body = request_for(fleet.serial, key)
        headers = {
            "Content-Type": "application/pkcs10",
            "Doorsill-Certificate": of,
            "Doorsill-Proof": proof.sign_request(old.key, proof.RENEWAL, of, body),
        }
        answer = server.ask(f"{EST}/simplereenroll", body, headers)
        stage.put("device.crt", certificate_in(answer, key, trusted))
        stage.put(READY, b"")
    stage.finish()
    return due_at(identity.load(stage.target).certificate)
