"""What a wrong file is, and the command that makes the right one of it.

A wrong file is nearly always the right thing in another form, or its neighbour in the
same folder: the public key, a certificate, a key with a passphrase, DER in place of
PEM.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from doorsill.documents.reading import UTF_16
from doorsill.errors import ConfigError, UntrustedError

PRIVATE, PUBLIC, CERTIFICATE = "private key", "public key", "certificate"
PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
PKCS12 = bytes.fromhex("06092a864886f70d0107")  # object id of its content
DER_BEGINS = b"\x30"
# What each label of a PEM file means.
NAMED = {
    b"ENCRYPTED PRIVATE KEY": "a private key with a passphrase",
    b"OPENSSH PRIVATE KEY": "a private key of OpenSSH",
    b"RSA PRIVATE KEY": "an RSA private key",
    b"PRIVATE KEY": "a private key",
    b"EC PRIVATE KEY": "a private key",
    b"PUBLIC KEY": "a public key",
    b"RSA PUBLIC KEY": "an RSA public key",
    b"CERTIFICATE": "a certificate",
    b"CERTIFICATE REQUEST": "a certificate request",
    b"NEW CERTIFICATE REQUEST": "a certificate request",
    b"X509 CRL": "a revocation list",
    b"EC PARAMETERS": "a private key",
}
# For what a file is and what was wanted: the command to type; {0} is the file.
MEND = {
    ("a private key", PUBLIC): "openssl pkey -in {0} -pubout -out {0}.pub",
    ("a private key with a passphrase", PUBLIC): (
        "openssl pkey -in {0} -pubout -out {0}.pub"
    ),
    ("a private key with a passphrase", PRIVATE): (
        "(umask 077; openssl pkey -in {0} -out NEW)"
    ),
    ("a private key of OpenSSH", PRIVATE): (
        "ssh-keygen -p -N '' -m pkcs8 -f {0}, on a copy of it"
    ),
    ("a public key of OpenSSH", PUBLIC): "ssh-keygen -e -m pkcs8 -f {0} > NEW",
    ("a certificate", PUBLIC): "openssl x509 -in {0} -noout -pubkey -out {0}.pub",
    ("a certificate request", CERTIFICATE): "have the CA sign it",
    ("a private key in DER", PRIVATE): (
        "(umask 077; openssl pkey -inform DER -in {0} -out NEW)"
    ),
    ("a public key in DER", PUBLIC): "openssl pkey -pubin -inform DER -in {0} -out NEW",
    ("a certificate in DER", CERTIFICATE): "openssl x509 -inform DER -in {0} -out NEW",
    ("a PKCS#12 file", PRIVATE): (
        "(umask 077; openssl pkcs12 -in {0} -nocerts -nodes -out NEW)"
    ),
    ("a PKCS#12 file", CERTIFICATE): "openssl pkcs12 -in {0} -nokeys -out NEW",
}


def instead(path: Path, data: bytes, wanted: str) -> ConfigError:
    """An error that says what ``data`` of ``path`` is, and what to type."""
    what = what_is(data)
    if what.removeprefix("a ") == wanted:
        what = f"a damaged {wanted}"
    command = MEND.get((what, wanted))
    says = f"{path} is {what}, not a {wanted} in PEM"
    if what == "a private key with a passphrase" and wanted == PRIVATE:
        says = (
            f"{path} is encrypted; the device's key has no passphrase, its mode 0600 "
            "protects it"
        )
    elif what == "a public key" and wanted == PRIVATE:
        says = f"{path} is a public key; give the private one"
        if path.suffix == ".pub":
            says += f", such as {path.with_suffix('')}"
    return ConfigError(
        f"{says}; {command.format(quote(str(path)))}" if command else says
    )


def what_is(data: bytes) -> str:
    """``data`` in words, with its article."""
    if not data.strip():
        return "empty"
    found = PEM.search(data)
    if found is not None:
        if b"Proc-Type: 4,ENCRYPTED" in data:
            return NAMED[b"ENCRYPTED PRIVATE KEY"]
        return NAMED.get(found[1], f"PEM of another kind ({found[1].decode().lower()})")
    if re.match(rb"(ssh|ecdsa)-[a-z0-9-]+ ", data):
        return "a public key of OpenSSH"
    if data.startswith(DER_BEGINS):
        return _der(data)
    return _text(data)


def is_secret(data: bytes) -> bool:
    """Whether ``data`` is or may be a private key, so that its mode matters."""
    what = what_is(data)
    return "private" in what or what in ("a PKCS#12 file", "a binary file", "empty")


def _private(data: bytes) -> Any:
    return serialization.load_der_private_key(data, None)


DER: tuple[tuple[Callable[[bytes], Any], str], ...] = (
    (_private, "a private key in DER"),
    (serialization.load_der_public_key, "a public key in DER"),
    (x509.load_der_x509_certificate, "a certificate in DER"),
    (x509.load_der_x509_csr, "a certificate request in DER"),
    (x509.load_der_x509_crl, "a revocation list in DER"),
)


def _der(data: bytes) -> str:
    if PKCS12 in data[:64]:
        return "a PKCS#12 file"
    for read, what in DER:
        try:
            read(data)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        return what
    return "a binary file"


def _text(data: bytes) -> str:
    if data.startswith(UTF_16):
        return "text in UTF-16"
    if b"\0" in data:
        return "a binary file"
    if data.lstrip().startswith(b"{"):
        return "JSON, such as a signed policy"
    return "a text file"


def of_another_kind(path: Path, key: object) -> UntrustedError:
    """An error that says which kind of key it is, and how a P-256 one is made."""
    name = (
        type(key)
        .__name__.lstrip("_")
        .removesuffix("PrivateKey")
        .removesuffix("PublicKey")
    )
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        name = key.curve.name
    return UntrustedError(
        f"{path} is not a P-256 key, but {name}; make one: (umask 077; openssl genpkey "
        "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out NEW)"
    )
