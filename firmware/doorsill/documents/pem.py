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

KEY_NAME = "device.key"  # also of the copy that systemd hands to a service
CERTIFICATE_NAME = "device.crt"


CREDENTIALS = "CREDENTIALS_DIRECTORY"  # where systemd puts such copies


ENCRYPTED = b"ENCRYPTED"  # stands in every PEM that wants a passphrase
KEY_BYTES = 1 << 16  # at most, of a key file


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
