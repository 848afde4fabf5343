"""The certificates of the fleet itself: server, broker, readers, office.

They are made with the chain and last as long as a camera's. `serve`, which has the
issuing key, makes each again a month before its end: the key and the name stay, so one
file is replaced, and a power cut leaves the old pair or the new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from doorsill.documents import pem
from doorsill.documents.durable import put
from doorsill_fleet.ca.authority import (
    OFFICE,
    Authority,
    Issued,
    pem_of,
    pem_of_key,
    reader_name,
    write_private,
)

RENEW_BEFORE = timedelta(days=30)  # before a certificate of ours ends


@dataclass(frozen=True, slots=True)
class Own:
    """One of them: ``folder/name.pem`` and ``.key``."""

    folder: Path
    name: str
    common: str  # its common name
    hosts: tuple[str, ...] = ()  # of a server; none: a client

    @property
    def path(self) -> Path:
        """The certificate, with the issuing CA's behind it."""
        return self.folder / f"{self.name}.pem"


def of_server(folder: Path, name: str, hosts: tuple[str, ...]) -> Own:
    """A server's, which is reached under ``hosts``."""
    return Own(folder, name, hosts[0], hosts)


def of_fleet(
    folder: Path, hosts: tuple[str, ...], broker: str, readers: tuple[str, ...]
) -> list[Own]:
    """All of the chain in ``folder``."""
    reached = tuple(dict.fromkeys((broker, *hosts)))
    return [
        of_server(folder, "server", hosts),
        of_server(folder / "broker", "broker", reached),
        *(Own(folder, f"reader-{each}", reader_name(each)) for each in readers),
        Own(folder, "office", OFFICE),
    ]


def renew(wanted: list[Own], issuing: Authority, now: datetime) -> list[Path]:
    """Make those that are missing, and again those that end soon; which they were."""
    return [each.path for each in wanted if _renew(each, issuing, now)]


def _renew(own: Own, issuing: Authority, now: datetime) -> bool:
    secret = own.folder / f"{own.name}.key"
    if not (own.path.exists() and secret.exists()):
        _write(issuing.issue_own(own.common, own.hosts, now), own, issuing)
        return True
    old, key = pem.read_certificate(own.path), pem.read_key(secret)
    if old.not_valid_after_utc - now >= RENEW_BEFORE:
        return False
    again = issuing.certify_own(key.public_key(), own.common, own.hosts, now)
    put(own.path, pem_of(again) + pem_of(issuing.certificate))
    return True


def _write(issued: Issued, own: Own, issuing: Authority) -> None:
    """Key, then certificate with the CA's behind it: cut between, both are made again.

    A certificate without its key goes first, so that it never stands beside another's.
    """
    own.path.unlink(missing_ok=True)
    write_private(own.folder / f"{own.name}.key", pem_of_key(issued.key))
    put(own.path, pem_of(issued.certificate) + pem_of(issuing.certificate))
