"""One value, one spelling, one signature."""

import base64
import json
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from doorsill.documents import canonical
from doorsill.errors import ConfigError, UntrustedError

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
BODY = {"version": 3, "site": "porto", "lines": [{"id": "door", "x": 0.5}]}

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-canonical.LARGEST_INTEGER, canonical.LARGEST_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)

# RFC 8785 appendix B: IEEE 754 bits and their one spelling.
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555555", "333333333.3333333"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
]


@pytest.mark.parametrize(("bits", "spelling"), NUMBERS, ids=[n for _, n in NUMBERS])
def test_numbers_are_spelt_as_the_rfc_spells_them(bits: str, spelling: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical.encode(number) == spelling.encode()


def test_keys_are_sorted_by_utf16_as_the_rfc_sorts_them() -> None:
    keys = ["€", "\r", "\ufb33", "1", "\U0001f600", "\x80", "ö"]
    spelt = json.loads(canonical.encode(dict.fromkeys(keys, 0)))
    assert list(spelt) == ["\r", "1", "\x80", "ö", "€", "\U0001f600", "\ufb33"]


@given(VALUES)
def test_what_is_encoded_is_read_back_to_the_same_bytes(value: canonical.Value) -> None:
    data = canonical.encode(value)
    assert canonical.encode(canonical.decode(data)) == data
    assert canonical.decode(data) == value


@given(st.binary(max_size=40))
def test_arbitrary_bytes_are_refused_or_canonical(data: bytes) -> None:
    try:
        value = canonical.decode(data)
    except UntrustedError:
        return
    assert canonical.encode(value) == data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'{"a":1,"a":2}', id="a key twice"),
        pytest.param(b'{"b":1,"a":2}', id="keys unsorted"),
        pytest.param(b'{"a": 1}', id="a space"),
        pytest.param(b'{"a":1}\n', id="a line end"),
        pytest.param(b"1.0", id="another spelling of one"),
        pytest.param(b"1e2", id="another spelling of a hundred"),
        pytest.param(b"NaN", id="not a number"),
        pytest.param(b"-Infinity", id="endless"),
        pytest.param(b"1e999", id="too large for a double"),
        pytest.param(b"9007199254740993", id="beyond 2^53"),
        pytest.param(b'"\\ud800"', id="half a surrogate pair"),
        pytest.param(b'"\\u0041"', id="an escape where none is needed"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="100000 deep"),
        pytest.param(b"[" * 18 + b"]" * 18, id="18 deep"),
        pytest.param(b'"' + b"a" * (1 << 20) + b'"', id="over a megabyte"),
    ],
)
def test_another_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(UntrustedError):
        canonical.decode(data)


@pytest.mark.parametrize("value", [{1: 2}, b"bytes", float("nan"), 2**60, "\ud800"])
def test_a_value_without_a_json_form_is_a_config_error(value: object) -> None:
    with pytest.raises(ConfigError):
        canonical.encode(value)  # type: ignore[arg-type]


def test_a_signed_document_comes_back_verified() -> None:
    assert canonical.unseal(canonical.seal(BODY, KEY), KEY.public_key()) == BODY


def test_every_altered_byte_is_refused() -> None:
    document = canonical.seal(BODY, KEY)
    for at in range(len(document)):
        for flip in (1, 0x20, 0x80):
            altered = bytearray(document)
            altered[at] ^= flip
            with pytest.raises(UntrustedError):
                canonical.unseal(bytes(altered), KEY.public_key())


def test_another_key_is_refused() -> None:
    with pytest.raises(UntrustedError, match="does not match"):
        canonical.unseal(canonical.seal(BODY, OTHER), KEY.public_key())


def test_the_second_valid_form_of_a_signature_is_refused() -> None:
    raw = base64.urlsafe_b64decode(canonical.sign(BODY, KEY) + "==")
    s = canonical.P256_ORDER - int.from_bytes(raw[32:], "big")
    twin = base64.urlsafe_b64encode(raw[:32] + s.to_bytes(32, "big"))
    r = int.from_bytes(raw[:32], "big")
    KEY.public_key().verify(  # the control: mathematics alone would accept it
        encode_dss_signature(r, s), canonical.encode(BODY), canonical.ES256
    )
    with pytest.raises(UntrustedError, match="low s"):
        canonical.verify(BODY, twin.rstrip(b"=").decode(), KEY.public_key())


@pytest.mark.parametrize("signature", [None, "", "!!", "A" * 85, "A" * 86, "A" * 88])
def test_a_misshapen_signature_is_refused(signature: object) -> None:
    with pytest.raises(UntrustedError):
        canonical.verify(BODY, signature, KEY.public_key())


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP256K1()])
def test_only_p256_is_accepted(curve: ec.EllipticCurve) -> None:
    with pytest.raises(UntrustedError, match="P-256"):
        canonical.sign(BODY, ec.generate_private_key(curve))


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b'{"signed":{}}',
        b'{"signature":"","signed":[]}',
        b'{"signature":1,"signed":{}}',
    ],
)
def test_a_document_of_another_shape_is_refused(data: bytes) -> None:
    with pytest.raises(UntrustedError, match="signed document"):
        canonical.split(data)
