"""Canonical JSON (RFC 8785) and ES256 signatures over it.

One value has exactly one sequence of bytes, and one signature has exactly one spelling.
So a document with one altered byte is refused, and a hash names a value.
A signed document is ``{"signature": ES256 as base64url, "signed": {...}}``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from doorsill.errors import ConfigError, UntrustedError

Value = dict[str, Any] | list[Any] | str | int | float | bool | None
PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey
SignBytes = Callable[[bytes], bytes]

LARGEST_INTEGER = 2**53 - 1  # RFC 7493: what every JSON reader can hold exactly
DEEPEST = 16  # levels of nesting
LARGEST_BYTES = 1 << 20  # of a document
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ES256 = ec.ECDSA(hashes.SHA256())


def encode(value: Value) -> bytes:
    """The one canonical spelling of ``value``; ConfigError if it has none."""
    return _spell(value, 0).encode()


def decode(data: bytes) -> Any:
    """Read ``data``; UntrustedError unless it is canonical to the last byte."""
    if len(data) > LARGEST_BYTES:
        raise UntrustedError(f"{len(data)} bytes is over the limit of {LARGEST_BYTES}")
    if data.startswith(b"\xef\xbb\xbf"):
        raise UntrustedError(
            "not canonical JSON: it begins with a byte order mark, as Notepad writes "
            "it; take the file as it was signed"
        )
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_whole,
        )
        spelt = encode(value)
    except UnicodeDecodeError:
        raise UntrustedError("not canonical JSON: not text in UTF-8") from None
    except RecursionError:
        raise UntrustedError("not canonical JSON: nested too deep") from None
    except (ValueError, ConfigError) as error:
        raise UntrustedError(f"not canonical JSON: {error}") from None
    if spelt != data:
        raise UntrustedError(f"not canonical JSON: {_apart(spelt, data)}")
    return value


def _apart(spelt: bytes, data: bytes) -> str:
    """How ``data`` differs from ``spelt``, its canonical form, and how to repair it."""
    more = len(data) - len(spelt)
    if data.startswith(spelt) and not data[len(spelt) :].strip():
        return (
            f"it goes on after its end ({more} of line end or blank), as an editor "
            f"leaves it; mend it: truncate -s {len(spelt)} FILE"
        )
    return (
        "an editor or a tool wrote it another way (blanks, order of keys); take the "
        "file as it was signed"
    )


def digest(value: Value) -> str:
    """SHA-256 of the canonical bytes, 64 hexadecimal digits."""
    return hashlib.sha256(encode(value)).hexdigest()


def sign(value: Value, key: PrivateKey) -> str:
    """ES256 over the canonical bytes: r and s, 64 bytes, base64url, s in its low form.

    s and n - s would both verify; we sign and accept only the low one (as BIP 62 does).
    """
    require_p256(key.public_key())
    return sign_by(value, lambda data: key.sign(data, ES256))


def sign_by(value: Value, sign_bytes: SignBytes) -> str:
    """As :func:`sign`; ``sign_bytes`` gives an ECDSA signature with SHA-256, in DER."""
    r, s = decode_dss_signature(sign_bytes(encode(value)))
    return _base64(r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big"))


def verify(value: Value, signature: object, key: PublicKey) -> Value:
    """Return ``value`` if ``key`` signed it, else raise UntrustedError."""
    require_p256(key)
    raw = _signature_bytes(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    if s > P256_ORDER // 2:
        raise UntrustedError("the signature is not in its one accepted form (low s)")
    try:
        key.verify(encode_dss_signature(r, s), encode(value), ES256)
    except InvalidSignature:
        raise UntrustedError(
            "the signature does not match: other key, or altered"
        ) from None
    return value


def seal(body: dict[str, Any], key: PrivateKey) -> bytes:
    """The signed document of ``body`` as canonical bytes."""
    return encode({"signature": sign(body, key), "signed": body})


def seal_by(body: dict[str, Any], sign_bytes: SignBytes) -> bytes:
    """As :func:`seal`, signed by ``sign_bytes``."""
    return encode({"signature": sign_by(body, sign_bytes), "signed": body})


def unseal(data: bytes, key: PublicKey) -> dict[str, Any]:
    """The body of a signed document, verified; else UntrustedError."""
    body, signature = split(data)
    verify(body, signature, key)
    return body


def split(data: bytes) -> tuple[dict[str, Any], str]:
    """Body and signature of a document, NOT verified: only to show or to chain."""
    document = decode(data)
    if not isinstance(document, dict) or set(document) != {"signature", "signed"}:
        raise UntrustedError("not a signed document: want signature and signed only")
    body, signature = document["signed"], document["signature"]
    if not isinstance(body, dict) or not isinstance(signature, str):
        raise UntrustedError("not a signed document: a table and its signature wanted")
    return body, signature


def require_p256(key: object) -> None:
    """UntrustedError for a key that is not on P-256, the only curve of ES256."""
    name = getattr(getattr(key, "curve", None), "name", type(key).__name__)
    if name != "secp256r1":
        raise UntrustedError(f"the key is {name}; only P-256 (secp256r1) is accepted")


def _spell(value: object, depth: int) -> str:
    if depth > DEEPEST:
        raise ConfigError(f"nested deeper than {DEEPEST}")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(_spell(each, depth + 1) for each in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(_pairs(value, depth)) + "}"
    raise ConfigError(f"{type(value).__name__} has no JSON form")


def _pairs(table: dict[Any, Any], depth: int) -> list[str]:
    for key in table:
        if not isinstance(key, str):
            raise ConfigError(f"the key {key!r} is not text")
        _text(key)
    keys = sorted(table, key=lambda key: key.encode("utf-16-be"))
    return [f"{_text(key)}:{_spell(table[key], depth + 1)}" for key in keys]


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError("text holds half of a surrogate pair") from None
    return json.dumps(text, ensure_ascii=False)


def _integer(number: int) -> str:
    if abs(number) > LARGEST_INTEGER:
        raise ConfigError(f"{number} is outside of +-{LARGEST_INTEGER}")
    return str(int(number))


def _number(number: float) -> str:
    """ECMAScript's Number::toString (RFC 8785 section 3.2.2.3)."""
    if number != number or number in (float("inf"), float("-inf")):
        raise ConfigError(f"{number} has no JSON form")
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = f"{abs(number)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0").rstrip("0")
    leading = len(fraction) - len((whole + fraction).lstrip("0"))  # -position of point
    point = int(exponent or 0) - leading
    return sign + _ecmascript(digits, point)


def _ecmascript(digits: str, point: int) -> str:
    """``digits`` with the decimal point after ``point`` of them."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    head = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{head}e{point - 1:+d}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands twice")
    return table


def _whole(digits: str) -> int | float:
    number = float(digits)
    return int(digits) if abs(number) <= LARGEST_INTEGER else number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _signature_bytes(signature: object) -> bytes:
    try:
        if not isinstance(signature, str):
            raise ValueError
        raw = base64.b64decode(signature + "==", altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise UntrustedError("the signature is not base64url") from None
    if len(raw) != 64 or _base64(raw) != signature:
        raise UntrustedError("the signature is not 64 bytes in base64url")
    return raw
