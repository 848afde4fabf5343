"""The overlay fits its board and no other; the EEPROM says what went into it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from limits import PROGRAM_S

from interlock.bill import gpio
from interlock.errors import BoardError
from interlock.meaning import HEADER
from interlock.netlist import Board, load_board
from interlock.tree import eeprom, overlay
from interlock.tree.overlay import TREES, check, check_all, decompile


def can_validate() -> bool:
    try:
        return bool(overlay.validator())
    except BoardError:
        return False


pytestmark = pytest.mark.skipif(not can_validate(), reason="no dt-validate: make setup")
on_every_board = pytest.mark.parametrize(
    "base", [pytest.param(each.read_text("utf-8"), id=each.stem) for each in TREES]
)


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board()


@pytest.fixture(scope="module")
def source(board: Board) -> str:
    return overlay.overlay(board)


@on_every_board
def test_it_is_compiled_applied_and_valid(source: str, base: str) -> None:
    tree = check(source, base)
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
        pytest.param("= <10000000>", "= <90000000>", "greater than", id="too fast"),
        pytest.param("= <10000000>", '= "fast"', "not of type", id="no number"),
        pytest.param(
            "spi-max-frequency = <10000000>;",
            "spi-max-frequency = <10000000>; vdd-supply = <&gpio>;",
            "'vdd-supply' was unexpected",
            id="a regulator for it",
        ),
        pytest.param("<0 0 1>", "<0 0 9>", "pull:2: 9 is greater", id="no such pull"),
        pytest.param(
            "pinctrl-0 = <&interlock_pins>;", "", "'pinctrl-0' is a dep", id="no pins"
        ),
        pytest.param('status = "okay"', "status = okay", "dtc: ", id="no text"),
        pytest.param(
            '"brcm,bcm2711", "brcm,bcm2712"',
            '"brcm,bcm2835"',
            "the overlay is for brcm,bcm2835, the tree is that of",
            id="another board",
        ),
    ],
)
@on_every_board
def test_an_overlay_that_does_not_fit_fails(
    source: str, base: str, old: str, new: str, says: str
) -> None:
    assert source.count(old) == 1
    with pytest.raises(BoardError, match=says):
        check(source.replace(old, new), base)


def test_an_overlay_without_any_pins_fails(source: str) -> None:
    """The schema knows the memory by its pins: without them it would not look."""
    lines = [each for each in source.splitlines() if "pinctrl" not in each]
    with pytest.raises(BoardError, match="does not hold the pins of token"):
        check("\n".join(lines), TREES[0].read_text("utf-8"))


@pytest.mark.parametrize("label", ["spidev0: ", "spi0: ", "gpio: "])
@on_every_board
def test_a_tree_that_lacks_a_label_fails(source: str, base: str, label: str) -> None:
    base = base.replace("pinctrl-0 = <&spi0_pins &spi0_cs_pins>;", "")
    base = base.replace("cs-gpios = <&gpio 8 1>, <&gpio 7 1>;", "")
    check(source, base)
    with pytest.raises(BoardError, match="NOTFOUND"):
        check(source, base.replace(label, ""))


def test_a_real_tree_is_tried_as_well(source: str, tmp_path: Path) -> None:
    """As of a Pi, compiled, with nodes that no schema of ours knows."""
    strange = (
        TREES[1]
        .read_text("utf-8")
        .replace("gpio-controller;", "gpio-controller; vendor,unknown = <1 2 3>;")
    )
    (tmp_path / "real.dts").write_text(strange)
    real = tmp_path / "real.dtb"
    words = ["-q", *overlay.COMPILED, "-o", str(real), str(tmp_path / "real.dts")]
    subprocess.run(["dtc", *words], check=True, timeout=PROGRAM_S)
    assert check_all(source, [real]).keys() == {"pi4", "pi5", "real"}
    fast = source.replace("= <10000000>", "= <90000000>")
    with pytest.raises(BoardError, match="greater than the maximum"):
        check(fast, decompile(real))
    real.write_bytes(b"no tree")
    with pytest.raises(BoardError, match="dtc: "):
        check_all(source, [real])
    with pytest.raises(BoardError, match="there is no device tree"):
        check_all(source, [tmp_path / "none.dtb"])


def test_words_alone_decide(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dt-validate ends with 0 in any case; one that is broken is no pass either."""
    for says, found in (
        ("echo whole.dtb: gpio@d0000: strange: unknown", None),
        ("echo '\tfrom schema $id: x'", None),
        ("echo whole.dtb: spidev@0: reg: wrong", "reg: wrong"),
        ("echo Traceback >&2; echo KeyError >&2", "KeyError"),
        ("exit 3", "3"),
    ):
        fake = tmp_path / "dt-validate"
        fake.write_text(f"#!/bin/sh\n{says}\n")
        fake.chmod(0o755)
        monkeypatch.setattr(overlay, "INSTALLED", tmp_path)
        if found is None:
            check(source, TREES[0].read_text("utf-8"))
            continue
        with pytest.raises(BoardError, match=found):
            check(source, TREES[0].read_text("utf-8"))


def test_a_program_that_is_missing_is_named(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    base = TREES[0].read_text("utf-8")
    with pytest.raises(BoardError, match="no dtc: apt-get install device-tree-comp"):
        check(source, base)
    monkeypatch.setattr(overlay, "INSTALLED", Path("/nowhere"))
    with pytest.raises(BoardError, match="no dt-validate: `make hw` installs it"):
        overlay.validator()


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
