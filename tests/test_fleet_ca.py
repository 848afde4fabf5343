"""The CA gives out what a broker and a device need, and no name that is a wild card."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from doorsill.errors import ConfigError
from doorsill_fleet.broker import access_list, configuration
from doorsill_fleet.ca import Authority

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create("doorsill test", NOW)


def common_name(certificate: x509.Certificate) -> str:
    (attribute,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attribute.value)


def test_a_device_certificate_carries_its_id_and_is_for_clients(
    authority: Authority,
) -> None:
    issued = authority.issue_client("cam-01", NOW)
    assert common_name(issued.certificate) == "cam-01"
    usage = issued.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert list(usage.value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    issued.certificate.verify_directly_issued_by(authority.certificate)
    assert issued.key.curve.name == "secp256r1"


def test_a_server_certificate_verifies_for_its_names_alone(
    authority: Authority,
) -> None:
    issued = authority.issue_server(["broker.shop.example", "127.0.0.1"], NOW)
    store = Store([authority.certificate])
    builder = PolicyBuilder().store(store).time(NOW + timedelta(days=1))
    good = builder.build_server_verifier(x509.DNSName("broker.shop.example"))
    assert good.verify(issued.certificate, [])
    other = builder.build_server_verifier(x509.DNSName("elsewhere.example"))
    with pytest.raises(VerificationError):
        other.verify(issued.certificate, [])
    late = PolicyBuilder().store(store).time(NOW + timedelta(days=399))
    with pytest.raises(VerificationError):
        late.build_server_verifier(x509.DNSName("broker.shop.example")).verify(
            issued.certificate, []
        )


@pytest.mark.parametrize(
    "name",
    ["", "+", "#", "cam/01", "cam 01", "Cam-01", "c" * 17, "cam\n", "cam-01/../x", "ß"],
)
def test_a_name_that_is_no_topic_level_is_refused(
    authority: Authority, name: str
) -> None:
    with pytest.raises(ConfigError, match="must be 1 to 16 characters"):
        authority.issue_client(name, NOW)


def test_a_server_without_a_name_is_refused(authority: Authority) -> None:
    with pytest.raises(ConfigError, match="one host name at least"):
        authority.issue_server([], NOW)


def test_the_revocation_list_names_what_was_revoked() -> None:
    authority = Authority.create("doorsill test", NOW)
    good, bad = (authority.issue_client(name, NOW) for name in ("good", "bad"))
    authority.revoke(bad.certificate, NOW)
    crl = x509.load_pem_x509_crl(authority.revocation_list(NOW))
    key = authority.key.public_key()
    assert crl.is_signature_valid(key)
    assert crl.get_revoked_certificate_by_serial_number(bad.certificate.serial_number)
    serial = good.certificate.serial_number
    assert crl.get_revoked_certificate_by_serial_number(serial) is None


def test_no_two_keys_are_the_same_and_none_is_readable_or_shown(
    authority: Authority, tmp_path: Path
) -> None:
    first, second = (authority.issue_client("cam-01", NOW) for _ in range(2))
    assert first.key.private_numbers() != second.key.private_numbers()
    _, key = first.write(tmp_path, "cam-01")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "PRIVATE" in key.read_text()
    assert "PrivateKey" not in repr(first) + repr(authority)


def test_the_broker_asks_for_a_certificate_and_takes_the_name_from_it(
    tmp_path: Path,
) -> None:
    lines = configuration(tmp_path, 8883).splitlines()
    for line in (
        "allow_anonymous false",
        "require_certificate true",
        "tls_version tlsv1.3",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        f"crlfile {tmp_path}/revoked.pem",
    ):
        assert line in lines
    assert not any("password" in line for line in lines)


def test_a_device_reads_nothing_and_writes_under_its_own_name() -> None:
    rules = access_list("shop-1", ["store"]).split("user store")
    assert "read" not in rules[0]
    assert all(
        "%u" in line for line in rules[0].splitlines() if line.startswith("pattern")
    )
    assert "write" not in rules[1]
