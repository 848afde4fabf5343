"""A real mosquitto that allows a device what it needs, and nothing else.

* TLS 1.3 with a client certificate, or no connection; no password, no anonymous.
* The common name of the certificate is the user name *and* the client id, so nobody
  takes over another device's session by claiming its id. It carries the site, so two
  shops may have a cam-01 on one broker.
* A device that was admitted may write the five streams under its own name and its own
  Home Assistant description. It may read nothing. A named reader may read everything
  and write nothing. A certificate whose name is not listed gives no right.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from doorsill.documents import pem
from doorsill.errors import ConfigError, UplinkError
from doorsill.wire.messages import STREAMS, client, topic
from doorsill_fleet.ca.authority import Authority, reader_name, write_private

READY_WITHIN_S = 10.0  # limit for mosquitto to start
RUNNING = " running"  # in its log once it handles signals
RELOADING = "Reloading config"  # in its log once it reads its files again
STOP_WITHIN_S = 5.0  # limit for mosquitto to end
POLL_S = 0.02  # between two checks
HOST = "127.0.0.1"  # loopback


def access_list(site: str, devices: Sequence[str], readers: Sequence[str]) -> str:
    """The access list: what each client may do, by the name in its certificate.

    It has no patterns, because they would apply to readers as well.
    """
    lines = []
    for device in devices:
        lines += [f"user {client(site, device)}"]
        lines += [f"topic write {topic(site, device, each)}" for each in STREAMS]
        lines += [f"topic write homeassistant/device/{client(site, device)}/config", ""]
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
    ]


def configuration(folder: Path, port: int) -> str:
    """mosquitto.conf for a broker on loopback with its files in ``folder``."""
    lines = [
        *listener(folder, port, HOST),
        f"crlfile {folder / 'revoked.pem'}",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 1",
        "autosave_on_changes true",
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
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

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

    def start(self) -> None:
        """Start it and wait until it answers; UplinkError if it does not."""
        command = [_program(), "-c", str(self.folder / "mosquitto.conf")]
        before = self._count_in_log(RUNNING)
        with (self.folder / "log").open("ab") as log:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while self._count_in_log(RUNNING) == before or not _answers(self.port):
            if self._child.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise UplinkError(f"mosquitto does not start: {self.last_words()}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop it and wait until it has ended."""
        if self._child is None:
            return
        self._child.terminate()
        try:
            self._child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel
                self._child.wait(STOP_WITHIN_S)
        self._child = None

    def restart(self) -> None:
        """Stop and start, as after a power cut of its machine; sessions stay."""
        self.stop()
        self.start()

    def send_signal(self, number: int) -> None:
        """For tests: SIGSTOP makes a broker that accepts and stalls."""
        if self._child is not None:
            self._child.send_signal(number)

    def admit(self, device: str) -> None:
        """Give ``device`` its rights; a running broker knows them when this returns."""
        if device in self.devices:
            return
        self.devices = (*self.devices, device)
        self._write_access()
        if self._child is None:
            return
        before = self._count_in_log(RELOADING)
        self._child.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + READY_WITHIN_S
        while self._count_in_log(RELOADING) == before:
            if time.monotonic() > deadline:
                raise UplinkError("mosquitto does not read its access list again")
            time.sleep(POLL_S)

    def revoke(self, certificate: x509.Certificate) -> None:
        """Refuse ``certificate`` from now on; mosquitto reads the list at its start."""
        now = datetime.now(UTC)
        self.authority.revoke(certificate, now)
        self._write_revoked(now)
        self.restart()

    def last_words(self) -> str:
        """The end of mosquitto's log, one line."""
        with contextlib.suppress(OSError):
            text = (self.folder / "log").read_text(errors="replace")
            return " / ".join(text.splitlines()[-3:])
        return "no log"

    def _write_access(self) -> None:
        text = access_list(self.site, self.devices, self.readers)
        write_private(self.folder / "access", text.encode())

    def _count_in_log(self, words: str) -> int:
        """How often ``words`` are in mosquitto's log."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "log").read_text(errors="replace").count(words)
        return 0

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
    """A TCP port on loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def client_context(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """Mutual TLS 1.3 and nothing older, for a reader."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(ca)
    pem.read_key(key)  # raises if others may read it
    context.load_cert_chain(certificate, key)
    return context


def _program() -> str:
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if found is None:
        raise ConfigError("mosquitto is not installed; apt-get install mosquitto")
    return found


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=1.0):
            return True
    except OSError:
        return False
