"""A real mosquitto that allows a device what it needs, and nothing else.

* TLS 1.3 with a client certificate, or no connection; no password, no anonymous.
* The common name of the certificate is the user name *and* the client id, so nobody
  takes over another device's session by claiming its id. It carries the site, so two
  shops may have a cam-01 on one broker.
* A device that was admitted may write its streams under its own name and its own Home
  Assistant description. It may read one topic: its own policy. A named reader may read
  everything and write nothing. The office writes policies, and nothing else. A
  certificate whose name is not listed gives no right.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from doorsill.documents import pem
from doorsill.wire.messages import POLICY, STREAMS, client, topic
from doorsill_fleet.broker.child import LOOPBACK, Child
from doorsill_fleet.ca.authority import Authority, reader_name, write_private

HOST = LOOPBACK  # where a broker for a trial listens
PORTS = range(10_000, 32_000)  # below those that the kernel gives to connections


def access_list(site: str, devices: Sequence[str], readers: Sequence[str]) -> str:
    """The access list: what each client may do, by the name in its certificate.

    It has no patterns, because they would apply to readers as well.
    """
    lines = []
    for device in devices:
        lines += [f"user {client(site, device)}"]
        lines += [f"topic write {topic(site, device, each)}" for each in STREAMS]
        lines += [f"topic write homeassistant/device/{client(site, device)}/config"]
        lines += [f"topic read {topic(site, device, POLICY)}", ""]
    for reader in readers:
        lines += [f"user {reader_name(reader)}", f"topic read doorsill/{site}/#"]
        described = (f"homeassistant/device/{client(site, each)}" for each in devices)
        lines += [*(f"topic read {each}/config" for each in described), ""]
    return "\n".join(lines)


def listener(folder: Path, port: int, host: str = "") -> list[str]:
    """The lines of mosquitto.conf that say who may connect, for files in ``folder``.

    ``host`` is the address to listen on; without it, every address of the machine.
    """
    return [
        f"listener {port} {host}".rstrip(),
        "protocol mqtt",
        "allow_anonymous false",
        f"cafile {folder / 'ca.pem'}",
        f"certfile {folder / 'broker.pem'}",
        f"keyfile {folder / 'broker.key'}",
        "tls_version tlsv1.3",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        f"acl_file {folder / 'access'}",
        "max_packet_size 32768",
        "max_queued_messages 200000",
        "max_inflight_messages 500",
        # A kill loses neither sessions nor messages (the default saves twice an hour).
        "autosave_interval 1",
        "autosave_on_changes true",
    ]


def configuration(folder: Path, port: int, host: str = HOST) -> str:
    """mosquitto.conf for a broker with its files in ``folder``; on loopback at first.

    ``host`` as for :func:`listener`.
    """
    lines = [
        *listener(folder, port, host),
        f"crlfile {folder / 'revoked.pem'}",
        "persistence true",
        f"persistence_location {folder}/",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_type information",  # it says when the access list was read again
    ]
    if os.geteuid() == 0:
        lines.append("user root")  # another user could not read the folder
    return "\n".join(lines) + "\n"


@dataclass(slots=True)
class Broker:
    """mosquitto as a child on a free loopback port; stopping it leaves nothing."""

    folder: Path
    authority: Authority
    site: str
    readers: Sequence[str] = ("store",)
    devices: Sequence[str] = ()
    port: int = 0
    _child: Child | None = field(default=None, repr=False)

    @property
    def process(self) -> int:
        """Its process id; 0 while it does not run."""
        return 0 if self._child is None else self._child.pid

    def prepare(self) -> None:
        """Write all files that mosquitto reads."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.port = self.port or free_port()
        now = datetime.now(UTC)
        self.authority.write_root(self.folder)
        server = self.authority.issue_server([HOST, "localhost"], now)
        server.write(self.folder, "broker")
        self._write_revoked(now)
        self._write_access()
        text = configuration(self.folder, self.port)
        (self.folder / "mosquitto.conf").write_text(text)

    @property
    def child(self) -> Child:
        """The process; not yet started where :meth:`start` was not called."""
        self._child = self._child or Child(self.folder, self.port)
        return self._child

    def start(self) -> None:
        """Start it and wait until it answers; UplinkError if it does not."""
        self.child.start()

    def stop(self) -> None:
        """Stop it and wait until it has ended."""
        self.child.stop()

    def restart(self) -> None:
        """Stop and start, as after a power cut of its machine; sessions stay."""
        self.child.restart()

    def send_signal(self, number: int) -> None:
        """For tests: SIGSTOP makes a broker that accepts and stalls."""
        self.child.send_signal(number)

    def admit(self, device: str) -> None:
        """Give ``device`` its rights; a running broker knows them when this returns."""
        if device in self.devices:
            return
        self.devices = (*self.devices, device)
        self._write_access()
        self.child.reload()

    def revoke(self, certificate: x509.Certificate) -> None:
        """Refuse ``certificate`` from now on, and end what it has open."""
        now = datetime.now(UTC)
        self.authority.revoke(certificate, now)
        self._write_revoked(now)
        self.restart()

    def last_words(self) -> str:
        """The end of mosquitto's log, one line."""
        return self.child.last_words()

    def _write_access(self) -> None:
        text = access_list(self.site, self.devices, self.readers)
        write_private(self.folder / "access", text.encode())

    def _write_revoked(self, now: datetime) -> None:
        revoked = self.authority.revocation_list(now)
        (self.folder / "revoked.pem").write_bytes(revoked)


@contextlib.contextmanager
def running_broker(broker: Broker) -> Iterator[Broker]:
    """``broker``, running; it is stopped when this is left."""
    broker.prepare()
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def free_port() -> int:
    """A TCP port on loopback that is free at this moment.

    The kernel gives none of these to a connection, which could have it before we do.
    """
    while True:
        port = PORTS.start + secrets.randbelow(len(PORTS))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


def client_context(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Mutual TLS 1.3 and nothing older, for a reader."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(ca)
    pem.read_key(key)  # raises if others may read it
    context.load_cert_chain(certificate, key)
    return context
