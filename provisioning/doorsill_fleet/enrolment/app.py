"""EST over HTTPS (RFC 7030): cacerts, simpleenroll, simplereenroll; and our start.

    GET  /.well-known/est/cacerts           root and issuing CA, to anybody
    POST /.well-known/est/simpleenroll      a request; the voucher by HTTP Basic
    POST /.well-known/est/simplereenroll    a request, signed with the old key as well
    POST /doorsill/start                    signed: broker, charter and policy
    GET  /doorsill/revoked                  the CA's list, to anybody: for brokers

An answer that is no certificate is one plain sentence for the person at the camera.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from doorsill.errors import ConfigError, DoorsillError, UntrustedError, UplinkError
from doorsill_fleet.broker.follow import PATH as REVOKED
from doorsill_fleet.enrolment.limits import BODY_BYTES, BODY_S, Refusals, origin
from doorsill_fleet.enrolment.service import Enrolment

log = logging.getLogger(__name__)

EST = "/.well-known/est"
REQUEST_TYPE = "application/pkcs10"  # RFC 7030 section 4.2.1
APPROVAL_S = 10  # between two questions of a camera that waits for a person
CREDENTIALS_BYTES = 256  # of HTTP Basic, decoded
STATUS: dict[type[DoorsillError], int] = {
    ConfigError: 400,
    UntrustedError: 403,
    UplinkError: 503,
}
Work = Callable[[Request, bytes], Response]


@dataclass(slots=True)
class Desk:
    """Answers requests; to any of them the answer is a sentence or a document."""

    enrolment: Enrolment
    refusals: Refusals = field(default_factory=Refusals)

    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route(f"{EST}/cacerts", self._guard(self._cacerts), methods=["GET"]),
                _post(f"{EST}/simpleenroll", self._guard(self._enrol)),
                _post(f"{EST}/simplereenroll", self._guard(self._renew)),
                _post("/doorsill/start", self._guard(self._start)),
                Route(REVOKED, self._guard(self._revoked), methods=["GET"]),
            ]
        )

    def _cacerts(self, request: Request, body: bytes) -> Response:
        del request, body
        return _certificates([self.enrolment.chain.issuing, self.enrolment.chain.root])

    def _enrol(self, request: Request, body: bytes) -> Response:
        _require_type(request)
        serial, secret = _basic(request.headers.get("authorization", ""))
        made = self.enrolment.enrol(serial, secret, body, datetime.now(UTC))
        if made is None:
            log.info("%s waits for: doorsill-fleet device approve %s", serial, serial)
            words = "a person has to approve this camera first"
            return PlainTextResponse(words, 202, {"Retry-After": str(APPROVAL_S)})
        log.info("%s has a certificate", serial)
        return _certificates([made])

    def _renew(self, request: Request, body: bytes) -> Response:
        _require_type(request)
        of, proved = _proof(request)
        made = self.enrolment.renew(of, proved, body, datetime.now(UTC))
        return _certificates([made])

    def _start(self, request: Request, body: bytes) -> Response:
        of, proved = _proof(request)
        found = self.enrolment.start(of, proved, body, datetime.now(UTC))
        return Response(found, media_type="application/json")

    def _revoked(self, request: Request, body: bytes) -> Response:
        del request, body
        found = (self.enrolment.chain.broker / "revoked.pem").read_bytes()
        return Response(found, media_type="application/x-pem-file")

    def _guard(self, work: Work) -> Callable[[Request], Awaitable[Response]]:
        """``work`` within the bounds; its errors become a status and a sentence."""

        async def answer(request: Request) -> Response:
            address = origin(request.client.host) if request.client else ""
            wait = self.refusals.wait_s(address, time.monotonic())
            if wait:
                words = f"too many refusals; ask again in {math.ceil(wait)} s"
                after = {"Retry-After": str(math.ceil(wait))}
                return PlainTextResponse(words, 429, after)
            try:
                body = await _body(request)
                return await run_in_threadpool(work, request, body)
            except DoorsillError as error:
                if not isinstance(error, UplinkError):
                    self.refusals.note(address, time.monotonic())
                log.warning("refused %s: %s", address, error)
                return PlainTextResponse(str(error), _status(error))
            except OSError as error:  # a file of ours: gone, unreadable, no handle left
                log.error("cannot answer %s: %s", address, error)
                words = "the fleet cannot read its own files; ask again later"
                return PlainTextResponse(words, 503)
            except ClientDisconnect:
                return PlainTextResponse("gone", 400)

        return answer


class _Unsaid(UntrustedError):
    """No voucher, or none that can be read: HTTP's 401."""


class _OtherType(ConfigError):
    """A body that says it is something else: HTTP's 415."""


def _status(error: DoorsillError) -> int:
    if isinstance(error, _Unsaid):
        return 401
    if isinstance(error, _OtherType):
        return 415
    return next(code for kind, code in STATUS.items() if isinstance(error, kind))


def _post(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    return Route(path, endpoint, methods=["POST"])


async def _body(request: Request) -> bytes:
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for each in request.stream():
                data += each
                if len(data) > BODY_BYTES:
                    raise ConfigError(f"the request has over {BODY_BYTES} bytes")
    except TimeoutError:
        raise ConfigError(f"the request did not arrive within {BODY_S:g} s") from None
    return bytes(data)


def _require_type(request: Request) -> None:
    """Nothing if the body is called a certificate request, or nothing at all."""
    said = request.headers.get("content-type", REQUEST_TYPE)
    if said.partition(";")[0].strip().lower() != REQUEST_TYPE:
        raise _OtherType(f"Content-Type is {said[:40]!r} and must be {REQUEST_TYPE}")


def _basic(header: str) -> tuple[str, str]:
    """Serial number and secret of HTTP Basic (RFC 7617)."""
    kind, _, value = header.partition(" ")
    try:
        if kind.lower() != "basic" or len(value) > 2 * CREDENTIALS_BYTES:
            raise ValueError
        serial, joined, secret = (
            base64.b64decode(value.encode("ascii"), validate=True)
            .decode("ascii")
            .partition(":")
        )
        if not joined:
            raise ValueError
    except (ValueError, binascii.Error):
        raise _Unsaid("a voucher is wanted, as HTTP Basic: serial and secret") from None
    return serial, secret


def _proof(request: Request) -> tuple[str, str]:
    """The certificate's fingerprint and the signature in our two headers."""
    of = request.headers.get("doorsill-certificate", "")
    proved = request.headers.get("doorsill-proof", "")
    if not of or not proved:
        raise _Unsaid("Doorsill-Certificate and Doorsill-Proof are wanted")
    return of[:64], proved[:200]


def _certificates(found: list[x509.Certificate]) -> Response:
    """Certificates alone, as PKCS#7 in base64 (RFC 7030 section 4.1.3)."""
    der = pkcs7.serialize_certificates(found, Encoding.DER)
    return Response(
        base64.encodebytes(der),
        media_type="application/pkcs7-mime; smime-type=certs-only",
        headers={"Content-Transfer-Encoding": "base64"},
    )
