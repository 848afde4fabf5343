"""``doorsill-hw``: what it prints, and its exit codes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from limits import PROGRAM_S
from places import ROOT

from interlock.cli import main
from interlock.netlist import BOARD


def test_it_runs_without_an_environment() -> None:
    done = subprocess.run(
        ["/usr/bin/python3", "-I", str(ROOT / "hw" / "doorsill-hw"), "rules"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    assert done.returncode == 0, done.stderr
    assert "BROKEN" not in done.stdout and done.stdout.count("holds") >= 12


def test_a_board_that_breaks_a_rule_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "board.net"
    other.write_text(
        BOARD.read_text("utf-8").replace("SI=MEM_SI SCK", "SI=PI_MOSI SCK")
    )
    assert main(["rules", "--board", str(other)]) == 1
    out = capsys.readouterr().out
    assert "BROKEN  lines-pass-a-buffer" in out and "U6.SI meets PI_MOSI" in out


def test_a_board_that_cannot_be_read_is_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rules", "--board", str(tmp_path / "none")]) == 2
    assert main(["build", "--boards", "0"]) == 2
    assert "none: No such file" in capsys.readouterr().err
