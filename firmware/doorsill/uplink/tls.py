"""Mutual TLS 1.3 and nothing older, and plain words for what goes wrong with it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from doorsill.device import identity
from doorsill.errors import ConfigError
from doorsill.uplink.inbound import LARGEST_BYTES, Inbound
from doorsill.uplink.wire import client


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
    revoked: Path | None = None  # certificates that our CA took back, PEM

    @property
    def client(self) -> str:
        """Our name at the broker: that in the certificate."""
        return client(self.site, self.device) if self.site else self.device

    @property
    def where(self) -> str:
        """Host and port, for a message."""
        return f"{self.host}:{self.port}"


class _GuardedSocket(ssl.SSLSocket):
    """Takes short answers alone, and closes itself where the handshake fails.

    paho forgets such a socket, and it would read a packet of any length.
    """

    _inbound: Inbound

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """At most LARGEST_BYTES; UnaskedError, see ``inbound``."""
        data = super().recv(min(buflen, LARGEST_BYTES), flags)
        if not hasattr(self, "_inbound"):
            self._inbound = Inbound()
        return self._inbound.take(data)

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def tls_context(address: Address) -> ssl.SSLContext:
    """Mutual TLS 1.3 and nothing older; ConfigError where a file is no good."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.sslsocket_class = _GuardedSocket
    identity.read(address.key, address.certificate)  # names the file that is no good
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
        raise ConfigError(f"cannot use {path} for TLS: {explain(error)}") from None
    return context


def explain(error: object, where: str = "the broker's address") -> str:
    """One short sentence for what the network or TLS said; ``where`` is host:port."""
    text = str(error)
    for sign, sentence in _SENTENCES.items():
        if sign in text.lower().replace("_", " "):
            return sentence.format(where=where)
    return text[:120]


_SENTENCES = {
    "unasked": "the broker sends what nobody asked for",
    "broker sends more than": "the broker sends what nobody asked for",
    "verify failed: certificate revoked": "the broker's certificate was taken back",
    "crl has expired": "the list of certificates that were taken back is too old",
    "unable to get certificate crl": "the list of certificates is not our CA's",
    "certificate revoked": "the broker says that our certificate is revoked",
    "unknown ca": "the broker does not know the CA of our certificate",
    "certificate expired": "the broker says that our certificate has expired",
    "certificate required": "the broker wants a client certificate",
    "self-signed": "the broker's certificate is not from our CA",
    "unable to get local issuer": "the broker's certificate is not from our CA",
    "hostname mismatch": "the broker's certificate is for another name than {where}",
    "ip address mismatch": "the broker's certificate is for another name than {where}",
    "certificate has expired": "the broker's certificate, or its CA, has expired",
    "not yet valid": "the broker's certificate is not valid yet; is our clock right?",
    "verify failed": "the broker's certificate is not good for its name and date",
    "refused": "nobody listens at {where}",
    "timed out": "{where} does not answer",
    "name or service not known": "there is no host of the name in {where}",
    "no address associated": "there is no host of the name in {where}",
    "temporary failure in name": "no name server answers for {where}",
    "unreachable": "there is no way to {where}",
    "protocol version": "the broker does not speak TLS 1.3",
}
