"""`init` and `serve` on one machine: enrolment and a broker, from two commands."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from limits import END_S, PROGRAM_S, wait_until

from doorsill_fleet.broker.mosquitto import free_port
from doorsill_fleet.cli.main import run
from doorsill_fleet.office.chain import open_chain


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    made = tmp_path / "fleet"
    ports = ["--port", str(free_port()), "--broker-port", str(free_port())]
    words = ["init", "--folder", str(made), "--host", "localhost", "--no-passphrase"]
    assert run([*words, *ports]) == 0
    assert "`serve` runs the broker as well" in capsys.readouterr().out
    return made


@contextmanager
def serving(
    folder: Path, listen: str = "127.0.0.1"
) -> Iterator[subprocess.Popen[bytes]]:
    log = folder.parent / "serve.log"
    program = [sys.executable, "-m", "doorsill_fleet.cli.main", "serve"]
    with log.open("wb") as said:
        child = subprocess.Popen(
            [*program, "--folder", str(folder), "--listen", listen],
            stdout=said,
            stderr=said,
        )
    try:
        wait_until(
            lambda: "cameras enrol at" in log.read_text(), log.read_text, PROGRAM_S
        )
        yield child
    finally:
        child.terminate()
        child.wait(END_S)


def test_serve_runs_the_broker_and_leaves_nothing_behind(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["--folder", str(folder)]
    with serving(folder) as child:
        assert run(["site", "add", "porto-1", *own]) == 0
        out = str(folder.parent / "labels")
        assert run(["device", "add", "--site", "porto-1", "--out", out, *own]) == 0
        assert "the broker lets them in" in capsys.readouterr().out
        assert run(["broker", "check", "--connect", *own]) == 0
        assert "no certificate: refused" in capsys.readouterr().out
        child.send_signal(signal.SIGTERM)
        assert child.wait(END_S) in (0, -signal.SIGTERM)
    port = int((folder / "broker" / "mosquitto.conf").read_text().split()[1])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1.0)


def test_a_port_that_is_taken_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = int((folder / "broker" / "mosquitto.conf").read_text().split()[1])
    with socket.create_server(("127.0.0.1", port)):
        words = ["serve", "--folder", str(folder), "--listen", "127.0.0.1"]
        assert run(words) == 2
    assert f"127.0.0.1:{port}" in capsys.readouterr().err


def test_a_revoked_camera_without_a_broker_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, out = ["--folder", str(folder)], str(folder.parent / "labels")
    assert run(["site", "add", "porto-1", *own]) == 0
    assert run(["device", "add", "--site", "porto-1", "--out", out, *own]) == 0
    said = capsys.readouterr().out
    assert "the broker does not run" in said
    line = Path(f"{out}.csv").read_text().splitlines()[1]
    assert run(["device", "revoke", line.split(",")[0], *own]) == 0
    assert "with `doorsill-fleet serve` it obeys this" in capsys.readouterr().out


def test_a_broker_does_not_outlive_a_serve_that_is_killed(folder: Path) -> None:
    """It would let revoked cameras in, and nobody would tell it otherwise."""
    port = int((folder / "broker" / "mosquitto.conf").read_text().split()[1])

    def is_gone() -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", port)) != 0

    for _ in range(2):  # the second one finds its port free
        with serving(folder) as child:
            assert not is_gone()
            child.kill()
            child.wait(END_S)
            wait_until(is_gone)


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_cameras_may_come_by_ipv6(folder: Path) -> None:
    ports = open_chain(folder).places
    with serving(folder, "::"):
        for port in (ports.port, ports.broker_port):
            socket.create_connection(("::1", port), timeout=END_S).close()
