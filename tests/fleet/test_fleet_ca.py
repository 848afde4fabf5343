"""The CA gives out what a broker and a device need, and no name that is a wild card."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from doorsill.device import identity
from doorsill.documents import pem
from doorsill.errors import ConfigError, UntrustedError
from doorsill.wire.messages import STREAMS
from doorsill_fleet.broker.mosquitto import access_list, configuration
from doorsill_fleet.ca.authority import Authority, pem_of, write_private

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
    issued = authority.issue_device("porto-1", "cam-01", NOW)
    assert common_name(issued.certificate) == "porto-1_cam-01"
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
    [
        "",
        "+",
        "#",
        "cam/01",
        "cam 01",
        "Cam-01",
        "c" * 17,
        "cam\n",
        "cam-01/../x",
        "ß",
        "-x",
        "--",
    ],
)
def test_a_name_that_is_no_topic_level_is_refused(
    authority: Authority, name: str
) -> None:
    with pytest.raises(ConfigError, match="must be 1 to 16 characters"):
        authority.issue_device("porto-1", name, NOW)
    with pytest.raises(ConfigError, match="must be 1 to 16 characters"):
        authority.issue_device(name, "cam-01", NOW)
    with pytest.raises(ConfigError, match="must be 1 to 16 characters"):
        authority.issue_reader(name, NOW)


def test_a_server_without_a_name_is_refused(authority: Authority) -> None:
    with pytest.raises(ConfigError, match="one host name at least"):
        authority.issue_server([], NOW)


def test_the_revocation_list_names_what_was_revoked() -> None:
    authority = Authority.create("doorsill test", NOW)
    good, bad = (
        authority.issue_device("porto-1", name, NOW) for name in ("good", "bad")
    )
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
    first, second = (authority.issue_device("porto-1", "cam-01", NOW) for _ in range(2))
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


def test_a_device_reads_its_policy_alone_and_writes_under_its_own_name() -> None:
    rules = access_list("shop-1", ["cam-01", "cam-02"], ["store"]).split("user ")
    assert rules[0] == ""
    assert [each.partition("\n")[0] for each in rules[1:]] == [
        "shop-1_cam-01", "shop-1_cam-02", "reader:store",
    ]  # fmt: skip
    assert "write" not in rules[3]
    for number, device in ((1, "cam-01"), (2, "cam-02")):
        read = [each for each in rules[number].splitlines() if "topic read" in each]
        assert read == [f"topic read doorsill/shop-1/{device}/policy"]
    assert "pattern" not in "".join(rules)
    topics = [line.split()[-1] for line in rules[1].splitlines() if " write " in line]
    assert len(topics) == len(STREAMS) + 1  # and its description for Home Assistant
    assert all("/cam-01/" in each or "/shop-1_cam-01/" in each for each in topics)


def test_no_device_has_the_name_of_a_reader(authority: Authority) -> None:
    """For any site and id that the CA signs: the two forms share no name."""
    reader = authority.issue_reader("store", NOW).certificate
    assert common_name(reader) == "reader:store"
    with pytest.raises(UntrustedError, match="names no device id"):
        identity.names_of(reader)
    for site, device in (("reader", "store"), ("store", "store"), ("a-b", "c-d")):
        made = authority.issue_device(site, device, NOW).certificate
        assert identity.names_of(made) == (site, device)
        assert ":" not in common_name(made)


def test_a_device_keeps_the_key_that_it_made(
    authority: Authority, tmp_path: Path
) -> None:
    request = identity.create(tmp_path / "id", "porto-1_cam-01")
    made = authority.certify_device(request, "porto-1", "cam-01", NOW)
    (tmp_path / "id" / pem.CERTIFICATE_NAME).write_bytes(pem_of(made))
    found = identity.load(tmp_path / "id")
    assert (found.site, found.device) == ("porto-1", "cam-01")
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert list(usage.value) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def altered(request: bytes) -> bytes:
    found = x509.load_pem_x509_csr(request)
    der = bytearray(found.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    body = base64.encodebytes(bytes(der)).decode()
    kind = "CERTIFICATE REQUEST"
    return f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n".encode()


def of_p384(request: bytes) -> bytes:
    subject = x509.load_pem_x509_csr(request).subject
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    made = builder.sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    ("spoil", "device", "sentence"),
    [
        pytest.param(bytes, "cam-02", "is for CN=porto-1_cam-01, and not", id="name"),
        pytest.param(altered, "cam-01", "not signed by its own key", id="altered"),
        pytest.param(of_p384, "cam-01", "only P-256", id="another curve"),
        pytest.param(lambda _: b"x", "cam-01", "no certificate request", id="none"),
    ],
)
def test_a_request_that_is_not_the_devices_is_refused(
    authority: Authority,
    tmp_path: Path,
    spoil: Callable[[bytes], bytes],
    device: str,
    sentence: str,
) -> None:
    request = spoil(identity.create(tmp_path / "id", "porto-1_cam-01"))
    with pytest.raises(UntrustedError, match=sentence):
        authority.certify_device(request, "porto-1", device, NOW)


@pytest.mark.parametrize("there", ["open to all", "a link", "a pipe", "nothing"])
def test_a_key_is_private_whatever_was_there(tmp_path: Path, there: str) -> None:
    path, elsewhere = tmp_path / "cam.key", tmp_path / "elsewhere"
    if there == "open to all":
        path.touch()
        path.chmod(0o666)
    elif there == "a link":
        elsewhere.write_bytes(b"somebody's")
        path.symlink_to(elsewhere)
    elif there == "a pipe":
        os.mkfifo(path)
    (tmp_path / "cam.key.new").symlink_to(elsewhere)  # of a power cut, or planted
    before = os.umask(0)
    try:
        write_private(path, b"secret")
    finally:
        os.umask(before)
    assert not path.is_symlink() and path.read_bytes() == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not elsewhere.exists() or elsewhere.read_bytes() == b"somebody's"
