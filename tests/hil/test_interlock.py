"""Key switch, consent lamp and the interlock's pulses: the real vault on real lines.

A program plays the chip (gpio-sim), and the kernel says what each line does.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from rig.guest import PIN, Guest

from doorsill.drivers.gpio.status_lamp import AGAIN_S
from doorsill.drivers.token.piv_fake import VirtualCard

from .camera import BLANK_S, OPEN_S, READY_S, Camera

LISTENED_S = 2.0
LEAST = 20  # pulses in that time, on a quiet machine: an emulated loop is slow
LAMP_S = 5.0
Note = Any


@pytest.fixture(scope="module")
def wired(camera: Camera) -> Iterator[Camera]:
    """The vault of a camera whose header has all three; its card is out."""
    if not camera.has_layer():
        pytest.skip("a Pi's lines are watched on the bench: hw/bench.md")
    camera.board.pull()
    camera.give_vault()
    camera.until(lambda: camera.vault().get("verified_blank"), BLANK_S, camera.words)
    yield camera
    camera.run("systemctl stop doorsill-vault")  # its pulses keep a processor busy


@pytest.fixture(scope="module")
def card(camera: Camera) -> VirtualCard:
    return camera.office.card()


def test_its_unit_sees_pins_and_nothing_else_of_dev(wired: Camera) -> None:
    """Which four lines of doorsill.txt have asked for; before, it saw no device."""
    show = "systemctl show --value doorsill-vault -p"
    seen = set(wired.run(f"{show} DeviceAllow").splitlines())
    assert seen - {"char-rtc r"} == {"char-gpiochip rw"}  # ProtectClock= adds that
    assert wired.run(f"{show} SupplementaryGroups") == "gpio"
    assert wired.run(f"{show} DropInPaths").count("/run/systemd/generator/") == 1
    assert wired.run(f"{show} NeedDaemonReload") == "no"


def test_a_key_that_is_turned_off_keeps_the_vault_shut(
    wired: Camera, card: VirtualCard
) -> None:
    """And the lamp is lit exactly while it is open."""
    assert not wired.board.lamp("consent")
    wired.board.turn_key(False)
    wired.board.insert(card)
    wired.until(lambda: wired.vault()["card_in"], OPEN_S, wired.words)
    assert wired.vault()["state"] == "blank"
    wired.board.turn_key(True)
    wired.until(lambda: wired.vault()["state"] == "open", OPEN_S, wired.words)
    wired.until(lambda: wired.board.lamp("consent"), LAMP_S, wired.words)
    wired.board.turn_key(False)
    wired.until(lambda: wired.vault().get("verified_blank"), BLANK_S, wired.words)
    assert not wired.board.lamp("consent")
    assert wired.vault()["last_reason"] == "line-low"
    wired.board.pull()


def test_the_status_lamp_is_lit_while_it_counts(wired: Camera) -> None:
    """It found its line by name, which came after it had started."""
    wired.until(lambda: wired.state() == "ready", READY_S, wired.last_words)
    wired.until(lambda: wired.board.lamp("status"), READY_S, wired.last_words)


def test_the_vault_pulses_while_its_loop_lives(
    wired: Camera, record_property: Note
) -> None:
    rises = wired.pulses(LISTENED_S)
    assert len(rises) > LEAST / wired.console.pace
    gaps = sorted(b - a for a, b in pairwise(rises))
    middle = gaps[len(gaps) // 2] * 1e3
    record_property("pulses", f"{len(rises)}, half within {middle:.1f} ms")
    record_property("late", f"{wired.vault()['late_pulses']} of them, it says")


def test_a_vault_that_hangs_gives_no_pulse_and_goes_on(wired: Camera) -> None:
    """33 ms after the last pulse the memory has no power."""
    wired.run("systemctl kill -s STOP doorsill-vault; sleep 0.1")
    assert wired.pulses(LISTENED_S) == []  # high or low: the board hears edges alone
    wired.run("systemctl kill -s CONT doorsill-vault")
    wired.until(lambda: wired.pulses(LISTENED_S), READY_S, wired.words)


def test_a_vault_that_dies_gives_no_pulse(wired: Camera) -> None:
    assert isinstance(wired.board, Guest)
    wired.run("systemctl mask --runtime doorsill-vault")  # it is not started again
    wired.run("systemctl kill -s KILL doorsill-vault; sleep 0.1")
    assert wired.pulses(LISTENED_S) == []
    assert not wired.board.line(PIN)
    wired.run("systemctl unmask --runtime doorsill-vault")


def test_a_status_lamp_whose_chip_went_is_lit_again(wired: Camera) -> None:
    """As one that is plugged in again; the vault rests meanwhile."""
    board = wired.board
    assert isinstance(board, Guest)
    said = "journalctl --no-pager -u doorsill-first-boot | grep -c 'status lamp is on'"
    before = int(wired.run(said))
    wired.run("systemctl stop doorsill-vault")
    board.plug_gpio(False)
    wired.until(
        lambda: "status lamp is gone" in wired.journal("doorsill-first-boot"),
        LAMP_S + AGAIN_S,
        wired.last_words,
    )
    board.plug_gpio(True)
    wired.until(lambda: int(wired.run(said)) > before, READY_S, wired.last_words)
    wired.until(lambda: wired.board.lamp("status"), READY_S, wired.last_words)
