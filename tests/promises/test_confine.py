"""What a process that confines itself is told, and what it is left with.

Which ways out are closed is tried in ``test_ways.py``, inside the real processes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

START = """\
import sys
from pathlib import Path
from doorsill.process import confine, landlock, locks, room
from doorsill.process.confine import Confinement, close, restrict
from doorsill.errors import ConfigError
from doorsill.process.hardening import PR_SET_NO_NEW_PRIVS, prctl
def without_rooms(*_):
    raise PermissionError(1, "Operation not permitted")
"""


def ran(code: str, *arguments: str) -> str:
    """What ``code`` said; a ConfigError ends it with "refused: " and the sentence."""
    program = f"{START}try:\n" + "".join(f"    {line}\n" for line in code.splitlines())
    program += "except ConfigError as error:\n    print('refused:', error)\n"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_folder_that_is_missing_gets_a_sentence() -> None:
    said = ran("restrict(Confinement('uplink', [Path('/nowhere/at/all')]))")
    assert "refused: /nowhere/at/all must exist before" in said


def test_a_process_with_two_threads_is_not_confined_by_halves() -> None:
    said = ran(
        "import threading\n"
        "hold = threading.Event()\n"
        "threading.Thread(target=hold.wait, daemon=True).start()\n"
        "restrict(Confinement('vision'))"
    )
    assert "refused: the process has 2 threads before it confines itself" in said


def test_the_list_of_calls_binds_threads_that_are_there_already() -> None:
    said = ran(
        "import queue, socket, threading\n"
        "asked, said = queue.Queue(), queue.Queue()\n"
        "def look():\n"
        "    asked.get()\n"
        "    try: socket.socket(); said.put('open')\n"
        "    except OSError as error: said.put(error.strerror)\n"
        "threading.Thread(target=look, daemon=True).start()\n"
        "prctl(PR_SET_NO_NEW_PRIVS, 1)\n"  # as harden() before it; a user must
        "close(Confinement('vision'))\n"
        "asked.put(1)\n"
        "print(said.get(timeout=20))"
    )
    assert said == "Operation not permitted\n"


@pytest.mark.parametrize(
    ("process", "abi", "refused"),
    [
        pytest.param("vault", 7, True, id="the vault could reach every daemon"),
        pytest.param("vault", 0, True, id="the vault could write anywhere"),
        pytest.param("uplink", 0, True, id="the uplink could write anywhere"),
        pytest.param("uplink", 1, False, id="landlock holds the uplink"),
        pytest.param("vision", 0, False, id="its list of calls holds vision"),
    ],
)
def test_without_a_room_a_process_goes_on_only_where_another_lock_does_the_same(
    process: str, abi: int, refused: bool, tmp_path: Path
) -> None:
    said = ran(
        "room.enter, real = without_rooms, landlock.version()\n"
        f"landlock.version = lambda: min({abi}, real)\n"
        f"restrict(Confinement('{process}', [Path(sys.argv[1])]))\n"
        "print('goes on')",
        str(tmp_path),
    )
    if refused:
        assert f"refused: {process} needs a mount namespace of its own" in said
        assert "Operation not permitted" in said and "start it by its unit" in said
    else:
        assert said == "goes on\n"


def test_the_locks_that_hold_are_named() -> None:
    code = "restrict(Confinement('uplink'))\nclose(Confinement('uplink'))\n"
    code += "print(*locks.locks().words, sep='; ')\n"
    said = ran(code + "print(open('/proc/self/comm').read())")
    assert "doorsill-uplink" in said  # as it is named in top
    for word in ("seccomp", "landlock ", "room", "no new privileges"):
        assert word in said


def test_negative_control_nothing_holds_where_nothing_was_closed() -> None:
    said = ran("print(*locks.locks().words, sep='; ')")
    assert "seccomp" not in said and "landlock" not in said and "room" not in said


def test_while_a_webcam_is_opened_only_what_is_there_may_be_opened_for_both(
    tmp_path: Path,
) -> None:
    """And nothing any more when it is open: the second list binds beside the first."""
    (tmp_path / "node").write_bytes(b"camera")
    code = """\
import os, socket, subprocess
there, new = sys.argv[1] + "/node", sys.argv[1] + "/new"
def tried(*acts):
    for act in acts:
        try: act(); print("open", end=" ")
        except OSError as error: print(error.strerror, end="; ")
    print()
acts = (
    lambda: os.open(there, os.O_RDWR),
    lambda: os.open(there, os.O_WRONLY),
    lambda: os.open(there, os.O_RDWR | os.O_TRUNC),
    lambda: os.open(new, os.O_RDWR | os.O_CREAT),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    lambda: os.mkdir(new),
    lambda: subprocess.run(["/bin/true"]),
)
restrict(Confinement("vision", [Path(there)]))
close(Confinement("opening"))
tried(*acts)
close(Confinement("vision"))
tried(*acts)"""
    first, second = ran(code, str(tmp_path)).splitlines()
    refused = "Operation not permitted; "
    assert first == "open " + refused * 6
    assert second == refused * 7
