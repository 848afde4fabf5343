"""Speaks with the fleet: HTTPS with TLS 1.3, to a server that the fleet's root knows.

The first contact asks for the root alone, sends nothing, and believes nothing but the
hash in the voucher. A clock that stands before this program was written cannot judge a
certificate; then only its end is looked at, against the time of the release.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from doorsill.documents.strict_x509 import Unreadable, read_der
from doorsill.documents.voucher import root_mark
from doorsill.errors import UntrustedError, UplinkError

EST = "/.well-known/est"
TIMEOUT_S = 15.0  # for each answer of the network
ANSWER_BYTES = 1 << 18  # of an answer
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL
SENTENCE = 300  # characters of the server's own words that are shown


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes = field(repr=False)
    retry_after_s: float | None = None

    @property
    def words(self) -> str:
        """The server's sentence, harmless on a terminal."""
        text = self.body[:SENTENCE].decode("ascii", "replace")
        return "".join(each if each.isprintable() else " " for each in text).strip()


@dataclass(frozen=True, slots=True)
class FleetServer:
    """Where it is, whom we trust (PEM), and what time it is at least (UTC s)."""

    host: str
    port: int
    authorities: str
    now: float
    floor: float

    @property
    def where(self) -> str:
        """For a message."""
        return f"{self.host}:{self.port}"

    def ask(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """POST. UplinkError: try again; UntrustedError: it is not the fleet's."""
        context = _context()
        context.load_verify_locations(cadata=self.authorities)
        if self.now < self.floor:
            context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
        return _exchange(self, context, "POST", path, body, headers)


def fetch_authorities(
    host: str, port: int, mark: str
) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """The root with the voucher's ``mark``, and all that the server sent beside it.

    UntrustedError if the root is not among them.
    """
    context = _context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # its answer is held to the voucher's hash
    server = FleetServer(host, port, "", 0.0, 0.0)
    answer = _exchange(server, context, "GET", f"{EST}/cacerts", b"", {})
    if answer.status != 200:
        raise UplinkError(f"{server.where} answers {answer.status} {answer.words}")
    found = read_certificates(answer.body)
    for each in found:
        if root_mark(each.public_bytes(Encoding.DER)) == mark:
            return each, found
    raise UntrustedError(
        f"{server.where} is not the fleet of this voucher: its root is another"
    )


def read_certificates(body: bytes) -> list[x509.Certificate]:
    """The certificates in an answer of EST; UntrustedError if it is none."""
    try:
        der = base64.b64decode(b"".join(body.split()), validate=True)
        found = pkcs7.load_der_pkcs7_certificates(der)
        return [read_der(each.public_bytes(Encoding.DER)) for each in found]
    except (ValueError, binascii.Error, UnsupportedAlgorithm, Unreadable, TypeError):
        raise UntrustedError("the server's answer holds no certificates") from None


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _exchange(
    server: FleetServer,
    context: ssl.SSLContext,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
) -> Answer:
    connection = http.client.HTTPSConnection(
        server.host, server.port, timeout=TIMEOUT_S, context=context
    )
    try:
        connection.connect()
        _require_not_ended(connection.sock, server)
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        data = answer.read(ANSWER_BYTES + 1)
        if len(data) <= ANSWER_BYTES and not _is_whole(answer):
            raise http.client.IncompleteRead(data)
    except ssl.SSLCertVerificationError as error:
        raise UntrustedError(
            f"the server at {server.where} is not this fleet's: {error.verify_message}"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if isinstance(error, http.client.IncompleteRead):
            why = "its answer was cut off in the middle"
        raise UplinkError(
            f"the fleet at {server.where} does not answer: {why}"
        ) from None
    finally:
        connection.close()
    if len(data) > ANSWER_BYTES:
        raise UntrustedError(f"{server.where} answers with over {ANSWER_BYTES} bytes")
    return Answer(answer.status, data, _seconds(answer.getheader("Retry-After")))


def _is_whole(answer: http.client.HTTPResponse) -> bool:
    """A line that was cut looks like an end, where no length says otherwise."""
    return answer.chunked or answer.length == 0


def _require_not_ended(sock: object, server: FleetServer) -> None:
    """Where OpenSSL did not look at times: the certificate must outlast the floor."""
    if not isinstance(sock, ssl.SSLSocket) or server.now >= server.floor:
        return
    der = sock.getpeercert(binary_form=True)
    try:
        ends = read_der(der or b"").not_valid_after_utc
    except Unreadable:
        raise UntrustedError(f"{server.where} has an unreadable certificate") from None
    if ends < datetime.fromtimestamp(server.floor, UTC):
        raise UntrustedError(
            f"the certificate of {server.where} expired on {ends:%Y-%m-%d}"
        )


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() else None
