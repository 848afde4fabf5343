"""An export: the session's records and its key, sealed to the card, in one file.

    magic │ length of the header, 4 bytes │ header: signed canonical JSON │ records …

The records are the ciphertext as it lies on the medium. The data key is wrapped to the
card's 9D key, so the file opens with that card and its PIN, and with nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from doorsill import canonical
from doorsill.canonical import PrivateKey
from doorsill.consent.sealing import NONCE_BYTES, WrappedKey
from doorsill.consent.session import Record, Session
from doorsill.errors import UntrustedError

FORMAT = "doorsill-export/1"
MAGIC = b"doorsill sealed export 1\n"


@dataclass(frozen=True, slots=True)
class Sealed:
    """An export as it was read, its signature not verified."""

    body: dict[str, Any]
    wrapped: WrappedKey
    records: tuple[tuple[Record, bytes], ...]


def header(session: Session, device: str, key: PrivateKey) -> bytes:
    """What stands before the records; UntrustedError where the card has no 9D key."""
    card = session.lease.card
    if card.sealing_key is None:
        raise UntrustedError(
            "the card has no 9D key to seal an export to; issue it with one"
        )
    wrapped = session.key.wrap(card.sealing_key)
    point = card.sealing_key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    body = {
        "format": FORMAT,
        "device": device,
        "card": card.fingerprint,
        "purpose": card.purpose,
        "sealed_to": point.hex(),
        "key_id": wrapped.key_id,
        "ephemeral": wrapped.ephemeral.hex(),
        "nonce": wrapped.nonce.hex(),
        "wrapped": wrapped.wrapped.hex(),
        "records": [asdict(record) for record in session.records],
    }
    document = canonical.seal(body, key)
    return MAGIC + len(document).to_bytes(4, "big") + document


def read(data: bytes) -> Sealed:
    """Take an export apart; UntrustedError where it is cut short or misshapen."""
    begin = len(MAGIC) + 4
    if data[: len(MAGIC)] != MAGIC or len(data) < begin:
        raise UntrustedError("this is not an export of a doorsill vault")
    end = begin + int.from_bytes(data[len(MAGIC) : begin], "big")
    body, _ = canonical.split(data[begin:end])
    try:
        wrapped = WrappedKey(
            str(body["key_id"]),
            bytes.fromhex(body["ephemeral"]),
            bytes.fromhex(body["nonce"]),
            bytes.fromhex(body["wrapped"]),
        )
        records = [Record(**each) for each in body["records"]]
        sizes = [record.size for record in records]
        whole = all(type(size) is int and size > 0 for size in sizes)
    except (KeyError, TypeError, ValueError):
        raise UntrustedError("the header of the export is misshapen") from None
    if not whole or end + sum(sizes) != len(data):
        raise UntrustedError("the export is cut short or has more than it says")
    return Sealed(body, wrapped, tuple(_cut(records, data[end:])))


def opened(sealed: Sealed, cipher: AESGCM) -> Iterator[tuple[Record, bytes]]:
    """The crops, (height, width, 3) RGB bytes; UntrustedError where one was altered."""
    for record, data in sealed.records:
        bound = bytes.fromhex(sealed.wrapped.key_id) + record.context
        nonce, rest = data[:NONCE_BYTES], data[NONCE_BYTES:]
        try:
            plain = cipher.decrypt(nonce, rest, bound)
        except (InvalidTag, ValueError):
            raise UntrustedError(
                f"the crop at {record.offset} is not what was sealed"
            ) from None
        if len(plain) != record.width * record.height * 3:
            raise UntrustedError(f"the crop at {record.offset} has another size")
        yield record, plain


def peer(sealed: Sealed) -> bytes:
    """The point that the card's 9D key has to agree with, 65 bytes, on the curve."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(
            ec.SECP256R1(), sealed.wrapped.ephemeral
        )
    except ValueError:
        raise UntrustedError("the export names no point of P-256") from None
    return sealed.wrapped.ephemeral


def _cut(records: list[Record], data: bytes) -> Iterator[tuple[Record, bytes]]:
    at = 0
    for record in records:
        yield record, data[at : at + record.size]
        at += record.size
