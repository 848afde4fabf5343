"""The overlay fits its board and no other; the EEPROM says what went into it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interlock.bill import gpio
from interlock.errors import BoardError
from interlock.meaning import HEADER
from interlock.netlist import Board, load_board
from interlock.tree import eeprom, overlay
from interlock.tree.overlay import BASE, check

needs_schemas = pytest.mark.skipif(
    not overlay.can_validate(), reason="no dt-validate: apt-get install dt-schema"
)


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board()


@pytest.fixture(scope="module")
def source(board: Board) -> str:
    return overlay.overlay(board)


def test_it_is_compiled_applied_and_valid(source: str) -> None:
    tree = check(source)
    assert "brcm,pins = <0x11 0x1b 0x16>" in tree
    assert tree.index('status = "okay"') > tree.index("spi@")


def test_linux_can_switch_no_rail(source: str, board: Board) -> None:
    body = source[source.index("*/") :]
    assert "regulator" not in body and "gpios" not in body
    assert set(board[HEADER].nets.values()).isdisjoint(
        {"RAIL", "SWITCH_GATE", "TOKEN_OK", "CASE_OK", "WD_OK"}
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        pytest.param("&spidev0", "&spidev7", "fdtoverlay: .*NOTFOUND", id="no label"),
        pytest.param(
            "= <10000000>", "= <90000000>", "greater than",
            id="too fast", marks=needs_schemas,
        ),
        pytest.param(
            "= <10000000>", '= "fast"', "not of type",
            id="no number", marks=needs_schemas,
        ),
        pytest.param(
            "spi-max-frequency", "vdd-supply", "not allowed|Unevaluated|unexpected",
            id="a regulator for it", marks=needs_schemas,
        ),
        pytest.param('status = "okay"', "status = okay", "dtc: ", id="no text"),
        pytest.param(
            '"brcm,bcm2711", "brcm,bcm2712"', '"brcm,bcm2835"',
            "the overlay is for brcm,bcm2835, the tree is that of", id="another board",
        ),
    ],
)  # fmt: skip
def test_an_overlay_that_does_not_fit_fails(
    source: str, old: str, new: str, says: str
) -> None:
    assert source.count(old) == 1
    with pytest.raises(BoardError, match=says):
        check(source.replace(old, new))


def test_a_tree_without_the_bus_fails(source: str) -> None:
    base = BASE.read_text("utf-8").replace("spidev0:", "")
    with pytest.raises(BoardError, match="NOTFOUND"):
        check(source, base)


def test_a_program_that_is_missing_is_named(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BoardError, match="no dtc: apt-get install device-tree-comp"):
        check(source)


def test_a_line_that_moves_moves_in_the_overlay(board: Board, source: str) -> None:
    moved = board.rewired("J1", "16", "WATCHDOG").rewired("J1", "15", "GND")
    assert gpio(moved, "WATCHDOG") == 23
    assert overlay.overlay(moved) == source.replace("27 22>", "27 23>")
    with pytest.raises(BoardError, match="WATCHDOG lies on no GPIO"):
        gpio(board.rewired("J1", "15", "GND"), "WATCHDOG")


def test_the_eeprom_is_read_as_it_was_written() -> None:
    image = eeprom.build()
    assert image.startswith(b"R-Pi\x02") and eeprom.dump(image) == eeprom.OURS
    assert overlay.NAME in eeprom.text() and ".dtbo" not in eeprom.text()
    assert eeprom.crc16(b"123456789") == 0xBB3D  # the check value of CRC-16/ARC


@pytest.mark.parametrize(
    ("image", "says"),
    [
        pytest.param(b"", "cut short", id="empty"),
        pytest.param(b"R-Pi\x01" + bytes(20), "no image of a HAT", id="version"),
        pytest.param(eeprom.build()[:-1], "no image", id="a byte short"),
        pytest.param(
            eeprom.build().replace(b"interlock", b"interl0ck", 1),
            "atom 1 of the EEPROM's image is damaged",
            id="one bit",
        ),
    ],
)
def test_a_damaged_image_is_refused(image: bytes, says: str) -> None:
    with pytest.raises(BoardError, match=says):
        eeprom.dump(image)


def test_an_image_that_does_not_fit_the_chip_is_refused() -> None:
    with pytest.raises(BoardError, match="the chip 4096"):
        eeprom.build(replace(eeprom.OURS, overlay="x" * 5000))
