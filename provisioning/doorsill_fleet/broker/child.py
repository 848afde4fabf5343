"""mosquitto as a child: started, stopped, restarted, and made to read its lists again.

It is at work when it answers; what it says goes to ``log`` beside its configuration. It
ends with the process, and the thread, that started it: a broker that outlived a killed
`serve` would go on letting in whom nobody takes back any more.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from doorsill.errors import ConfigError, UplinkError

READY_WITHIN_S = 10.0  # limit for mosquitto to start
RUNNING = " running"  # in its log once it handles signals
RELOADING = "Reloading config"  # in its log once it reads its files again
STOP_WITHIN_S = 5.0  # limit for mosquitto to end
POLL_S = 0.02  # between two checks
LOG_MOST = 4 << 20  # bytes of its log; a longer one is set aside at the next start
LOOPBACK = "127.0.0.1"


@dataclass(slots=True)
class Child:
    """One mosquitto with ``folder/mosquitto.conf``, which listens on ``port``."""

    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id; 0 while it does not run."""
        return self._process.pid if self._process and self.alive else 0

    def start(self) -> None:
        """Start it and wait until it answers; UplinkError if it does not."""
        ends_with_us = [_program("setpriv", "util-linux"), "--pdeathsig", "TERM"]
        program = [_program("mosquitto"), "-c", str(self.folder / "mosquitto.conf")]
        command = [*ends_with_us, *program]
        self._set_log_aside()
        before = self._count_in_log(RUNNING)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while self._count_in_log(RUNNING) == before or not _answers(self.port):
            if not self.alive or time.monotonic() > deadline:
                self.stop()
                raise UplinkError(f"mosquitto does not start: {self.last_words()}")
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop it and wait until it has ended."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel
                self._process.wait(STOP_WITHIN_S)
        self._process = None

    def restart(self) -> None:
        """Stop and start, as after a power cut of its machine; sessions stay."""
        self.stop()
        self.start()

    def reload(self) -> None:
        """Have it read its access list again; it has done so when this returns."""
        if self._process is None:
            return
        before = self._count_in_log(RELOADING)
        self._process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + READY_WITHIN_S
        while self._count_in_log(RELOADING) == before:
            if not self.alive or time.monotonic() > deadline:
                raise UplinkError("mosquitto does not read its access list again")
            time.sleep(POLL_S)

    def send_signal(self, number: int) -> None:
        """For tests: SIGSTOP makes a broker that accepts and stalls."""
        if self._process is not None:
            self._process.send_signal(number)

    def last_words(self) -> str:
        """The end of mosquitto's log, one line."""
        with contextlib.suppress(OSError):
            text = (self.folder / "log").read_text(errors="replace")
            return " / ".join(text.splitlines()[-3:])
        return "no log"

    def _count_in_log(self, words: str) -> int:
        """How often ``words`` are in mosquitto's log."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "log").read_text(errors="replace").count(words)
        return 0

    def _set_log_aside(self) -> None:
        log = self.folder / "log"
        with contextlib.suppress(FileNotFoundError):
            if log.stat().st_size > LOG_MOST:
                log.replace(self.folder / "log.1")


def _program(name: str, package: str = "") -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        what = f"{name} is not installed; apt-get install {package or name}"
        raise ConfigError(what)
    return found


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0):
            return True
    except OSError:
        return False
