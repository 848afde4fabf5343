"""What a supervisor hears: real datagrams, of a process unconfined and confined."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from doorsill.errors import ConfigError
from doorsill.process.supervisor import ADDRESS, ALIVE_EVERY_S, Supervisor


class Systemd:
    """The listening end, as process 1 has it."""

    def __init__(self, address: str) -> None:
        self.environment = {ADDRESS: address}
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address[0] == "@" else address)
        self.socket.settimeout(10)

    def heard(self) -> str:
        return self.socket.recv(4096).decode()

    def nothing_more(self) -> bool:
        self.socket.setblocking(False)
        try:
            return not self.socket.recv(4096)
        except BlockingIOError:
            return True


@pytest.fixture(params=["in the file system", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    abstract = request.param == "abstract"
    found = Systemd(f"@doorsill-{os.getpid()}" if abstract else str(tmp_path / "n"))
    with found.socket:
        yield found


def test_it_says_ready_alive_and_stopping_in_words_of_sd_notify(
    systemd: Systemd,
) -> None:
    ours = Supervisor(systemd.environment)
    ours.ready("counting")
    assert systemd.heard() == "READY=1\nSTATUS=counting"
    ours.alive(100.0)
    assert systemd.heard() == "WATCHDOG=1"
    ours.stopping()
    assert systemd.heard() == "STOPPING=1"
    ours.close()
    ours.alive(200.0)
    assert systemd.nothing_more()


def test_a_loop_of_a_hundred_turns_a_second_says_so_once_a_second(
    systemd: Systemd,
) -> None:
    ours = Supervisor(systemd.environment)
    for turn in range(250):
        ours.alive(50.0 + turn / 100)
    heard = [systemd.heard() for _ in range(3)]  # at 0.0, 1.0 and 2.0 s
    assert heard == ["WATCHDOG=1"] * 3 and systemd.nothing_more()
    assert ALIVE_EVERY_S == 1.0
    ours.close()


def test_without_a_supervisor_nothing_is_said_and_nothing_fails() -> None:
    ours = Supervisor({})
    ours.ready("counting")
    ours.alive(0.0)
    ours.stopping()
    ours.close()


def test_a_supervisor_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"NOTIFY_SOCKET = \S+gone cannot be reached"):
        Supervisor({ADDRESS: str(tmp_path / "gone")})


def test_a_supervisor_that_never_reads_or_leaves_does_not_stop_the_work(
    tmp_path: Path,
) -> None:
    systemd = Systemd(str(tmp_path / "n"))
    ours = Supervisor(systemd.environment)
    for turn in range(10_000):  # more than any queue of the kernel holds
        ours.alive(turn * 2.0)
    systemd.socket.close()
    ours.alive(1e6)
    ours.close()


CONFINED = """\
import sys
from doorsill.process.confine import Confinement, confine
from doorsill.process.supervisor import Supervisor
import os
ours = Supervisor(os.environ)
confine(Confinement("vision"))
ours.ready("confined")
ours.alive(1.0)
try:
    Supervisor(os.environ)
except OSError as error:
    sys.exit(f"no second one: {error.strerror}")
"""


def test_a_confined_process_is_heard_and_cannot_connect_again(tmp_path: Path) -> None:
    systemd = Systemd(str(tmp_path / "n"))
    with systemd.socket:
        done = subprocess.run(
            [sys.executable, "-c", CONFINED],
            env={**os.environ, **systemd.environment, "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr.strip() == "no second one: Operation not permitted"
        assert systemd.heard() == "READY=1\nSTATUS=confined"
        assert systemd.heard() == "WATCHDOG=1"
