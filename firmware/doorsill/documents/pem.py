"""Private and public keys and certificates as PEM files, read and written with care."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from doorsill.documents import recognise
from doorsill.documents.canonical import PrivateKey, require_p256
from doorsill.documents.reading import read_file
from doorsill.documents.strict_x509 import Unreadable, read_pem, read_pem_chain
from doorsill.errors import ConfigError, UntrustedError

KEY_NAME = "device.key"  # also the name of the copy that systemd gives to a service
CERTIFICATE_NAME = "device.crt"  # beside the key
CREDENTIALS = "CREDENTIALS_DIRECTORY"  # variable with the folder of systemd's copies
ENCRYPTED = b"ENCRYPTED"  # in every PEM file that has a passphrase
KEY_BYTES = 1 << 16  # read of a key file at most


def create_key(path: Path, passphrase: bytes = b"") -> PrivateKey:
    """Make a new P-256 key in the new file ``path``, mode 0600; never overwrites.

    With a ``passphrase`` the file is encrypted. Raises ConfigError if it exists.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    write_key(path, key, passphrase)
    return key


def write_key(path: Path, key: PrivateKey, passphrase: bytes = b"") -> None:
    """Write ``key`` to the new file ``path``, mode 0600; ConfigError if one is there.

    It does not follow a link.
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
            os.fchmod(handle, 0o600)  # independent of the umask
            file.write(pem)
            file.flush()
            os.fsync(handle)
    except FileExistsError:
        raise ConfigError(f"{path} exists; a key is never overwritten") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot make the key {path}: {why}") from None


def read_key(path: Path, ask: Callable[[], bytes] | None = None) -> PrivateKey:
    """A private P-256 key in PEM that only its owner can read.

    ``ask`` gives the passphrase of an encrypted key. Raises ConfigError if others can
    read the file, it is no private key, or it is encrypted and there is no ``ask``;
    UntrustedError for a key of another kind.
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
    """The first certificate in the PEM file ``path``; ConfigError if there is none."""
    data = read_file(path)
    try:
        return read_pem(data)
    except Unreadable:
        raise recognise.instead(path, data, recognise.CERTIFICATE) from None


def read_chain(path: Path) -> list[x509.Certificate]:
    """All certificates in the PEM file ``path``; in a chain the device's is first.

    Raises ConfigError if there is none.
    """
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
    return der_of(read_key(path).public_key())


def public_of_certificate(certificate: x509.Certificate) -> bytes:
    """The public key of ``certificate``, DER."""
    return der_of(certificate.public_key())


def der_of(public: Any) -> bytes:
    """A public key, DER."""
    der: bytes = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return der


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, 64 hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def read_private(
    path: Path, is_secret: Callable[[bytes], bool] = lambda _: True
) -> bytes:
    """The content of a secret file; ConfigError for a link or if others can read it.

    Content that is not ``is_secret`` is returned with any mode: then it is the wrong
    file, which the caller reports and ``chmod`` would not repair.
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
    """``error`` in words; any link is refused."""
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
