"""Who this device is: a P-256 key made on the device, and its certificate.

The key never leaves the device and is never printed; the certificate comes back from
the fleet's CA for a request that the device signed. ``load`` refuses a key that others
can read, that is not P-256, or that is not the certificate's.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from doorsill.documents import recognise
from doorsill.documents.canonical import PrivateKey, require_p256
from doorsill.documents.folders import make_folder
from doorsill.documents.reading import read_file
from doorsill.documents.strict_x509 import Unreadable, read_pem, read_pem_chain
from doorsill.errors import ConfigError, UntrustedError

KEY_NAME = "device.key"  # also of the copy that systemd hands to a service
CERTIFICATE_NAME = "device.crt"
CREDENTIALS = "CREDENTIALS_DIRECTORY"  # where systemd puts such copies
ENCRYPTED = b"ENCRYPTED"  # stands in every PEM that wants a passphrase
KEY_BYTES = 1 << 16  # at most, of a key file
DEVICE_ID = re.compile(r"[a-z0-9-]{1,16}")
# What a broker makes the user name and the client id. A reader's has a colon, so that
# no device has the name of a reader, nor a reader that of a device.
NAME = re.compile(r"((?P<site>[a-z0-9-]{1,16})_)?(?P<device>[a-z0-9-]{1,16})")


@dataclass(frozen=True, slots=True)
class Identity:
    """The device's name, key and certificate; the key is never shown."""

    device: str
    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    site: str = ""  # empty where the certificate names the device alone

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("an Identity cannot be copied, pickled or sent")


def create_key(path: Path, passphrase: bytes = b"") -> PrivateKey:
    """Make a new P-256 key in the new file ``path``, mode 0600; never overwrites.

    With a ``passphrase`` it is encrypted with it.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    write_key(path, key, passphrase)
    return key


def write_key(path: Path, key: PrivateKey, passphrase: bytes = b"") -> None:
    """Write ``key`` to the new file ``path``, mode 0600; ConfigError if one is there.

    Follows no link, whatever stands there already.
    """
    guard: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        guard = serialization.BestAvailableEncryption(passphrase)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, guard
    )
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o600)  # whatever the umask took away
            file.write(pem)
            file.flush()
            os.fsync(handle)
    except FileExistsError:
        raise ConfigError(f"{path} exists; a key is never overwritten") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot make the key {path}: {why}") from None


def create(directory: Path, name: str) -> bytes:
    """Make the device's key in ``directory``; returns the certificate request, PEM.

    ``name`` is <site>_<device>, or the device alone where there is one site.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"device id {name!r} does not match {DEVICE_ID.pattern}")
    make_folder(directory, 0o700)
    key = create_key(directory / KEY_NAME)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def load(directory: Path) -> Identity:
    """Key and certificate of ``directory``, checked against each other."""
    return read(directory / KEY_NAME, directory / CERTIFICATE_NAME)


def read(key_path: Path, certificate_path: Path) -> Identity:
    """As :func:`load`, for two files named apart.

    Raises ConfigError where a file is missing, unreadable or open to others, and
    UntrustedError where the two do not belong together.
    """
    key = read_key(key_path)
    certificate = read_certificate(certificate_path)
    if certificate.public_key() != key.public_key():
        raise UntrustedError(f"{certificate_path} is not the certificate of {key_path}")
    site, device = named(certificate)
    return Identity(device, certificate, key, site)


def key_at(path: Path) -> Path:
    """The device's key: systemd's copy for this service, or ``path`` itself.

    On a camera the file is root's alone, so a service can read only its copy.
    """
    folder = os.environ.get(CREDENTIALS)
    copy = Path(folder) / KEY_NAME if folder else None
    return copy if copy and copy.exists() else path


def read_key(path: Path, ask: Callable[[], bytes] | None = None) -> PrivateKey:
    """A private P-256 key in PEM that nobody but its owner can read.

    ``ask`` gives the passphrase of one that is encrypted; without it, such a key is a
    ConfigError.
    """
    pem = read_private(path, recognise.is_secret)
    secret = None
    if ENCRYPTED in pem:
        if ask is None:
            raise recognise.instead(path, pem, recognise.PRIVATE)
        secret = ask()
    try:
        key = serialization.load_pem_private_key(pem, password=secret)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if secret is not None:
            raise ConfigError(f"the passphrase is not that of {path}") from None
        raise recognise.instead(path, pem, recognise.PRIVATE) from None
    try:
        require_p256(key.public_key())
    except UntrustedError:
        raise recognise.of_another_kind(path, key) from None
    return cast(PrivateKey, key)


def read_certificate(path: Path) -> x509.Certificate:
    """The one certificate in the PEM file ``path``."""
    data = read_file(path)
    try:
        return read_pem(data)
    except Unreadable:
        raise recognise.instead(path, data, recognise.CERTIFICATE) from None


def read_chain(path: Path) -> list[x509.Certificate]:
    """All certificates in the PEM file ``path``; for a chain the device's is first."""
    try:
        data = read_file(path)
    except ConfigError as error:
        raise ConfigError(f"cannot read the certificate: {error}") from None
    try:
        return read_pem_chain(data)
    except Unreadable:
        raise recognise.instead(path, data, recognise.CERTIFICATE) from None


def public_of(path: Path) -> bytes:
    """The public half of the private key in ``path``, DER; see :func:`read_key`."""
    return _der(read_key(path).public_key())


def public_of_certificate(certificate: x509.Certificate) -> bytes:
    """The public key of ``certificate``, DER."""
    return _der(certificate.public_key())


def _der(public: Any) -> bytes:
    der: bytes = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return der


def named(certificate: x509.Certificate) -> tuple[str, str]:
    """Site and device that the certificate names; an old one names no site."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if len(names) == 1 else ""
    found = NAME.fullmatch(name)
    if found is None:
        raise UntrustedError(f"the certificate names no device id: {name[:64]!r}")
    return found["site"] or "", found["device"]


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, 64 hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def read_private(
    path: Path, is_secret: Callable[[bytes], bool] = lambda _: True
) -> bytes:
    """What a secret file holds; ConfigError where others can read it, or for a link.

    What is not ``is_secret`` at all is given whatever its mode: the caller says that it
    is the wrong file, which ``chmod`` would not mend.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags)
    except OSError as error:
        raise ConfigError(f"cannot read the key {path}: {_why(error)}") from None
    try:
        state = os.fstat(handle)
        data = os.read(handle, KEY_BYTES) if stat.S_ISREG(state.st_mode) else b""
        if not stat.S_ISREG(state.st_mode) or (data and is_secret(data)):
            _require_private(path, state)
        return data
    finally:
        os.close(handle)


def _why(error: OSError) -> str:
    """In words; a link is refused, whatever it leads to."""
    if error.errno == errno.ELOOP:
        return "it is a link; give the file itself"
    return error.strerror or str(error)


def _require_private(path: Path, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise ConfigError(f"the key {path} is not a file")
    # systemd may show its own copy for one service as readable by root's group.
    credential = path.parent == Path(os.environ.get(CREDENTIALS, "/"))
    if state.st_mode & (0o037 if credential and state.st_gid == 0 else 0o077):
        mode = stat.S_IMODE(state.st_mode)
        raise ConfigError(
            f"the key {path} has mode {mode:04o}; the limit is 0600: chmod 600 {path}"
        )
    if state.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"the key {path} belongs to user {state.st_uid}")
