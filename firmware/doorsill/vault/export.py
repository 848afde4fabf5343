"""An export: the session's records and its key, sealed to the card, in one file.

    magic │ length of the header, 4 bytes │ header: signed canonical JSON │ records …

The records are the ciphertext as it lies on the medium. The data key is wrapped to the
card's 9D key, so the file opens with that card and its PIN, and with nothing else.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from doorsill.certificates.claims import LARGEST_MEDIUM
from doorsill.certificates.contradictions import CROP_MOST, MOST_CROPS
from doorsill.certificates.examine import DEVICE, HEX64, LATEST_MS
from doorsill.certificates.signer import FIELD, signer_of
from doorsill.channels.crops import SIDE_LEAST, SIDE_MOST
from doorsill.device.identity import Identity
from doorsill.documents import canonical
from doorsill.documents.fields import Fields
from doorsill.errors import UntrustedError
from doorsill.vault.sealing import KEY_BYTES, NONCE_BYTES, TAG_BYTES, WrappedKey
from doorsill.vault.session import Record, Session

FORMAT = "doorsill-export/1"
MAGIC = b"doorsill sealed export 1\n"


@dataclass(frozen=True, slots=True)
class Sealed:
    """An export that a device of this CA signed; only :func:`read` makes one."""

    body: dict[str, Any]
    wrapped: WrappedKey
    records: tuple[tuple[Record, bytes], ...]


def header(session: Session, device: Identity) -> bytes:
    """The bytes before the records; UntrustedError if the card has no 9D key."""
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
        "device": device.device,
        FIELD: base64.b64encode(
            device.certificate.public_bytes(serialization.Encoding.DER)
        ).decode(),
        "card": card.fingerprint,
        "purpose": card.purpose,
        "sealed_to": point.hex(),
        "key_id": wrapped.key_id,
        "ephemeral": wrapped.ephemeral.hex(),
        "nonce": wrapped.nonce.hex(),
        "wrapped": wrapped.wrapped.hex(),
        "records": [asdict(record) for record in session.records],
    }
    document = canonical.seal(body, device.key)
    return MAGIC + len(document).to_bytes(4, "big") + document


def read(data: bytes, authority: x509.Certificate) -> Sealed:
    """Take an export apart; ``authority`` is the device CA.

    Raises UntrustedError if it is cut short or has another form, or if no device of
    that CA signed its header. The signature is needed because anybody can seal
    something to a card.
    """
    begin = len(MAGIC) + 4
    if data[: len(MAGIC)] != MAGIC or len(data) < begin:
        raise UntrustedError("this is not an export of a doorsill vault")
    end = begin + int.from_bytes(data[len(MAGIC) : begin], "big")
    body, signature = canonical.split(data[begin:end])
    _, key = signer_of(body, authority)
    canonical.verify(body, signature, key)
    records = _require_records(body)
    wrapped = WrappedKey(
        body["key_id"],
        bytes.fromhex(body["ephemeral"]),
        bytes.fromhex(body["nonce"]),
        bytes.fromhex(body["wrapped"]),
    )
    if end + sum(record.size for record in records) != len(data):
        raise UntrustedError("the export is cut short or has more than it says")
    return Sealed(body, wrapped, tuple(_cut(records, data[end:])))


def _require_records(body: dict[str, Any]) -> list[Record]:
    """The records that the header names; UntrustedError if its form is wrong."""
    problems: list[str] = []
    table = Fields("header", body, problems)
    table.text("format", FORMAT, 32)
    table.text("device", DEVICE, 16)
    table.text(FIELD, "[A-Za-z0-9+/=]+", 8192)
    table.text("card", HEX64, 64)
    table.text("purpose", "[a-z0-9-]{1,32}", 32)
    table.text("sealed_to", "04[0-9a-f]{128}", 130)
    table.text("key_id", "[0-9a-f]{32}", 32)
    table.text("ephemeral", "04[0-9a-f]{128}", 130)
    table.text("nonce", f"[0-9a-f]{{{2 * NONCE_BYTES}}}", 2 * NONCE_BYTES)
    wrapped = 2 * (KEY_BYTES + TAG_BYTES)
    table.text("wrapped", f"[0-9a-f]{{{wrapped}}}", wrapped)
    records = [_record(each) for each in table.tables("records", MOST_CROPS)]
    if "records" not in body:
        table.note("records", "is missing")
    table.end()
    if problems:
        raise UntrustedError("the header of the export: " + "; ".join(problems))
    return records


def _record(table: Fields) -> Record:
    found = Record(
        offset=table.whole("offset", 0, LARGEST_MEDIUM),
        size=table.whole("size", 1, CROP_MOST),
        width=table.whole("width", SIDE_LEAST, SIDE_MOST),
        height=table.whole("height", SIDE_LEAST, SIDE_MOST),
        utc_ms=table.whole("utc_ms", 0, LATEST_MS),
    )
    table.end()
    return found


def open_records(sealed: Sealed, cipher: AESGCM) -> Iterator[tuple[Record, bytes]]:
    """Decrypt the crops: (height, width, 3) RGB bytes of each.

    Raises UntrustedError if one was altered.
    """
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
    """The point that the card's 9D key has to agree with: 65 bytes, on P-256.

    Raises UntrustedError if it is no point of that curve.
    """
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
