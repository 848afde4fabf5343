"""Blanking certificates: what the device claims it blanked, signed and chained.

    0000000001.json ◄─previous─ 0000000002.json ◄─ …        head.json: counter and hash

Each is canonical JSON, signed by the device key (ES256), names the hash of the one
before it and counts up by one. Certificates are only added, never changed or removed;
the signed head says how far the chain went. ``doorsill verify`` reads them and needs
nothing else of this device.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from doorsill import __version__
from doorsill.certificates import claims
from doorsill.certificates.examine import check_form, check_head_form
from doorsill.device.identity import Identity
from doorsill.documents import canonical
from doorsill.documents.durable import put
from doorsill.documents.folders import make_folder
from doorsill.drivers.media.medium import MediumFacts
from doorsill.errors import ConfigError, UntrustedError

log = logging.getLogger(__name__)

CHAIN_LIMIT = 20_000  # certificates in one chain; a vault with a full one stays shut
HEAD_NAME = "head.json"


@dataclass(frozen=True, slots=True)
class LeaseInterval:
    """One time span in which the vault was open; UTC in ms."""

    opened_ms: int
    closed_ms: int
    reason: str  # why it closed, one of claims.REASONS
    card: str  # SHA-256 of the card's certificate
    purpose: str  # of the card, as the policy names it
    sealed: int  # crops that were sealed
    sealed_bytes: int  # of ciphertext on the medium
    exported: int  # crops that a person took out, sealed to the card


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the kernel says about this machine, beside the medium."""

    boot: str  # the kernel's random id of this boot
    firmware: str  # SHA-256 over the installed package
    swap_bytes: int  # of swap that is switched on, used or not
    core_dumps: str  # "off", or the place that the kernel writes them to
    journal: str  # "volatile", "persistent" or "none"
    sectors_written: dict[str, int]  # of 512 bytes since boot, by block device
    utc_ms: int  # the time of the certificate, UTC in ms
    time_source: str  # claims.SYNCHRONISED or claims.NOT_SYNCHRONISED


@dataclass(frozen=True, slots=True)
class Blanking:
    """What was done, before it is signed."""

    reason: str  # why it was blanked, one of claims.REASONS
    medium: MediumFacts
    methods: tuple[str, ...]  # what was done to the medium, of claims.METHODS
    key_id: str | None  # of the key that was destroyed; None if there was none
    read_back_sha256: str  # over read_back_seed and every byte read
    blank: bool  # whether every byte read back was 0
    leases: tuple[LeaseInterval, ...]  # when it was open since the last certificate
    policy: str | None  # SHA-256 of the policy in force, hexadecimal
    surroundings: Surroundings

    @property
    def answered(self) -> bool:
        """Whether the medium could be read back at all."""
        return claims.NO_ANSWER not in self.methods


class CertificateChain:
    """The certificates of this device in one directory, checked when opened."""

    def __init__(self, directory: Path, identity: Identity) -> None:
        """Raises UntrustedError if the newest certificate or the head is not ours."""
        self._directory = directory
        self._identity = identity
        make_folder(directory, 0o750)
        self.newest: dict[str, Any] | None = None  # the body of the newest one
        self.known_ms = 0  # the latest UTC in ms that any of them states
        self._counter, self._hash = self._last()
        self._check_head()

    @property
    def counter(self) -> int:
        """The number of the newest certificate; 0 if there is none."""
        return self._counter

    @property
    def full(self) -> bool:
        """Whether the chain has reached its bound, so that the vault may not open."""
        return self._counter >= CHAIN_LIMIT

    def seed(self, key_id: str | None) -> bytes:
        """What the next certificate's read-back hash must start with."""
        return claims.read_back_seed(self._hash, self._counter + 1, key_id)

    def append(self, blanking: Blanking) -> Path:
        """Sign and keep the next certificate; it is on the disk when this returns.

        Raises UntrustedError if its file exists already, ConfigError if it cannot be
        written.
        """
        body = self._body(blanking)
        document = canonical.seal(body, self._identity.key)
        path = self.path_of(self._counter + 1)
        if path.exists():
            raise UntrustedError(f"{path} exists; the chain is only ever added to")
        put(path, document)
        self._counter, self._hash = self._counter + 1, _sha256(document)
        self.newest = body
        self.known_ms = max(self.known_ms, blanking.surroundings.utc_ms)
        self._write_head()
        return path

    def path_of(self, counter: int) -> Path:
        """Where the certificate of this number is, or will be."""
        return self._directory / f"{counter:010d}.json"

    def paths(self) -> Iterator[Path]:
        """The certificates, oldest first."""
        yield from sorted(self._directory.glob("[0-9]" * 10 + ".json"))

    def _body(self, blanking: Blanking) -> dict[str, Any]:
        around = asdict(blanking.surroundings)
        der = self._identity.certificate.public_bytes(serialization.Encoding.DER)
        seed, read = self.seed(blanking.key_id), blanking.answered
        nist_class, nist_words = claims.class_of(blanking.medium.kind, read)
        return {
            "format": claims.FORMAT,
            "counter": self._counter + 1,
            "previous": self._hash,
            "device": self._identity.device,
            "device_certificate": base64.b64encode(der).decode(),
            "tool": f"doorsill {__version__}",
            "boot": around.pop("boot"),
            "firmware": around.pop("firmware"),
            "policy": blanking.policy,
            "reason": blanking.reason,
            "medium": asdict(blanking.medium),
            "methods": list(blanking.methods),
            "nist_class": nist_class,
            "nist_words": nist_words,
            "key": {
                "id": blanking.key_id,
                "destroyed": "key-destroyed" in blanking.methods,
            },
            "read_back": {
                "seed": seed.hex(),
                "blocks": -(-blanking.medium.size // claims.BLOCK_BYTES) * read,
                "block_bytes": claims.BLOCK_BYTES,
                "sha256": blanking.read_back_sha256,
                "blank": blanking.blank,
            },
            "leases": [asdict(lease) for lease in blanking.leases],
            "time": {
                "utc_ms": around.pop("utc_ms"),
                "source": around.pop("time_source"),
            },
            "system": around,
            "limits": list(claims.LIMITS),
        }

    def _last(self) -> tuple[int, str]:
        newest = max(self.paths(), default=None)
        if newest is None:
            return 0, claims.FIRST
        document = _read(newest)
        try:
            body = canonical.unseal(document, self._identity.key.public_key())
            check_form(body)
        except UntrustedError as error:
            raise UntrustedError(
                f"{newest}: {error}; keep {self._directory} for the inspector, in "
                "another place, and a new chain begins"
            ) from None
        if body["counter"] != int(newest.stem):
            raise UntrustedError(f"{newest} holds certificate {body['counter']}")
        self.newest = body
        self.known_ms = body["time"]["utc_ms"]
        return int(newest.stem), _sha256(document)

    def _check_head(self) -> None:
        path = self._directory / HEAD_NAME
        if not path.exists():
            if self._counter > 1:  # the power may fail between the first and its head
                raise UntrustedError(f"{path} is missing; the chain was tampered with")
            return
        try:
            head = canonical.unseal(_read(path), self._identity.key.public_key())
            check_head_form(head)
        except UntrustedError as error:
            raise UntrustedError(f"{path}: {error}") from None
        if head["counter"] > self._counter:
            raise UntrustedError(
                f"certificate {head['counter']} is missing: the chain ends at "
                f"{self._counter}"
            )
        self.known_ms = max(self.known_ms, head["utc_ms"])

    def _write_head(self) -> None:
        head = {
            "format": claims.HEAD_FORMAT,
            "device": self._identity.device,
            "counter": self._counter,
            "sha256": self._hash,
            "utc_ms": self.known_ms,
        }
        sealed = canonical.seal(head, self._identity.key)
        put(self._directory / HEAD_NAME, sealed)


def _sha256(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
