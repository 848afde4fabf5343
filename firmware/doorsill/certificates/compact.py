"""A blanking certificate as a message of the wire, and back again, to the byte.

    document ── compact ──► wire.Certificate ── expand, with what is Known ──► document

What a message leaves out is a constant of ``claims``, follows from other fields, or is
a text that the office knows already and finds by its hash. ``compact`` expands its own
result before it gives it away, so what goes home can be verified there.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from doorsill.certificates import claims
from doorsill.documents import canonical
from doorsill.errors import UntrustedError
from doorsill.wire.certificate import DISKS, LETTERED, Certificate
from doorsill.wire.codec import encode

IN_MEMORY = "locked memory of the vault process"  # the name of a medium in memory
RELEASE = re.compile(r"doorsill ([0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,3})")


@dataclass(frozen=True, slots=True)
class Known:
    """The texts that the office knows; a message names each by its SHA-256."""

    signers: Mapping[str, bytes]  # certificates of devices, DER, by their SHA-256
    media: Collection[str] = ()  # names of files and partitions that are media
    purposes: Collection[str] = field(default=())  # of consent cards


def compact(document: bytes) -> Certificate:
    """The message that says the same as ``document``, a signed blanking certificate.

    Raises UntrustedError for a certificate that holds a word of its own.
    """
    body, signature = canonical.split(document)
    try:
        message = _message_of(body, signature)
        encode(message)
        der = base64.b64decode(body["device_certificate"], validate=True)
        lease = body["leases"][0] if body["leases"] else {"purpose": ""}
        known = Known(
            {message.signer: der}, [body["medium"]["identity"]], [lease["purpose"]]
        )
        again = expand(message, body["device"], known, body["read_back"]["sha256"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UntrustedError(f"it has another form than our one: {error!r}") from None
    if again != document:
        raise UntrustedError("it holds words that the wire schema has no place for")
    return message


def expand(
    message: Certificate, device: str, known: Known, read_back: str | None = None
) -> bytes:
    """The signed document that ``message`` of ``device`` stands for. NOT verified.

    ``read_back`` is the hash of the read-back, if the caller knows it; else it is that
    of a medium of zeros, which is computed.
    Raises UntrustedError if the device's certificate, the medium or the purpose that
    it names by hash is not ``known``.
    """
    der = known.signers.get(message.signer)
    if der is None:
        raise UntrustedError(
            f"the device's certificate {message.signer[:16]}, which signed it, is not "
            "among those that are known here"
        )
    raw = bytes.fromhex(message.signature_r + message.signature_s)
    signature = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    body = _body_of(message, device, der, known)
    found = message.read_back or read_back or _expected(body)
    body["read_back"] = _read_back(message, found)
    return canonical.encode({"signature": signature, "signed": body})


def hash_of(text: str) -> str:
    """SHA-256 of ``text``: how a message names what the office knows."""
    return hashlib.sha256(text.encode()).hexdigest()


def _message_of(body: dict[str, Any], signature: str) -> Certificate:
    raw = base64.urlsafe_b64decode(signature + "==").hex()
    der = base64.b64decode(body["device_certificate"], validate=True)
    release = RELEASE.fullmatch(body["tool"])
    if release is None:
        raise UntrustedError(f"no release of ours wrote it: {body['tool']!r}")
    medium, system, found = body["medium"], body["system"], body["read_back"]
    # To compute it here would take seconds for a large medium; a card must not wait.
    follows = found["blank"] or claims.NO_ANSWER in body["methods"]
    return Certificate(
        counter=body["counter"],
        previous=body["previous"],
        signature_r=raw[:64],
        signature_s=raw[64:],
        signer=hashlib.sha256(der).hexdigest(),
        release=release[1],
        firmware=body["firmware"],
        policy=body["policy"],
        boot=body["boot"],
        time_ms=body["time"]["utc_ms"],
        synchronised=body["time"]["source"] == claims.SYNCHRONISED,
        reason=body["reason"],
        medium=medium["kind"],
        medium_named=hash_of(medium["identity"]),
        medium_bytes=medium["size"],
        methods=tuple(body["methods"]),
        key=body["key"]["id"],
        blank=found["blank"],
        read_back=None if follows else found["sha256"],
        swap_bytes=system["swap_bytes"],
        core_dumps=system["core_dumps"],
        journal=system["journal"],
        disks=tuple(
            _row(name, number)
            for name, number in sorted(system["sectors_written"].items())
        ),
        **_lease_of(body["leases"]),
    )


_LEASE = ("opened_ms", "closed_ms", "card", "sealed", "sealed_bytes", "exported")


def _lease_of(leases: list[dict[str, Any]]) -> dict[str, Any]:
    """The fields of a message that say when the vault was open; None if never."""
    if not leases:
        return dict.fromkeys([*(f"lease_{name}" for name in _LEASE), "lease_purpose"])
    first = leases[0]
    found = {f"lease_{name}": first[name] for name in _LEASE}
    return found | {"lease_purpose": hash_of(first["purpose"])}


def _body_of(
    message: Certificate, device: str, der: bytes, known: Known
) -> dict[str, Any]:
    answered = claims.NO_ANSWER not in message.methods
    nist_class, nist_words = claims.class_of(message.medium, answered)
    source = claims.SYNCHRONISED if message.synchronised else claims.NOT_SYNCHRONISED
    return {
        "format": claims.FORMAT,
        "counter": message.counter,
        "previous": message.previous,
        "device": device,
        "device_certificate": base64.b64encode(der).decode(),
        "tool": f"doorsill {message.release}",
        "boot": message.boot,
        "firmware": message.firmware,
        "policy": message.policy,
        "reason": message.reason,
        "medium": {
            "kind": message.medium,
            "identity": _medium_name(message, known),
            "size": message.medium_bytes,
        },
        "methods": list(message.methods),
        "nist_class": nist_class,
        "nist_words": nist_words,
        "key": {
            "id": message.key,
            "destroyed": "key-destroyed" in message.methods,
        },
        "leases": _leases(message, known),
        "time": {"utc_ms": message.time_ms, "source": source},
        "system": {
            "swap_bytes": message.swap_bytes,
            "core_dumps": message.core_dumps,
            "journal": message.journal,
            "sectors_written": {_disk(row): row["sectors"] for row in message.disks},
        },
        "limits": list(claims.LIMITS),
    }


def _read_back(message: Certificate, found: str) -> dict[str, Any]:
    size, answered = message.medium_bytes, claims.NO_ANSWER not in message.methods
    seed = claims.read_back_seed(message.previous, message.counter, message.key)
    return {
        "seed": seed.hex(),
        "blocks": -(-size // claims.BLOCK_BYTES) * answered,
        "block_bytes": claims.BLOCK_BYTES,
        "sha256": found,
        "blank": message.blank,
    }


def _expected(body: dict[str, Any]) -> str:
    """The hash of a read-back that found all zeros, or had nothing to read."""
    seed = claims.read_back_seed(body["previous"], body["counter"], body["key"]["id"])
    silent = claims.NO_ANSWER in body["methods"]
    return claims.blank_digest(seed, 0 if silent else body["medium"]["size"])


def _leases(message: Certificate, known: Known) -> list[dict[str, Any]]:
    lease = {name: getattr(message, f"lease_{name}") for name in _LEASE}
    said = [*lease.values(), message.lease_purpose]
    if all(each is None for each in said):
        return []
    if any(each is None for each in said):
        raise UntrustedError("it says only a part of when it was open")
    purpose = _named(message.lease_purpose, known.purposes, "the purpose of its card")
    return [{**lease, "reason": message.reason, "purpose": purpose}]


def _medium_name(message: Certificate, known: Known) -> str:
    ours = (IN_MEMORY, f"serial SRAM of {message.medium_bytes >> 10} KiB")
    return _named(message.medium_named, (*known.media, *ours), "its medium")


def _named(wanted: str | None, texts: Collection[str], what: str) -> str:
    for text in texts:
        if hash_of(text) == wanted:
            return text
    raise UntrustedError(f"{what} has a name that is not known here: {wanted}")


def _row(name: str, sectors: int) -> dict[str, int]:
    for kind, pattern in enumerate(DISKS):
        head, tail = pattern.split("{}")
        inner = name.removeprefix(head).removesuffix(tail)
        number = _number(inner, lettered=pattern in LETTERED)
        row = {"kind": kind, "number": number, "sectors": sectors}
        if 0 <= number <= 255 and _disk(row) == name:
            return row
    raise UntrustedError(f"the wire schema has no place for the disk {name[:32]}")


def _number(text: str, *, lettered: bool) -> int:
    """The number or letter of a disk; -1 if it has none."""
    if lettered:
        return ord(text) - ord("a") if re.fullmatch("[a-z]", text) else -1
    return int(text) if re.fullmatch("0|[1-9][0-9]{0,2}", text) else -1


def _disk(row: Mapping[str, int]) -> str:
    pattern, number = DISKS[row["kind"]], row["number"]
    return pattern.format(
        chr(ord("a") + number % 26) if pattern in LETTERED else number
    )
