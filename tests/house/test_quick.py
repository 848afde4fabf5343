"""``make quick``: what takes long is left out, and what hides that it does fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import quick
from limits import PROGRAM_S
from places import ROOT, TESTS, WORLDS


@pytest.mark.parametrize(
    ("text", "long"),
    [
        pytest.param("import json", False, id="nothing of it"),
        pytest.param("import subprocess", True, id="a program"),
        pytest.param("from doorsill.process import child", True, id="a fork of ours"),
        pytest.param("from doorsill.process import backoff", False, id="no fork"),
        pytest.param("def test():\n    from broker import Site", True, id="a broker"),
        pytest.param("from limits import END_S", False, id="a world without any"),
        pytest.param("from mutants import __main__", True, id="a tool"),
        pytest.param("from doorsill.drivers.camera import clip", True, id="a film"),
    ],
)
def test_what_a_file_imports_says_whether_it_takes_long(
    tmp_path: Path, text: str, long: bool
) -> None:
    (tmp_path / "test_it.py").write_text(text)
    assert quick.takes_long(tmp_path / "test_it.py") is long


def test_every_name_that_takes_long_is_still_a_module() -> None:
    for name in quick.STARTS | quick.PLAYS:
        __import__(name)


def test_a_process_that_nobody_sees_coming_fails_its_test(tmp_path: Path) -> None:
    (tmp_path / "test_hidden.py").write_text(
        "import os\ndef test_hidden(): os.system('true')\ndef test_good(): pass\n"
    )
    (tmp_path / "test_seen.py").write_text("import subprocess\ndef test_seen(): pass\n")
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"),
            "--rootdir", str(tmp_path), "-p", "quick", "--quick", str(tmp_path),
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=PROGRAM_S,
        env={"PYTHONPATH": f"{TESTS}:{WORLDS}"},
    )  # fmt: skip
    assert "test_hidden starts a process (os.system)" in done.stdout, done.stderr
    assert "1 failed, 1 passed" in done.stdout
