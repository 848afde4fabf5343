"""A pcscd that is missing, refuses, hangs or dies: a sentence each, and never a wait.

libpcsclite looks up its socket once in the life of a process: so each is a process.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from doorsill.cli import main
from doorsill.drivers.token import pcscd
from doorsill.drivers.token.pcscd import ENVIRONMENT, PrivatePcscd
from doorsill.errors import ConfigError

WITHIN_S = 30.0
LOOK_S = 0.1  # between two looks of a daemon that we play


class Played:
    """A pcscd that we play: ``does`` gets each line to a client."""

    def __init__(self, path: Path, does: Callable[[socket.socket], None]) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self._listener.settimeout(LOOK_S)
        self._does, self._lines = does, list[socket.socket]()
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._leaving.is_set():
            try:
                line, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._lines.append(line)
            self._does(line)

    def close(self) -> None:
        self._leaving.set()
        self._thread.join(WITHIN_S)
        for each in (self._listener, *self._lines):
            each.close()


def refuse(line: socket.socket) -> None:
    """As pcscd does where polkit says no, or is not there to say anything."""
    line.close()


def hang(line: socket.socket) -> None:
    """As a pcscd that was stopped: the kernel takes the client in, nobody answers."""


def die(line: socket.socket) -> None:
    """In the middle of the first word."""
    line.settimeout(WITHIN_S)
    line.recv(20, socket.MSG_WAITALL)
    line.close()


@pytest.fixture
def office(tmp_path: Path) -> Path:
    folder = tmp_path / "office"
    assert main.run(["consent", "ca", str(folder), "--controller", "Lojas"]) == 0
    return folder


@pytest.fixture
def daemon(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The socket of a daemon that does ``request.param``; None: there is none."""
    path = tmp_path / "comm"
    played = None if request.param is None else Played(path, request.param)
    yield path
    if played is not None:
        played.close()


def said_by(socket_path: Path, office: Path, *words: str) -> tuple[int, str]:
    where = ("--ca", str(office), "--site", "porto-1", "--purpose", "validation")
    done = subprocess.run(
        [sys.executable, "-m", "doorsill", "consent", *words, *where],
        env={**os.environ, ENVIRONMENT: str(socket_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "SystemError" not in said
    return done.returncode, said


TROUBLES = pytest.mark.parametrize(
    ("daemon", "sentence"),
    [
        pytest.param(None, "pcscd does not run: apt install pcscd", id="missing"),
        pytest.param(refuse, "pcscd hangs up on the user ", id="refusing"),
        pytest.param(die, "pcscd hangs up on the user ", id="dying"),
    ],
    indirect=["daemon"],
)


@TROUBLES
def test_a_person_who_asks_gets_the_sentence(
    daemon: Path, sentence: str, office: Path
) -> None:
    code, said = said_by(daemon, office, "status", "--wait", "0.5")
    assert (code, sentence in said) == (2, True), said


@TROUBLES
def test_who_watches_stays_blank_and_gets_the_sentence_once(
    daemon: Path, sentence: str, office: Path
) -> None:
    code, said = said_by(daemon, office, "watch", "--seconds", "2")
    assert (code, said.count(sentence)) == (0, 1), said
    assert "OPEN" not in said


@pytest.mark.parametrize("daemon", [hang], indirect=True, ids=["hanging"])
def test_a_pcscd_that_hangs_is_given_up(daemon: Path, office: Path) -> None:
    code, said = said_by(daemon, office, "status", "--wait", "0.5")
    assert (code, "(pcscd) or the card hangs: no answer within" in said) == (2, True)
    code, said = said_by(daemon, office, "watch", "--seconds", "1")
    assert (code, "OPEN" in said) == (0, False)


FAKE = """#!{python}
import socket, sys, time
from pathlib import Path
HELP, BEHAVES, ENDS = {help!r}, {behaves!r}, time.monotonic() + 20
if "--help" in sys.argv:
    print(HELP)
    sys.exit()
if BEHAVES == "dies":
    sys.exit("no reader, no mercy")
Path(__file__).with_suffix(".said").write_text(" ".join(sys.argv))
text = Path(sys.argv[sys.argv.index("--config") + 1], "virtual").read_text()
port = int(text.split("null:")[1].split()[0])
readers = [socket.create_server(("127.0.0.1", port + n)) for n in (0, 1)]
clients = socket.socket(fileno=3)
clients.settimeout(20)
while time.monotonic() < ENDS:
    line, _ = clients.accept()
    if BEHAVES == "answers":
        line.settimeout(5)
        line.sendall(line.recv(20)[8:])
    line.close()
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    def fake(behaves: str, help_text: str = "--foreground") -> Path:
        path = tmp_path / "bin" / "pcscd"
        path.parent.mkdir()
        path.write_text(
            FAKE.format(python=sys.executable, help=help_text, behaves=behaves)
        )
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
        return path

    return fake


@pytest.mark.parametrize(
    ("behaves", "sentence"),
    [
        pytest.param("refuses", "the private pcscd refuses its clients", id="refuses"),
        pytest.param("dies", "did not start.*no reader, no mercy", id="dies-at-once"),
    ],
)
def test_a_private_pcscd_that_is_no_use_is_a_sentence(
    fake: Callable[..., Path], tmp_path: Path, behaves: str, sentence: str
) -> None:
    fake(behaves)
    with pytest.raises(ConfigError, match=sentence), PrivatePcscd(tmp_path):
        pass


def test_a_private_pcscd_that_is_not_there_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcscd.shutil, "which", lambda *_, **__: None)
    with pytest.raises(ConfigError, match="apt install pcscd"):
        PrivatePcscd(tmp_path).start()


@pytest.mark.parametrize(
    ("help_text", "told"),
    [
        pytest.param("  --disable-polkit  disable polkit support", True, id="knows-it"),
        pytest.param("  --foreground", False, id="has-never-heard-of-polkit"),
    ],
)
def test_polkit_is_switched_off_where_the_daemon_knows_it(
    fake: Callable[..., Path], tmp_path: Path, help_text: str, told: bool
) -> None:
    """Only the private one of demo and tests; a camera's pcscd asks polkit."""
    path = fake("answers", help_text)
    with PrivatePcscd(tmp_path):
        said = path.with_suffix(".said").read_text()
    assert ("--disable-polkit" in said) is told


def test_the_real_one_takes_us_and_ends_in_time(tmp_path: Path) -> None:
    begun = time.monotonic()
    with PrivatePcscd(tmp_path) as daemon:
        assert daemon.pid
    assert time.monotonic() - begun < WITHIN_S
