"""A wrong key, certificate or policy is called what it is, with what mends it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from limits import PROGRAM_S

from doorsill.documents import canonical
from doorsill.documents.pem import read_certificate, read_chain, read_key
from doorsill.documents.reading import parse_toml
from doorsill.documents.recognise import what_is
from doorsill.errors import ConfigError, DoorsillError, UntrustedError
from doorsill.policy.store import read_public_key

# One folder of files as openssl and ssh-keygen write them, all of one P-256 key.
MAKE = """
set -e; umask 077
openssl ecparam -name prime256v1 -genkey -out with-parameters.key
openssl pkey -in with-parameters.key -out plain.key
openssl pkey -in plain.key -aes256 -passout pass:eight888 -out encrypted.key
openssl ec -in plain.key -aes256 -passout pass:eight888 -out old-encrypted.key
openssl pkey -in plain.key -outform DER -out key.der
openssl pkey -in plain.key -pubout -out plain.key.pub
openssl pkey -in plain.key -pubout -outform DER -out pub.der
openssl req -new -key plain.key -subj /CN=cam-01 -out request.csr
openssl req -new -x509 -key plain.key -subj /CN=cam-01 -days 9 -out certificate.pem
openssl x509 -in certificate.pem -outform DER -out certificate.der
openssl pkcs12 -export -inkey plain.key -in certificate.pem -passout pass: -out all.p12
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key
openssl pkey -in rsa.key -pubout -out rsa.key.pub
openssl ecparam -name secp384r1 -genkey -noout -out p384.key
openssl genpkey -algorithm ed25519 -out ed25519.key
cp plain.key ssh.key; ssh-keygen -q -p -N '' -f ssh.key >ssh-keygen.log
ssh-keygen -y -f ssh.key >ssh.key.pub
: >empty; head -c 99 /dev/zero >zeros; printf '\\377\\376[\\0' >utf-16.toml
printf '{"signature":"x"}' >policy.json; printf 'k = 10\\n' >draft.toml
head -c 120 certificate.pem >half.pem
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    subprocess.run(
        ["bash", "-c", MAKE],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=PROGRAM_S,
    )
    return folder


def test_each_of_them_is_taken_where_it_is_wanted(files: Path) -> None:
    """The control: what the messages below ask for is right."""
    key = read_key(files / "plain.key")
    assert read_key(files / "with-parameters.key").public_key() == key.public_key()
    assert read_public_key(files / "plain.key.pub") == key.public_key()
    assert read_certificate(files / "certificate.pem").public_key() == key.public_key()
    ask = lambda: b"eight888"  # noqa: E731
    for name in ("encrypted.key", "old-encrypted.key"):
        assert read_key(files / name, ask).public_key() == key.public_key()


PRIVATE_WANTED = [
    pytest.param("encrypted.key", "is encrypted; the device's key has", id="encrypted"),
    pytest.param("old-encrypted.key", "is encrypted; the device's", id="old encrypted"),
    pytest.param("plain.key.pub", "is a public key; give the private", id="public"),
    pytest.param("certificate.pem", "is a certificate, not", id="certificate"),
    pytest.param("request.csr", "is a certificate request, not", id="request"),
    pytest.param("key.der", "is a private key in DER, not", id="DER"),
    pytest.param("certificate.der", "is a certificate in DER, not", id="DER, too"),
    pytest.param("all.p12", "is a PKCS#12 file, not", id="PKCS#12"),
    pytest.param("ssh.key", "is a private key of OpenSSH", id="OpenSSH"),
    pytest.param("ssh.key.pub", "is a public key of OpenSSH", id="OpenSSH public"),
    pytest.param("rsa.key", "is not a P-256 key, but RSA", id="RSA"),
    pytest.param("p384.key", "is not a P-256 key, but secp384r1", id="P-384"),
    pytest.param("ed25519.key", "is not a P-256 key, but Ed25519", id="Ed25519"),
    pytest.param("empty", "is empty, not", id="empty"),
    pytest.param("zeros", "is a binary file, not", id="zeros"),
    pytest.param("draft.toml", "is a text file, not", id="TOML"),
    pytest.param("policy.json", "is JSON, such as a signed policy", id="JSON"),
]
PUBLIC_WANTED = [
    pytest.param("plain.key", "is a private key, not a public key", id="private"),
    pytest.param("encrypted.key", "is a private key with a passphrase", id="encrypted"),
    pytest.param("certificate.pem", "is a certificate, not a public", id="certificate"),
    pytest.param("pub.der", "is a public key in DER, not", id="DER"),
    pytest.param("ssh.key.pub", "is a public key of OpenSSH", id="OpenSSH"),
    pytest.param("rsa.key.pub", "is not a P-256 key, but RSA", id="RSA"),
    pytest.param("empty", "is empty, not", id="empty"),
    pytest.param("utf-16.toml", "is text in UTF-16, not", id="UTF-16"),
]
CERTIFICATE_WANTED = [
    pytest.param("plain.key", "is a private key, not a certificate", id="private"),
    pytest.param("plain.key.pub", "is a public key, not a certificate", id="public"),
    pytest.param("request.csr", "have the CA sign it", id="request"),
    pytest.param("certificate.der", "is a certificate in DER, not", id="DER"),
    pytest.param("all.p12", "is a PKCS#12 file, not", id="PKCS#12"),
    pytest.param("half.pem", "is a damaged certificate, not", id="damaged"),
    pytest.param("empty", "is empty, not", id="empty"),
]


def refusal(read: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(DoorsillError) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "chmod" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("name", "says"), PRIVATE_WANTED)
def test_no_private_key(name: str, says: str, files: Path) -> None:
    assert says in refusal(read_key, files / name)


@pytest.mark.parametrize(("name", "says"), PUBLIC_WANTED)
def test_no_public_key(name: str, says: str, files: Path) -> None:
    assert says in refusal(read_public_key, files / name)


@pytest.mark.parametrize("read", [read_certificate, read_chain])
@pytest.mark.parametrize(("name", "says"), CERTIFICATE_WANTED)
def test_no_certificate(
    read: Callable[[Path], object], name: str, says: str, files: Path
) -> None:
    assert says in refusal(read, files / name)


@pytest.mark.parametrize("name", ["plain.key.pub", "certificate.pem", "draft.toml"])
def test_nobody_is_asked_to_hide_what_is_public(name: str, files: Path) -> None:
    (files / name).chmod(0o644)
    refusal(read_key, files / name)


def test_a_private_key_that_others_can_read_is_one(files: Path) -> None:  # control
    (files / "key.der").chmod(0o644)
    with pytest.raises(ConfigError, match=r"the limit is 0600: chmod 600 .*key\.der"):
        read_key(files / "key.der")
    (files / "key.der").chmod(0o600)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        pytest.param("encrypted.key", read_key, id="encrypted, private wanted"),
        pytest.param("old-encrypted.key", read_key, id="as OpenSSL once encrypted"),
        pytest.param("key.der", read_key, id="DER, private wanted"),
        pytest.param("all.p12", read_key, id="PKCS#12, private wanted"),
        pytest.param("plain.key", read_public_key, id="private, public wanted"),
        pytest.param("pub.der", read_public_key, id="DER, public wanted"),
        pytest.param("certificate.pem", read_public_key, id="certificate, key wanted"),
        pytest.param("ssh.key.pub", read_public_key, id="OpenSSH, public wanted"),
        pytest.param("certificate.der", read_certificate, id="DER, certificate wanted"),
        pytest.param("all.p12", read_certificate, id="PKCS#12, certificate wanted"),
    ],
)
def test_the_command_that_is_named_mends_it(
    name: str, read: Callable[[Path], object], files: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "it's here" / name
    wrong.parent.mkdir()
    wrong.write_bytes((files / name).read_bytes())
    wrong.chmod(0o600)
    command = refusal(read, wrong).split("; ", 1)[1]
    command = command.removeprefix("the device's key has no passphrase, its mode 0600 ")
    command = command.removeprefix("protects it; ")
    given = command.replace("NEW", "new").replace(" -out new", " -out new " + PASS)
    if name not in ("encrypted.key", "old-encrypted.key", "all.p12"):
        given = given.replace(PASS, "")
    if name == "all.p12":
        given = given.replace("eight888", "")
    subprocess.run(
        ["bash", "-c", given],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=PROGRAM_S,
    )
    made = tmp_path / "new"
    read(made if made.exists() else wrong.with_name(name + ".pub"))


PASS = "-passin pass:eight888"  # noqa: S105 - instead of a person who types it


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b'{"a":1}\n', "truncate -s 7 FILE", id="a line end more"),
        pytest.param(b'{"a":1}\r\n\r\n', "(4 of line end or blank)", id="Windows ends"),
        pytest.param(b'{"a": 1}', "wrote it another way", id="a blank inside"),
        pytest.param(b'{"b":1,"a":1}', "order of keys", id="another order"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', "a byte order mark", id="Notepad"),
    ],
)
def test_a_signed_document_that_an_editor_touched(data: bytes, says: str) -> None:
    with pytest.raises(UntrustedError) as caught:
        canonical.decode(data)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xef\xbb\xbf[a]\nb = 1\n", id="a byte order mark"),
        pytest.param(b"[a]\r\nb = 1\r\n", id="line ends of Windows"),
        pytest.param(b"\xef\xbb\xbf[a]\r\nb = 1\r\n", id="both"),
    ],
)
def test_toml_of_windows_notepad_is_taken(data: bytes) -> None:
    assert parse_toml(data) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param("[a]".encode("utf-16"), "in UTF-16; save it as", id="UTF-16"),
        pytest.param(b"\xfe\xff\0[", "is text in UTF-16", id="the other UTF-16"),
        pytest.param(
            'a = 1\nb = "Praça"\n'.encode("latin-1"),
            "is not text in UTF-8 (byte 0xe7 in line 2); save it as UTF-8",
            id="Latin-1",
        ),
    ],
)
def test_toml_in_another_encoding_is_named(data: bytes, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_toml(data)
    assert says in str(caught.value)


def test_nothing_known_is_a_text_or_a_binary_file() -> None:
    assert what_is(b"hello") == "a text file"
    assert what_is(b"\x30\x03abc") == "a binary file"
    assert what_is(b"-----BEGIN PGP MESSAGE-----").endswith("(pgp message)")
