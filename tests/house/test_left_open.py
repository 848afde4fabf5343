"""A test that leaves a socket to the collector fails itself, and no other does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from limits import PROGRAM_S
from places import ROOT, TESTS

OPEN = "socket.create_server(('127.0.0.1', 0))"
LEFT = {
    "listening": f"left.append({OPEN})",
    "a pair": "left.extend(socket.socketpair())",
    "in a circle": f"a = [{OPEN}]\n    a.append(a)",
    "paho's own": "left.append(mqtt.Client(mqtt.CallbackAPIVersion.VERSION2))\n"
    "    left[0].loop()",
}
CLOSED = {
    "with": f"with {OPEN}:\n        pass",
    "soon, by a thread": f"a = {OPEN}\n    threading.Timer(0.2, a.close).start()",
    "of a fixture": "lasting.getsockname()",
}
SUITE = """
import gc, socket, threading
import pytest
from paho.mqtt import client as mqtt

left = []
gc.disable()

@pytest.fixture(scope="module")
def lasting():
    with {open} as made:
        yield made

def test_first(lasting):
    {body}

def test_next(lasting):
    pass
"""


def run(tmp_path: Path, body: str) -> str:
    """What a pytest run of ours says of two tests, the first with this body."""
    (tmp_path / "test_it.py").write_text(SUITE.format(open=OPEN, body=body))
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"),
            "--rootdir", str(tmp_path), "-p", "left_open", "-W", "default", "-rE",
            "-p", "pytest_timeout", str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": os.pathsep.join(map(str, (TESTS, TESTS / "worlds"))),
        },
        cwd=tmp_path,
        timeout=PROGRAM_S,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.parametrize("body", [pytest.param(LEFT[each], id=each) for each in LEFT])
def test_negative_control_a_socket_that_is_left(tmp_path: Path, body: str) -> None:
    said = run(tmp_path, body)
    assert "2 passed, 1 error" in said, said
    assert "ERROR test_it.py::test_first" in said and "the test left" in said


@pytest.mark.parametrize(
    "body", [pytest.param(CLOSED[each], id=each) for each in CLOSED]
)
def test_what_is_closed_in_time_is_no_fault(tmp_path: Path, body: str) -> None:
    said = run(tmp_path, body)
    assert "2 passed" in said and "error" not in said, said
