"""Who this device is: a P-256 key made on the device, and its certificate.

The key never leaves the device and is never printed; the certificate comes back from
the fleet's CA for a request that the device signed. ``load`` refuses a key that others
can read, that is not P-256, or that is not the certificate's.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from doorsill.documents.canonical import PrivateKey
from doorsill.documents.fields import DEVICE_ID
from doorsill.documents.folders import make_folder
from doorsill.documents.pem import (
    CERTIFICATE_NAME,
    CREDENTIALS,
    KEY_NAME,
    create_key,
    read_certificate,
    read_key,
)
from doorsill.errors import ConfigError, UntrustedError

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


def create(directory: Path, name: str) -> bytes:
    """Make the device's key in ``directory``; gives the certificate request, PEM.

    ``name`` is <site>_<device>, or the device alone where there is one site. Raises
    ConfigError for another name, or where there is a key already.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"device id {name!r} does not match {DEVICE_ID.pattern}")
    make_folder(directory, 0o700)
    key = create_key(directory / KEY_NAME)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def load(directory: Path) -> Identity:
    """Key and certificate of ``directory``, checked against each other; as ``read``."""
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
    site, device = names_of(certificate)
    return Identity(device, certificate, key, site)


def key_at(path: Path) -> Path:
    """The device's key: systemd's copy for this service, or ``path`` itself.

    On a camera the file is root's alone, so a service can read only its copy.
    """
    folder = os.environ.get(CREDENTIALS)
    copy = Path(folder) / KEY_NAME if folder else None
    return copy if copy and copy.exists() else path


def names_of(certificate: x509.Certificate) -> tuple[str, str]:
    """Site and device that the certificate names; an old one names no site ("").

    Raises UntrustedError where it names no device.
    """
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if len(names) == 1 else ""
    found = NAME.fullmatch(name)
    if found is None:
        raise UntrustedError(f"the certificate names no device id: {name[:64]!r}")
    return found["site"] or "", found["device"]
