"""A change in one place of the board changes everything that is made from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock import bill
from interlock.build import deck_of
from interlock.drawing import svg
from interlock.drawing.sheet import lay_out
from interlock.errors import BoardError
from interlock.netlist import BOARD, OPEN, Board, load_board, read_board
from interlock.parts import CATALOGUE, read_parts
from interlock.spice.scenarios import SCENARIOS


def changed(old: str, new: str) -> Board:
    board, parts = BOARD.read_text("utf-8"), CATALOGUE.read_text("utf-8")
    assert (board + parts).count(old) == 1
    return read_board(board.replace(old, new), read_parts(parts.replace(old, new)))


def made(board: Board) -> dict[str, str]:
    """Everything that comes from a board, without running anything."""
    return {
        "schematic": svg.draw(board, lay_out(board)),
        "deck": deck_of(board, SCENARIOS[0]),
        "bill": bill.bill_table(board),
        "connectors": bill.connector_table(board),
    }


@pytest.mark.parametrize(
    ("old", "new", "touched"),
    [
        pytest.param(
            "value = 330e3",
            "value = 270e3",
            {"schematic", "deck", "bill"},
            id="a value",
        ),
        pytest.param(
            '"23LC1024-I/SN"',
            '"23LC1024-E/SN"',
            {"schematic", "bill"},
            id="the maker's number",
        ),
        pytest.param(
            "15=WATCHDOG",
            "16=WATCHDOG",
            {"schematic", "connectors"},
            id="a pin of the header",
        ),
        pytest.param(
            "C9  100n-16v      1=RAIL 2=GND",
            "C9  1u-16v        1=RAIL 2=GND",
            {"schematic", "deck", "bill"},
            id="another part",
        ),
    ],
)
def test_a_change_in_one_place_changes_all(
    old: str, new: str, touched: set[str]
) -> None:
    before, after = made(load_board()), made(changed(old, new))
    assert {name for name in before if before[name] != after[name]} == touched


def test_the_bill_counts_every_part_and_fits_the_limit() -> None:
    board = load_board()
    assert bill.count(board) == sum(e.part.kind != "pad" for e in board.placed) <= 35
    low, high = bill.cost(board)
    assert 0 < low < high
    assert "unverified" in bill.bill_table(board)


def test_a_pin_of_the_header_has_its_number() -> None:
    board = load_board()
    assert bill.gpio(board, "STATUS_TOKEN") == 17
    assert bill.gpio(board, "PI_CE0") == 8


def test_every_symbol_is_drawn_once_and_every_open_end_named() -> None:
    board = load_board()
    sheet = lay_out(board)
    assert {each.placed.ref for each in sheet.drawn} == {e.ref for e in board.placed}
    ends = {(s.drawn.placed.ref, s.end.pin) for s in sheet.spots}
    assert ends == {
        (e.ref, pin.name)
        for e in board.placed
        for pin in e.part.pins
        if pin.name in e.nets or e.part.kind == "resistor-4"
    }
    for one, two, net in sheet.wires:
        on_it = {s.net for s in sheet.spots if s.at in (one, two)}
        assert on_it == {net}


def test_a_pin_that_is_left_open_is_crossed_out() -> None:
    board = load_board()
    sheet = lay_out(board)
    left_open = [each for each in sheet.spots if each.net == OPEN]
    assert [(each.drawn.placed.ref, each.end.pin) for each in left_open] == [
        ("RN4", "D1"),
        ("RN4", "D2"),
    ]
    assert svg.draw(board, sheet).count(svg.CUT) == 2 * len(left_open)


def test_a_part_without_a_place_is_an_error() -> None:
    with pytest.raises(BoardError, match="no place for R9"):
        lay_out(changed("\n[bench]", "\nR9  2k2  1=RAIL 2=GND\n\n[bench]"))


def test_the_wiring_in_the_readme_is_that_of_the_board() -> None:
    page = Path(BOARD.parents[1], "README.md").read_text("utf-8")
    board = load_board()
    assert bill.connector_table(board).strip() in page
    assert f"| parts | 35 | {bill.count(board)} |" in page
