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
    "in a circle": f"a = [{OPEN}]\n    a.append(a)",
    "by an error that is kept": "try:\n        failing()\n"
    "    except ValueError as error:\n        error.itself = error",
}
CLOSED = {
    "with": f"with {OPEN}:\n        pass",
    "before it lies in a circle": f"a = [{OPEN}]\n    a[0].close()\n    a.append(a)",
    "of a fixture, later": f"lasting.append({OPEN})",
}
SUITE = """
import gc, socket
import pytest

gc.disable()

@pytest.fixture(scope="module")
def lasting():
    made = [{open}]
    yield made
    for each in made:
        each.close()

def failing():
    a = {open}
    raise ValueError

def test_first(lasting):
    {body}

def test_next(lasting):
    pass

def test_last(lasting):
    gc.collect()
"""


def run(tmp_path: Path, body: str) -> str:
    """What a pytest run of ours says of three tests, the first with this body."""
    (tmp_path / "test_it.py").write_text(SUITE.format(open=OPEN, body=body))
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"),
            "--rootdir", str(tmp_path), "-p", "left_open", "-rE",
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
    assert "3 passed, 1 error" in said, said
    assert "ERROR test_it.py::test_first" in said and "to the collector" in said


@pytest.mark.parametrize(
    "body", [pytest.param(CLOSED[each], id=each) for each in CLOSED]
)
def test_what_is_closed_in_time_is_no_fault(tmp_path: Path, body: str) -> None:
    said = run(tmp_path, body)
    assert "3 passed" in said and "error" not in said, said
