"""The KiCad file is well made; where KiCad is installed, KiCad judges it."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.drawing import kicad, kicad_check
from interlock.drawing.sheet import lay_out
from interlock.errors import BoardError
from interlock.netlist import Board, load_board

needs_kicad = pytest.mark.skipif(
    not kicad_check.is_there(), reason="no kicad-cli: make hw KICAD=1"
)
# As KiCad writes it: two nets of the board, by reference and number of a pin.
NETLIST = """(nets
 (net (code "1") (name "A") (class "Default") (node (ref "R1") (pin "1") (pintype "x"))
  (node (ref "C1") (pin "2")))
 (net (code "2") (name "alone") (node (ref "R9") (pin "1")))
)"""


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board()


@pytest.fixture(scope="module")
def file(board: Board) -> str:
    return kicad.draw(board, lay_out(board))


def test_every_bracket_is_closed_and_no_name_comes_twice(file: str) -> None:
    depth, lowest = 0, 1
    for character in file.strip():
        depth += {"(": 1, ")": -1}.get(character, 0)
        lowest = min(lowest, depth)
    assert depth == 0 and lowest == 0
    named = [each[:36] for each in file.split('(uuid "')[1:]]
    assert len(set(named)) == len(named)


def test_the_file_is_the_same_every_time(board: Board, file: str) -> None:
    assert kicad.draw(board, lay_out(board)) == file


def test_a_netlist_of_kicad_is_read() -> None:
    assert kicad_check.nets_of(NETLIST) == {frozenset({("R1", "1"), ("C1", "2")})}


def test_a_netlist_that_joins_other_pins_is_an_error(board: Board) -> None:
    with pytest.raises(BoardError, match=r"other pins than the board: .*C1\.2 R1\.1"):
        kicad_check.require_same(NETLIST, board)


def test_without_kicad_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert not kicad_check.is_there()
    with pytest.raises(BoardError, match="make hw KICAD=1"):
        kicad_check.run("version")


@needs_kicad
def test_kicad_finds_no_fault_and_joins_the_same_pins(
    board: Board, file: str, tmp_path: Path
) -> None:
    (tmp_path / "interlock.kicad_sch").write_text(file, "utf-8")
    kicad_check.check(board, tmp_path / "interlock.kicad_sch", tmp_path)
    assert (tmp_path / "kicad" / "interlock.svg").stat().st_size > 10_000


@needs_kicad
def test_negative_control_a_pin_that_nothing_drives_is_kicads_fault(
    board: Board, tmp_path: Path
) -> None:
    cut = board.rewired("U4", "RESET", "POWER_LOST")
    (tmp_path / "cut.kicad_sch").write_text(kicad.draw(cut, lay_out(cut)), "utf-8")
    with pytest.raises(BoardError, match="KiCad's rules: "):
        kicad_check.check(cut, tmp_path / "cut.kicad_sch", tmp_path)


@needs_kicad
def test_negative_control_a_label_of_another_net_is_seen(
    board: Board, file: str, tmp_path: Path
) -> None:
    wrong = file.replace('(global_label "AND_1"', '(global_label "AND_2"')
    (tmp_path / "wrong.kicad_sch").write_text(wrong, "utf-8")
    with pytest.raises(BoardError, match="KiCad"):
        kicad_check.check(board, tmp_path / "wrong.kicad_sch", tmp_path)
