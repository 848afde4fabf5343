"""A test that is marked ``alone`` has the machine to itself, among several workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import turns
from limits import PROGRAM_S
from places import ROOT, TESTS

PROJECT = ROOT / "pyproject.toml"
# Two files that meet: each waits until it sees the other's mark, so both run at once.
SUITE = """
import os, time, pytest
from pathlib import Path
HERE = Path(__file__).parent

def say(word):
    with (HERE / "log").open("a") as log:
        log.write(word + "\\n")

{mark}
def test_meet():
    say("in")
    (HERE / "here-{mine}").touch()
    ends = time.monotonic() + {within}
    while time.monotonic() < ends and not (HERE / "here-{other}").exists():
        time.sleep(0.01)
    say("out")
    assert {expected} == (HERE / "here-{other}").exists()
"""

SHARED = """
import pytest
from pathlib import Path

@pytest.fixture(scope="module")
def made():
    with Path(__file__).with_name("log").open("a") as log:
        log.write("made\\n")

@pytest.mark.parametrize("number", range(20))
def test_shared(made, number):
    pass
"""


LAST = """
import pytest
from pathlib import Path

def say(word):
    with Path(__file__).with_name("log").open("a") as log:
        log.write(word + "\\n")

@pytest.fixture(scope="module")
def made():
    pass

@pytest.mark.alone
@pytest.mark.parametrize("number", range(2))
def test_alone(made, number):
    say("alone")

@pytest.mark.parametrize("number", range(20))
def test_shared(made, number):
    say("shared")
"""


def pytest_run(folder: Path, *words: str) -> str:
    (folder / "conftest.py").write_text('pytest_plugins = ["turns"]\n')
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-c", str(PROJECT), "--rootdir",
            str(folder), "-p", "xdist", "-p", "pytest_timeout", *words, str(folder),
        ],
        env={
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PYTEST_", turns.FOLDER))
        } | {"PYTHONPATH": str(TESTS), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "log").read_text()


def test_the_others_run_side_by_side(tmp_path: Path) -> None:
    for mine, other in ("ab", "ba"):
        text = SUITE.format(mark="", mine=mine, other=other, within=60, expected=True)
        (tmp_path / f"test_{mine}.py").write_text(text)
    said = pytest_run(tmp_path, "-n", "2", "--dist", "loadscope")
    assert said.splitlines()[:2] == ["in", "in"]


def test_one_that_is_alone_meets_nobody(tmp_path: Path) -> None:
    """Two of four would be in at once, were they not alone: the test before this."""
    for mine in "abcd":
        text = SUITE.format(
            mark="@pytest.mark.alone", mine=mine, other="x", within=0.3, expected=False
        )
        (tmp_path / f"test_{mine}.py").write_text(text)
    said = pytest_run(tmp_path, "-n", "2", "--dist", "loadscope")
    assert said.splitlines() == ["in", "out"] * 4


def test_the_tests_of_a_file_stay_in_one_worker(tmp_path: Path) -> None:
    (tmp_path / "test_shared.py").write_text(SHARED)
    assert pytest_run(tmp_path, "-n", "2", "--dist", "loadscope") == "made\n"


def test_one_that_is_alone_is_the_last_also_of_its_file(tmp_path: Path) -> None:
    """Else all would wait until the longest test beside it has ended."""
    for name in "ab":
        (tmp_path / f"test_{name}.py").write_text(LAST)
    said = pytest_run(tmp_path, "-n", "2", "--dist", "loadscope").splitlines()
    before = said.index("alone")
    assert before >= 20  # what its worker had; the other's may take longer
    assert said[before : before + 4] == ["alone"] * 4


def test_what_takes_longest_begins_first(tmp_path: Path) -> None:
    for name in ("tests/cli/test_cli.py", turns.FIRST[1], turns.FIRST[0]):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        text = SHARED.replace("with_name", "parents[2].joinpath")
        path.write_text(text.replace("made\\n", f"{path.name}\\n"))
    said = pytest_run(tmp_path, "-n", "1", "--dist", "loadscope")
    first = [Path(each).name for each in turns.FIRST[:2]]
    assert said.splitlines() == [*first, "test_cli.py"]


def test_what_begins_first_is_there() -> None:
    assert [each for each in turns.FIRST if not (ROOT / each).is_file()] == []


def test_an_error_ends_a_turn(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="in it"), turns.turn(tmp_path, alone=True):
        raise ValueError("in it")
    with turns.turn(tmp_path, alone=True):
        pass


def test_a_turn_that_does_not_come_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "TURN_S", 0.1)
    with (
        turns.turn(tmp_path, alone=True),
        pytest.raises(AssertionError, match="no turn within"),
        turns.turn(tmp_path, alone=False),
    ):
        pass


def test_one_turn_is_shared(tmp_path: Path) -> None:
    with turns.turn(tmp_path, alone=False), turns.turn(tmp_path, alone=False):
        pass
