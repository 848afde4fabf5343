"""A certificate is taken or refused when it is read, and never raises later."""

import datetime
import random
import warnings

import pytest
from cards import Controller, new_key
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from doorsill.documents.strict_x509 import (
    Unreadable,
    read_der,
    read_list,
    read_pem,
    read_pem_chain,
)
from doorsill.office import cards
from doorsill_fleet.ca.authority import Authority

CONTROLLER = Controller()
CA = cards.der(CONTROLLER.ca)
NOW = datetime.datetime.now(datetime.UTC)
FLEET = Authority.create("fleet", NOW)
REVOKED = FLEET.certificate.serial_number
FLEET.revoke(FLEET.certificate, NOW)


def test_a_certificate_and_a_list_are_read() -> None:
    assert read_der(CA) == CONTROLLER.ca
    pem = CONTROLLER.ca.public_bytes(Encoding.PEM)
    assert read_pem(pem) == CONTROLLER.ca and len(read_pem_chain(pem * 2)) == 2
    found = x509.load_pem_x509_crl(FLEET.revocation_list(NOW))
    for encoding in (Encoding.PEM, Encoding.DER):
        data = found.public_bytes(encoding)
        assert [each.serial_number for each in read_list(data)] == [REVOKED]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_bit_is_turned_nothing_raises_later(seed: int) -> None:
    dice = random.Random(seed)
    refused = 0
    for _ in range(600):
        data = bytearray(CA)
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        try:
            found = read_der(bytes(data))
        except Unreadable:
            refused += 1
            continue
        _ = found.public_key(), found.subject.rfc4514_string(), found.version
        _ = [each.value for each in found.extensions], found.not_valid_after_utc
    assert 100 < refused < 500


def test_what_the_library_only_warns_of_is_refused() -> None:
    """A country of eighteen letters: RFC 5280 wants two."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        country = x509.NameAttribute(
            NameOID.COUNTRY_NAME, "Portugal and Spain", _validate=False
        )
    name = x509.Name([country])
    key, now = new_key(), datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), 5, now, now + datetime.timedelta(days=9)
    ).sign(key, hashes.SHA256())
    with pytest.raises(Unreadable, match="length must be >= 2"):
        read_der(made.public_bytes(Encoding.DER))


@pytest.mark.parametrize("read", [read_der, read_pem, read_pem_chain, read_list])
@pytest.mark.parametrize(
    "data",
    [b"", b"\x30", b"-----BEGIN CERTIFICATE-----", b"\x30\x82\xff\xff", b"\0" * 99],
)
def test_what_is_no_x509_is_unreadable(read: object, data: bytes) -> None:
    with pytest.raises(Unreadable):
        read(data)  # type: ignore[operator]
