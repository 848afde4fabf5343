"""No test waits for ever: the limits of pyproject.toml, tried on tests that would."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from places import ROOT, TESTS

WITHIN_S = 60.0
PROJECT = ROOT / "pyproject.toml"
STUCK = {
    "an event": "threading.Event().wait()",
    "a thread": "t = threading.Thread(target=time.sleep, args=(20,), daemon=True)\n"
    "    t.start()\n    t.join()",
    "a process": "subprocess.run(['sleep', '20'])",
    "a socket": "socket.create_server(('127.0.0.1', 0)).accept()",
}
STUCK_IN_C = """
    lock, mutex = ctypes.create_string_buffer(64), ctypes.CDLL(None).pthread_mutex_lock
    mutex(lock)
    mutex(lock)  # for ever, and no signal interrupts it"""


def run(tmp_path: Path, body: str) -> tuple[int, str]:
    """The exit code and the words of a pytest run of ours with short limits."""
    text = "import ctypes, socket, subprocess, threading, time\n"
    text += f"def test_stuck():\n    {body.strip()}\n\ndef test_after():\n    pass\n"
    (tmp_path / "test_stuck.py").write_text(text)
    command = [
        sys.executable, "-m", "pytest", "-c", str(PROJECT), "--rootdir", str(tmp_path),
        "-o", "timeout=1", "-o", "faulthandler_timeout=4", "-W", "default",
        "-p", "pytest_timeout", str(tmp_path),
    ]  # fmt: skip
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=tmp_path,
        timeout=WITHIN_S,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("body", [pytest.param(STUCK[each], id=each) for each in STUCK])
def test_one_that_waits_for_ever_fails_and_the_next_runs(
    tmp_path: Path, body: str
) -> None:
    code, said = run(tmp_path, body)
    assert (code, "Timeout (>1.0s)" in said) == (1, True), said
    assert "1 failed, 1 passed" in said


def test_one_that_is_stuck_in_c_ends_the_run_and_says_where(tmp_path: Path) -> None:
    code, said = run(tmp_path, STUCK_IN_C)
    assert (code, "Timeout (0:00:04)!" in said) == (1, True), said
    assert "in test_stuck" in said


def test_the_limits_are_set_and_the_second_is_above_every_first() -> None:
    options = tomllib.loads(PROJECT.read_text())["tool"]["pytest"]["ini_options"]
    assert 0 < options["timeout"] <= 120
    assert options["faulthandler_exit_on_timeout"] is True
    marked = [
        float(line.split("timeout(")[1].split(")")[0])
        for path in TESTS.rglob("test_*.py")
        for line in path.read_text().splitlines()
        if "mark.timeout(" in line and path != Path(__file__)
    ]
    assert max([options["timeout"], *marked]) < options["faulthandler_timeout"]
