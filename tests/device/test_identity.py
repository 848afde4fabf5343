"""The device's key stays the device's."""

import copy
import datetime
import pickle
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from doorsill.device import identity
from doorsill.documents import pem
from doorsill.errors import ConfigError, DoorsillError, UntrustedError

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def certify(public: object, name: str) -> bytes:
    """A certificate for ``public`` as the fleet's CA would give it."""
    authority = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device CA")]),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        public,  # type: ignore[arg-type]
        x509.random_serial_number(),
        NOW,
        NOW + datetime.timedelta(days=3650),
    )
    certificate = builder.sign(authority, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    request = x509.load_pem_x509_csr(identity.create(tmp_path / "id", "door-7"))
    assert request.is_signature_valid
    written = certify(request.public_key(), "door-7")
    (tmp_path / "id" / pem.CERTIFICATE_NAME).write_bytes(written)
    return tmp_path / "id"


def test_a_device_knows_itself(home: Path) -> None:
    me = identity.load(home)
    assert me.device == "door-7"
    assert me.certificate.public_key() == me.key.public_key()
    assert len(pem.fingerprint(me.certificate)) == 64


def test_the_key_is_readable_by_its_owner_alone(home: Path) -> None:
    assert stat.S_IMODE((home / pem.KEY_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_the_key_is_never_shown_copied_or_pickled(home: Path) -> None:
    me = identity.load(home)
    secret = me.key.private_numbers().private_value
    assert "key" not in repr(me).lower().replace("public_key", "")
    assert str(secret) not in repr(me) and f"{secret:x}" not in repr(me)
    for act in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            act(me)


def test_a_thousand_devices_have_a_thousand_keys(tmp_path: Path) -> None:
    keys = {
        pem.create_key(tmp_path / f"{n}").private_numbers().private_value
        for n in range(1000)
    }
    assert len(keys) == 1000


def test_a_key_is_never_overwritten(home: Path) -> None:
    before = (home / pem.KEY_NAME).read_bytes()
    with pytest.raises(ConfigError, match="never overwritten"):
        identity.create(home, "door-7")
    assert (home / pem.KEY_NAME).read_bytes() == before


@pytest.mark.parametrize("device", ["", "Door", "a" * 17, "a/b", "a\n", "é"])
def test_a_misspelt_device_id_is_refused(tmp_path: Path, device: str) -> None:
    with pytest.raises(ConfigError, match="device id"):
        identity.create(tmp_path, device)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o700 | 0o010])
def test_a_key_that_others_can_read_is_refused(home: Path, mode: int) -> None:
    (home / pem.KEY_NAME).chmod(mode)
    with pytest.raises(ConfigError, match=f"mode {mode:04o}; the limit is 0600"):
        identity.load(home)


def test_a_key_behind_a_link_is_refused(home: Path) -> None:
    key = home / pem.KEY_NAME
    key.rename(home / "elsewhere")
    key.symlink_to(home / "elsewhere")
    with pytest.raises(ConfigError, match="cannot read the key"):
        identity.load(home)


def test_another_devices_certificate_is_refused(home: Path) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    written = certify(other.public_key(), "door-7")
    (home / pem.CERTIFICATE_NAME).write_bytes(written)
    with pytest.raises(UntrustedError, match="is not the certificate of"):
        identity.load(home)


def test_a_certificate_without_a_device_id_is_refused(home: Path) -> None:
    key = pem.read_key(home / pem.KEY_NAME)
    written = certify(key.public_key(), "Not A Device")
    (home / pem.CERTIFICATE_NAME).write_bytes(written)
    with pytest.raises(UntrustedError, match="no device id"):
        identity.load(home)


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()],
    ids=["P-384", "Ed25519"],
)
def test_only_p256_is_accepted(tmp_path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    written = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_bytes(written)
    with pytest.raises(UntrustedError, match="P-256"):
        pem.read_key(path)


@pytest.mark.parametrize("name", [pem.KEY_NAME, pem.CERTIFICATE_NAME])
@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "directory"])
def test_a_damaged_file_is_named(home: Path, name: str, damage: str) -> None:
    path = home / name
    if damage in ("missing", "directory"):
        path.unlink()
    if damage == "directory":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(b"\x00garbage" if damage == "garbage" else b"")
    with pytest.raises(DoorsillError, match=name):
        identity.load(home)


def test_systemds_copy_for_one_service_may_show_roots_group(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = home / pem.KEY_NAME
    key.chmod(0o440)
    if key.stat().st_gid == 0:
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(home))
        assert identity.load(home).device == "door-7"
    key.chmod(0o444)
    with pytest.raises(ConfigError, match="mode 0444"):
        identity.load(home)
