"""Mutual TLS 1.3 and nothing older: the broker's address and our certificate."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from select import select

from doorsill.device import identity
from doorsill.errors import ConfigError
from doorsill.uplink.causes import Files
from doorsill.uplink.inbound import Inbound, UnaskedError
from doorsill.wire.messages import POLICY, client, topic

READ_BYTES = 16_384  # read at once; a TLS record has no more
OBJECT_S = 1.0  # how long we wait for the broker to refuse our certificate


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is and who we are; three PEM files."""

    device: str
    host: str
    port: int
    ca: Path
    certificate: Path
    key: Path
    site: str = ""
    revoked: Path | None = None  # list of certificates that our CA revoked, PEM

    @property
    def client(self) -> str:
        """Our name at the broker: the one in the certificate."""
        return client(self.site, self.device) if self.site else self.device

    @property
    def policy_topic(self) -> str:
        """The one topic that we read; empty for what is no device of a site."""
        return topic(self.site, self.device, POLICY) if self.site else ""

    @property
    def where(self) -> str:
        """Host and port, for a message."""
        return f"{self.host}:{self.port}"

    @property
    def files(self) -> Files:
        """The files that a message about this connection may name."""
        return Files(self.where, self.ca, self.certificate, self.revoked)


class _GuardedSocket(ssl.SSLSocket):
    """Accepts only what we asked for, and closes itself if the handshake fails.

    paho would not close such a socket, and would read a packet of any length.
    """

    _inbound: Inbound

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Read at most READ_BYTES; raises UnaskedError, see ``inbound``."""
        data = super().recv(min(buflen, READ_BYTES), flags)
        if not hasattr(self, "_inbound"):
            self._inbound = Inbound(getattr(self.context, "topic", ""))
        return self._inbound.take(data, time.monotonic())

    def do_handshake(self, block: bool = False) -> None:
        try:
            self._begin(block)
            self._hear_objection()
        except OSError:
            self.close()
            raise

    def _begin(self, block: bool) -> None:
        try:
            super().do_handshake(block)
        except (BrokenPipeError, ConnectionResetError):  # it does not speak TLS
            raise ConnectionResetError("unexpected eof as TLS began") from None

    def _hear_objection(self) -> None:
        """Wait for the broker to accept or refuse our certificate.

        In TLS 1.3 a broker checks it after our handshake is over. If it refuses, it
        sends an alert and ends the connection; a client that has already sent data may
        not receive that alert. If it accepts, it sends a ticket.
        """
        if not select([self], [], [], OBJECT_S)[0]:
            return
        before = self.gettimeout()
        self.settimeout(0)
        try:
            early = super().recv(1)
        except ssl.SSLWantReadError:
            return  # the ticket
        finally:
            self.settimeout(before)
        if early:
            raise UnaskedError("the broker speaks first, unasked")
        raise ConnectionResetError("reset by peer")


class _GuardedContext(ssl.SSLContext):
    """Makes sockets to which only ``topic`` may be published."""

    topic = ""


def tls_context(address: Address) -> ssl.SSLContext:
    """Mutual TLS 1.3 and nothing older; ConfigError if a file is bad."""
    context = _GuardedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.topic = address.policy_topic
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.sslsocket_class = _GuardedSocket
    identity.read(address.key, address.certificate)  # its error names the bad file
    path = address.ca
    try:
        context.load_verify_locations(path)
        if address.revoked is not None:
            path = address.revoked
            context.load_verify_locations(path)
            context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
        path = address.certificate
        context.load_cert_chain(path, address.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"cannot use {path} for TLS: {_no_good(error)}") from None
    return context


def _no_good(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "it holds no certificate or list in PEM that can be read"
    return str(error.strerror or error)
