"""The board's two files are read strictly, and a fault is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.errors import BoardError
from interlock.netlist import BOARD, load_board, read_board
from interlock.parts import CATALOGUE, read_parts

TEXT = BOARD.read_text("utf-8")
PARTS = read_parts(CATALOGUE.read_text("utf-8"))


def test_the_board_is_read_whole() -> None:
    board = load_board()
    lines = [each for each in TEXT.splitlines() if each and each[0] not in "#["]
    assert [each.ref for each in board.placed] == [each.split()[0] for each in lines]
    assert board["U6"].net("VCC") == "RAIL" and board["U6"].part.kind == "sram"
    assert {each.room for each in board.placed} == board.rooms.keys()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param("R3  2k2", "R3  2k3", "R3 is a 2k3, which parts.toml", id="part"),
        pytest.param(
            "1=RAIL 2=DISCHARGE",
            "1=RAIL 1=DISCHARGE",
            "R2.1 is connected twice",
            id="pin twice",
        ),
        pytest.param("SI=MEM_SI", "S1=MEM_SI", "U6 has no pin 'S1'", id="no such pin"),
        pytest.param(" HOLD=RAIL", "", "U6 leaves HOLD unsaid", id="pin unsaid"),
        pytest.param("Q=WD_OK", "Q=wd ok", "U3.Q = 'wd' is no net", id="net"),
        pytest.param("R2  330r", "R3  330r", "R3 is placed twice", id="placed twice"),
        pytest.param(
            "R4  470r          1=RIBBON_3V3 2=LAMP", "R4", "must be", id="line"
        ),
    ],
)
def test_a_fault_is_named_with_its_line(old: str, new: str, says: str) -> None:
    assert TEXT.count(old) == 1
    with pytest.raises(BoardError, match=r"board\.net:\d+: ") as caught:
        read_board(TEXT.replace(old, new), PARTS)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("[x", "parts.toml: ", id="no TOML"),
        pytest.param('[x]\nkind = "coil"', "has no maker", id="a key is missing"),
        pytest.param("[x]\nohms = 3", "ohms is not known", id="a key too many"),
    ],
)
def test_a_fault_of_the_parts_is_named(text: str, says: str) -> None:
    with pytest.raises(BoardError) as caught:
        read_parts(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param(
            'kind = "sram"', 'kind = "dram"', "'dram' is not known", id="kind"
        ),
        pytest.param("SO:2:tri SIO2", "SO:2 SIO2", "NAME:NUMBER:ROLE", id="pin"),
    ],
)
def test_a_part_that_cannot_be_is_refused(old: str, new: str, says: str) -> None:
    text = CATALOGUE.read_text("utf-8")
    assert text.count(old) == 1
    with pytest.raises(BoardError, match=says):
        read_parts(text.replace(old, new))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"none\.net: No such file"):
        load_board(tmp_path / "none.net")


def test_a_reference_that_is_not_placed_is_named() -> None:
    with pytest.raises(BoardError, match="no U99 on the board"):
        load_board()["U99"]
