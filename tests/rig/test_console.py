"""A console is waited on with a bound; the same words on a port and on a socket."""

from __future__ import annotations

import contextlib
import os
import pty
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from select import select

import pytest
from limits import END_S, wait_until

from .console import MOST_PACE, Console
from .errors import BenchError
from .lines import Line, SocketLine, TtyLine

LOOK_S = 0.02


def _shell_at(handle: int) -> subprocess.Popen[bytes]:
    """A shell with a prompt, as a console's login gives it."""
    return subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=handle,
        stdout=handle,
        stderr=handle,
        start_new_session=True,
        env={"PS1": "root@virt:~# ", "PATH": os.environ["PATH"], "TERM": "dumb"},
    )


def _pump(one: int, other: int, ended: threading.Event) -> None:
    """Bytes both ways between two handles, as a cable carries them."""
    while not ended.is_set():
        for source in select([one, other], [], [], LOOK_S)[0]:
            try:
                data = os.read(source, 4096)
            except OSError:
                return
            if not data:
                return
            os.write(other if source == one else one, data)


@pytest.fixture(params=["serial port", "socket of QEMU"])
def line(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Line]:
    """A machine whose shell is at the other end."""
    master, slave = pty.openpty()
    with contextlib.ExitStack() as closing:
        if request.param == "serial port":
            far, near = pty.openpty()
            found: Line = TtyLine(Path(os.ttyname(near)), 115200)
            for each in (far, near):
                closing.callback(os.close, each)
        else:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(tmp_path / "s"))
                server.listen()
                server.settimeout(END_S)
                found = SocketLine(tmp_path / "s")
                taken = closing.enter_context(server.accept()[0])
            far = taken.fileno()
        shell, ended = _shell_at(slave), threading.Event()
        pump = threading.Thread(target=_pump, args=(master, far, ended), daemon=True)
        pump.start()
        yield found
        found.close()
        shell.kill()
        shell.wait(END_S)
        ended.set()
        pump.join(END_S)
    for handle in (slave, master):
        os.close(handle)


@pytest.fixture
def console(line: Line, tmp_path: Path) -> Iterator[Console]:
    made = Console(line, tmp_path / "log")
    made.login(20)
    yield made
    made.close()
    line.close = lambda: None  # it is closed


def test_a_command_gives_what_it_printed_and_its_status(console: Console) -> None:
    assert console.run("echo one; echo two >&2; (exit 3)") == ("one\ntwo", 3)
    assert console.run("true") == ("", 0)
    assert console.must("printf 'a:b'") == "a:b"
    with pytest.raises(BenchError, match="false ended with 1"):
        console.must("false")


def test_a_file_arrives_byte_for_byte(console: Console, tmp_path: Path) -> None:
    data = bytes(range(256)) * 30
    console.write_file(str(tmp_path / "a file"), data, "600")
    assert (tmp_path / "a file").read_bytes() == data
    assert (tmp_path / "a file").stat().st_mode & 0o777 == 0o600


def test_what_does_not_come_is_said_with_the_last_words(console: Console) -> None:
    console.line.write(b"echo some words\n")
    with pytest.raises(BenchError, match=r"not said within 1 s(?s:.*)some words"):
        console.wait(b"never", 1.0)


def test_limits_grow_with_the_pace_that_was_measured(console: Console) -> None:
    assert 1.0 <= console.measure() <= MOST_PACE
    console.pace = 2.0
    with pytest.raises(BenchError, match="within 2 s"):
        console.wait(b"never", 1.0)


def test_all_that_was_said_is_in_the_log(console: Console, tmp_path: Path) -> None:
    console.must("echo for the log")
    assert b"for the log" in (tmp_path / "log").read_bytes()


def test_a_machine_that_goes_is_noticed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        server.settimeout(END_S)
        line = SocketLine(tmp_path / "s")
        server.accept()[0].close()
        with pytest.raises(BenchError, match="the guest is gone"):
            wait_until(lambda: line.read(0.1))
        line.close()
