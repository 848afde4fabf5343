"""Examine one blanking certificate by itself: who signed it, its form, its claims."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from doorsill.certificates import claims
from doorsill.certificates.contradictions import check_alone
from doorsill.certificates.signer import signer_of
from doorsill.documents import canonical
from doorsill.documents.fields import Fields
from doorsill.errors import UntrustedError

HEX64 = "[0-9a-f]{64}"
DEVICE = r"[a-z0-9-]{1,16}"
# No control characters (C0, C1), and none that changes the direction of writing.
WORDS = r"[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]*"
DISK = r"[A-Za-z0-9!._-]{1,32}"  # as the kernel names block devices
DISKS_MOST = 32  # that one certificate may name
LATEST_MS = 253402300799000  # the end of the year 9999

Document = tuple[str, bytes]  # its name in messages, and its bytes


@dataclass(frozen=True, slots=True)
class Verified:
    """One certificate that was checked; ``body`` is what was signed."""

    name: str
    body: dict[str, Any]
    sha256: str  # of the whole document: what the next one must name
    signer: x509.Certificate
    key: ec.EllipticCurvePublicKey  # the signer's

    @property
    def counter(self) -> int:
        """Its place in the chain, from 1."""
        return int(self.body["counter"])

    @property
    def read_back(self) -> bool:
        """Whether the medium was read back; False if it did not answer."""
        return claims.NO_ANSWER not in self.body["methods"]


def verify_one(document: Document, authority: x509.Certificate) -> Verified:
    """Check one certificate by itself: its signer, its form, and what it claims.

    ``authority`` is the device CA. Raises UntrustedError, which names the document.
    """
    name, data = document
    try:
        body, signature = canonical.split(data)
        signer, key = signer_of(body, authority)
        canonical.verify(body, signature, key)
        check_form(body)
        check_date(body, signer)
        _check_claims(body)
        check_alone(body)
    except UntrustedError as error:
        raise UntrustedError(f"{name}: {error}") from None
    return Verified(name, body, hashlib.sha256(data).hexdigest(), signer, key)


def check_date(body: dict[str, Any], signer: x509.Certificate) -> None:
    """UntrustedError if ``signer`` was not in date when the certificate was made."""
    at = datetime.fromtimestamp(body["time"]["utc_ms"] / 1000, UTC)
    # A device without a clock of its own starts in the past, and says that it does.
    known = body["time"]["source"] == claims.SYNCHRONISED
    early = known and at < signer.not_valid_before_utc
    if early or at > signer.not_valid_after_utc:
        raise UntrustedError(
            f"the device's certificate was not in date on {at:%Y-%m-%d}, the day that "
            "it states"
        )


def check_form(body: dict[str, Any]) -> None:
    """UntrustedError unless ``body`` has the form of a blanking certificate."""
    problems: list[str] = []
    table = Fields("certificate", body, problems)
    table.text("format", claims.FORMAT, 32)
    table.whole("counter", 1, 2**31 - 1)
    table.text("previous", HEX64, 64)
    table.text("device", DEVICE, 16)
    table.text("device_certificate", "[A-Za-z0-9+/=]+", 8192)
    table.text("tool", WORDS, 64)
    table.text("boot", "[0-9a-f-]{36}", 36)
    table.text("firmware", HEX64, 64)
    table.optional_text("policy", HEX64, 64)
    for name in sorted({"policy", "leases"} - set(body)):
        table.note(name, "is missing")
    table.text("reason", "|".join(claims.REASONS), 32)
    table.texts("methods", "[a-z-]{1,32}", 8)
    table.text("nist_class", WORDS, 32)
    table.text("nist_words", WORDS, 1000)
    table.texts("limits", WORDS, 16)
    _check_parts(table)
    table.end()
    if problems:
        raise UntrustedError("; ".join(problems))


def _check_parts(table: Fields) -> None:
    medium = table.table("medium")
    medium.text("kind", "|".join(claims.MEDIA), 16)
    medium.text("identity", WORDS, 200)
    medium.whole("size", 1, claims.LARGEST_MEDIUM)
    medium.end()
    key = table.table("key")
    key.optional_text("id", "[0-9a-f]{32}", 32)
    if "id" not in key.names():
        key.note("id", "is missing; null where there was none")
    key.flag("destroyed")
    key.end()
    read_back = table.table("read_back")
    read_back.text("seed", HEX64, 64)
    read_back.whole("blocks", 0, claims.LARGEST_MEDIUM // claims.BLOCK_BYTES)
    read_back.whole("block_bytes", claims.BLOCK_BYTES, claims.BLOCK_BYTES)
    read_back.text("sha256", HEX64, 64)
    read_back.flag("blank")
    read_back.end()
    time = table.table("time")
    time.whole("utc_ms", 0, LATEST_MS)
    time.text("source", f"{claims.SYNCHRONISED}|{claims.NOT_SYNCHRONISED}", 100)
    time.end()
    system = table.table("system")
    system.whole("swap_bytes", 0, 2**53 - 1)
    system.text("core_dumps", WORDS, 200)
    system.text("journal", "volatile|persistent|none", 16)
    sectors = system.table("sectors_written")
    disks = sectors.names()
    if len(disks) > DISKS_MOST:
        system.note("sectors_written", f"names {len(disks)} disks; the limit is 32")
    for device in disks[:DISKS_MOST]:
        if not re.fullmatch(DISK, device):
            system.note("sectors_written", f"names {device[:40]!r}, which is no disk")
        sectors.whole(device, 0, 2**53 - 1)
    system.end()
    for lease in table.tables("leases", 1000):
        read_lease(lease)


def check_head_form(body: dict[str, Any]) -> None:
    """UntrustedError unless ``body`` has the form of a chain's head."""
    if body.get("format") != claims.HEAD_FORMAT:
        raise UntrustedError("it is not the head of a chain")
    problems: list[str] = []
    table = Fields("head", body, problems)
    table.text("format", claims.HEAD_FORMAT, 32)
    table.text("device", DEVICE, 16)
    table.whole("counter", 1, 2**31 - 1)
    table.text("sha256", HEX64, 64)
    table.whole("utc_ms", 0, LATEST_MS)
    table.end()
    if problems:
        raise UntrustedError("; ".join(problems))


def read_lease(lease: Fields) -> None:
    """Note what is wrong with a lease, of a certificate or of a marker."""
    opened = lease.whole("opened_ms", 0, LATEST_MS)
    lease.whole("closed_ms", opened, LATEST_MS)
    lease.text("reason", "|".join(claims.REASONS), 32)
    lease.text("card", HEX64, 64)
    lease.text("purpose", "[a-z0-9-]{1,32}", 32)
    lease.whole("sealed", 0, 2**31 - 1)
    lease.whole("sealed_bytes", 0, 2**53 - 1)
    lease.whole("exported", 0, 2**31 - 1)
    lease.end()


def _check_claims(body: dict[str, Any]) -> None:
    methods, key, medium = body["methods"], body["key"], body["medium"]
    unknown = sorted(set(methods) - set(claims.METHODS))
    if unknown:
        raise UntrustedError(f"the method {unknown[0]} is unknown")
    silent = claims.NO_ANSWER in methods
    if "overwritten" not in methods and not silent:
        raise UntrustedError("it does not say that the medium was overwritten")
    if key["destroyed"] != ("key-destroyed" in methods):
        raise UntrustedError("its method and its key do not say the same")
    if key["id"] is not None and not key["destroyed"]:
        raise UntrustedError(f"the key {key['id']} existed and was not destroyed")
    if "discarded" in methods:
        _check_discarded(medium["kind"])
    may = claims.class_of(medium["kind"], not silent)
    if (body["nist_class"], body["nist_words"]) != may:
        raise UntrustedError(
            f"it claims {body['nist_class']!r} in words of its own; only "
            f"{may[0]!r} in the fixed words is supported by these methods"
        )
    if body["limits"] != list(claims.LIMITS):
        raise UntrustedError("it does not state the limits that belong to it")
    if silent:
        _check_silence(body)
    else:
        _check_read_back(body)


def _check_discarded(kind: str) -> None:
    if kind == "file":
        raise UntrustedError(
            "a file that is discarded gives its blocks back before they are "
            "overwritten: what was sealed still lies on the device"
        )
    if kind not in claims.DISCARDABLE:
        raise UntrustedError(f"a {kind} medium cannot be discarded")


def _check_silence(body: dict[str, Any]) -> None:
    """UntrustedError if more is claimed of a medium that did not answer."""
    methods, kind, found = body["methods"], body["medium"]["kind"], body["read_back"]
    if kind not in claims.VOLATILE:
        raise UntrustedError(f"a {kind} medium keeps what it has without power")
    if set(methods) - {"key-destroyed", claims.NO_ANSWER}:
        raise UntrustedError("its medium did not answer, and yet it was overwritten")
    if found["blank"] or found["blocks"]:
        raise UntrustedError("its medium did not answer, and yet it was read back")
    seed = claims.read_back_seed(body["previous"], body["counter"], body["key"]["id"])
    nothing = claims.blank_digest(seed, 0)
    if (found["seed"], found["sha256"]) != (seed.hex(), nothing):
        raise UntrustedError("its read-back belongs to another place in a chain")


def _check_read_back(body: dict[str, Any]) -> None:
    found, size = body["read_back"], body["medium"]["size"]
    if not found["blank"]:
        raise UntrustedError("the device itself says that the medium was not blank")
    if found["blocks"] != -(-size // claims.BLOCK_BYTES):
        raise UntrustedError(
            f"it read back {found['blocks']} blocks of a medium of {size} bytes: "
            "not all of it"
        )
    seed = claims.read_back_seed(body["previous"], body["counter"], body["key"]["id"])
    if found["seed"] != seed.hex():
        raise UntrustedError("its read-back belongs to another place in a chain")
    if found["sha256"] != claims.blank_digest(seed, size):
        raise UntrustedError(
            "its read-back hash is not that of a blank medium: forged, or not blank"
        )
