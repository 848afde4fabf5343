"""The process that connects for the uplink: to two addresses, and to no other."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Site
from children import first_line, started
from kills import Camera
from limits import END_S, wait_until

from doorsill.channels.listening import listen_at
from doorsill.uplink.connector import ASK, Connector

PROGRAM = """\
import socket, sys, time
from pathlib import Path
from doorsill.process import landlock
{before}
from doorsill.errors import DoorsillError
from doorsill.uplink.connector import start
connector = start("{host}", {port}, Path({cells!r}), 2.0)
{act}
"""


def said(
    act: str, port: int, cells: Path, before: str = "pass", host: str = "127.0.0.1"
) -> str:
    """What a process that has started a connector said after ``act``."""
    program = PROGRAM.format(
        before=before, host=host, port=port, cells=str(cells), act=act
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


BROKER = """\
for _ in range(2):
    with connector.broker() as found:
        print(found.recv(9).decode())
"""
VISION = """\
with connector.vision() as found:
    print(found.recv(9).decode())
"""


def test_it_hands_over_connections_to_broker_and_vision(tmp_path: Path) -> None:
    cells = tmp_path / "cells.sock"
    with (
        socket.create_server(("127.0.0.1", 0)) as broker,
        listen_at(cells, 0o600, 4) as vision,
    ):
        port = broker.getsockname()[1]
        program = PROGRAM.format(
            before="pass",
            host="127.0.0.1",
            port=port,
            cells=str(cells),
            act=BROKER + VISION,
        )
        with started([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
            broker.settimeout(30)
            vision.settimeout(30)
            for word in (b"one", b"two"):
                with broker.accept()[0] as peer:
                    peer.send(word)
            with vision.accept()[0] as peer:
                peer.send(b"cells")
            said, _ = child.communicate(timeout=END_S)
        assert said == b"one\ntwo\ncells\n"


TRIED = """\
for connect in (connector.broker, connector.vision):
    try:
        connect()
    except OSError as error:
        print(type(error).__name__, error)
"""


def test_what_goes_wrong_is_told_as_connecting_itself_would(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    heard = said(TRIED, port, tmp_path / "absent.sock")
    assert "ConnectionRefusedError [Errno 111] Connection refused\n" in heard
    assert "FileNotFoundError [Errno 2] No such file or directory\n" in heard


def test_a_name_that_is_nowhere_is_told_as_one(tmp_path: Path) -> None:
    heard = said(TRIED, 1, tmp_path / "absent.sock", host="absent.invalid")
    assert heard.startswith("gaierror ")


def test_an_address_that_does_not_answer_is_told_as_one(tmp_path: Path) -> None:
    before = HOSTILE.format(act="raise TimeoutError('timed out')")
    heard = said(TRIED, 1, tmp_path / "absent.sock", before)
    assert heard.startswith("TimeoutError [Errno 110] timed out\n")


# What a connector would do that somebody has taken over.
HOSTILE = """\
def elsewhere(*_):
    {act}
socket.create_connection = elsewhere
"""


@pytest.mark.parametrize(
    ("act", "why"),
    [
        pytest.param("Path('/tmp/connector-way').write_text('x')", "PermissionError",
                     id="write a file"),
        pytest.param("socket.create_server(('127.0.0.1', 0))", "PermissionError",
                     id="listen"),
        pytest.param("__import__('os').fork()", "PermissionError", id="fork"),
        pytest.param("socket.socket(16, 3)", "PermissionError", id="netlink"),
        pytest.param("socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
                     "PermissionError", id="the journal"),
    ],
)  # fmt: skip
def test_taken_over_it_can_do_nothing_but_connect(
    act: str, why: str, tmp_path: Path
) -> None:
    heard = said(TRIED, 1, tmp_path / "absent.sock", HOSTILE.format(act=act))
    assert heard.startswith(why), heard


def test_with_landlock_it_reaches_one_port(tmp_path: Path) -> None:
    from doorsill.process.landlock import version

    if version() < 4:
        pytest.skip("this kernel's landlock knows no ports")
    with socket.create_server(("127.0.0.1", 0)) as other:
        there = other.getsockname()
        act = f"s = socket.socket(); s.connect({there!r}); return s"
        hostile = HOSTILE.format(act=act)
        heard = said(TRIED, 1, tmp_path / "absent.sock", hostile)
        assert heard.startswith("PermissionError"), heard
        # The control: the same, on the port that is the broker's.
        act = f"connector.broker(); print('connected to', {there[1]})"
        heard = said(act, there[1], tmp_path / "absent.sock", hostile)
        assert heard == f"connected to {there[1]}\n"


def test_it_ends_with_the_uplink_and_not_before(tmp_path: Path) -> None:
    act = "print(connector.process, flush=True); time.sleep(600)"
    program = PROGRAM.format(
        before="pass", host="127.0.0.1", port=1, cells=str(tmp_path / "a"), act=act
    )
    with started([sys.executable, "-c", program], stdout=subprocess.PIPE) as child:
        connector = int(first_line(child))
        os.kill(connector, signal.SIGTERM)  # systemd sends it to both
        os.kill(connector, 0)
        child.kill()
        child.wait(END_S)
        ends = time.monotonic() + 20
        while Path(f"/proc/{connector}/stat").exists():
            state = Path(f"/proc/{connector}/stat").read_text().rsplit(")", 1)[1]
            if state.split()[0] == "Z":  # gone; nobody has asked for it yet
                break
            assert time.monotonic() < ends, "the connector is still there"
            time.sleep(0.02)


def libraries_of(pid: int) -> set[str]:
    """What it has loaded of OpenSSL, the cryptography library and SQLite."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return {each for each in ("libssl", "_rust", "_sqlite3") if each in maps}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees what they have loaded")
def test_it_is_forked_before_the_uplink_loads_what_speaks(
    site: Site, tmp_path: Path
) -> None:
    """So the two share little that the uplink then writes to, which costs memory."""
    uplink = Camera(site, tmp_path / "cam", "cam-01", hurried=False)
    uplink.start()
    try:
        wait_until(lambda: "connected to the broker" in uplink.words(), within_s=60)
        children = Path(f"/proc/{uplink.pid}/task/{uplink.pid}/children").read_text()
        (connector,) = map(int, children.split())
        assert libraries_of(uplink.pid) == {"libssl", "_rust", "_sqlite3"}
        assert libraries_of(connector) == set()
    finally:
        uplink.stop()


def test_when_it_is_gone_the_uplink_ends(tmp_path: Path) -> None:
    act = (
        "import os, signal\n"
        "connector.require()\n"
        "os.kill(connector.process, signal.SIGKILL)\n"
        "os.waitpid(connector.process, 0)\n"
        "try: connector.require()\n"
        "except DoorsillError as error: print(type(error).__name__, error)"
    )
    heard = said(act, 1, tmp_path / "absent.sock")
    assert heard == "UplinkError the process that connects is gone\n"


Ends = tuple[Connector, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The uplink's end, and a process that connects and is played by us."""
    kind = (socket.AF_UNIX, socket.SOCK_SEQPACKET)
    (ours, theirs), (unused, closed) = (socket.socketpair(*kind) for _ in "bv")
    ours.settimeout(0.1)
    theirs.settimeout(END_S)
    yield Connector(ours, unused), theirs
    for each in (ours, theirs, unused, closed):
        each.close()


def give(theirs: socket.socket, word: bytes) -> None:
    """A connection whose other end has said ``word``."""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with left, right:
        right.sendall(word)
        socket.send_fds(theirs, [ASK], [left.fileno()])


def test_one_that_does_not_answer_is_an_error_and_no_wait(ends: Ends) -> None:
    connector, theirs = ends
    with pytest.raises(TimeoutError):
        connector.broker()
    assert theirs.recv(1) == ASK


def test_a_late_answer_is_no_answer_to_the_next_question(ends: Ends) -> None:
    connector, theirs = ends
    with pytest.raises(TimeoutError):
        connector.broker()
    give(theirs, b"late")
    with pytest.raises(TimeoutError):  # not the late one
        connector.broker()


def test_one_that_is_gone_is_said(ends: Ends) -> None:
    connector, theirs = ends
    theirs.close()
    with pytest.raises(OSError, match=r"gone|Broken pipe"):
        connector.broker()
