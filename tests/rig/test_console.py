"""A console is waited on with a bound; the same words on a port and on a socket."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from limits import END_S, wait_until

from .console import MOST_PACE, Console
from .errors import BenchError
from .lines import Line, SocketLine, TtyLine


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


def _carry(one: int, other: socket.socket) -> None:
    """Bytes between a terminal and a socket, until one of them ends."""
    with other:
        listener = threading.Thread(target=_feed, args=(other, one), daemon=True)
        listener.start()
        try:
            while data := os.read(one, 4096):
                other.sendall(data)
        except OSError:
            return


def _feed(other: socket.socket, one: int) -> None:
    other.settimeout(END_S * 10)
    try:
        while data := other.recv(4096):
            os.write(one, data)
    except OSError:
        return


@pytest.fixture(params=["serial port", "socket of QEMU"])
def line(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Line]:
    """A machine whose shell is at the other end."""
    master, slave = pty.openpty()
    if request.param == "serial port":
        # Two terminals in a row: the shell's own, and the cable's end here.
        ours, theirs = socket.socketpair()
        other_master, other_slave = pty.openpty()
        port = os.ttyname(other_slave)
        threads = [
            threading.Thread(target=_carry, args=each, daemon=True)
            for each in ((master, ours), (other_master, theirs))
        ]
        found: Line = TtyLine(Path(port), 115200)
    else:
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(tmp_path / "s"))
        server.listen()
        server.settimeout(END_S)
        found = SocketLine(tmp_path / "s")
        with server:
            threads = [
                threading.Thread(
                    target=_carry, args=(master, server.accept()[0]), daemon=True
                )
            ]
    shell = _shell_at(slave)
    for each in threads:
        each.start()
    yield found
    found.close()
    shell.kill()
    shell.wait(END_S)
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
