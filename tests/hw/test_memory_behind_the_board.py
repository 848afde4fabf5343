"""The driver of the serial SRAM against a chip on the rail that ngspice simulated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from interlocked import MODE_V, WORKS_V, InterlockedSram, Rail, simulated_rail
from vaults import Bench, lease

from doorsill.certificates import claims
from doorsill.consent.reasons import Reason
from doorsill.drivers.media.medium import NoAnswer, read_all
from doorsill.drivers.media.sram import SramMedium
from doorsill.errors import UntrustedError
from interlock.netlist import Board, load_board
from interlock.spice.scenarios import PULLED
from interlock.spice.world import World

RECORD = bytes(range(1, 256)) * 8  # 1.6 ms on the bus, and as much to read back
BACK_S = 0.06  # when the card is in again
# The card goes at 40 ms and comes back at 55.
BACK = World(90, token=((0, 1), (40, 0), (55, 1)), spi="high")


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board()


@pytest.fixture(scope="module")
def pulled(board: Board) -> Rail:
    return simulated_rail(board, BACK)


def flat(*steps: tuple[float, float]) -> Rail:
    """A rail with edges: a second and the volts from then on."""
    times = [t for at, _ in steps for t in (at, at + 1e-6)]
    volts = [v for n, (_, to) in enumerate(steps) for v in (steps[n - 1][1], to)]
    return Rail(times, volts)


def test_a_rail_that_goes_in_the_middle_of_a_write(pulled: Rail) -> None:
    chip = InterlockedSram(pulled, 0.0395)
    medium = SramMedium(chip)
    with pytest.raises(NoAnswer):
        medium.append(RECORD)
    assert pulled.at(chip.now_s) < WORKS_V
    for act in (medium.blank, lambda: medium.read_back(0, 4)):
        with pytest.raises(NoAnswer):
            act()


def test_a_rail_that_is_back_with_garbage(pulled: Rail) -> None:
    chip = InterlockedSram(pulled, 0.030)
    medium = SramMedium(chip)
    medium.append(RECORD)
    chip.wait_until(BACK_S + 0.01)
    assert pulled.at(chip.now_s) >= WORKS_V
    assert bytes(chip.memory[: len(RECORD)]) != RECORD
    with pytest.raises(NoAnswer, match="its power is gone, or was"):
        medium.read_back(0, len(RECORD))
    medium.blank()
    assert read_all(medium, b"seed")[1] is True


def test_a_slow_discharge_keeps_the_record_and_the_blanking_overwrites_it() -> None:
    """Cells outlive a short loss of power: why a dead rail proves no empty memory."""
    chip = InterlockedSram(flat((0, 3.3), (0.040, 1.0), (0.050, 3.3)), 0.01)
    medium = SramMedium(chip)
    medium.append(RECORD)
    chip.wait_until(0.055)
    kept = sum(a == b for a, b in zip(chip.memory, RECORD, strict=False))
    assert kept > len(RECORD) * 0.99
    with pytest.raises(NoAnswer):
        medium.read_back(0, 4)
    medium.blank()
    assert read_all(medium, b"seed")[1] is True


def test_a_brown_out_that_resets_nothing_is_not_noticed_by_the_mode() -> None:
    """Cells turn and the chip answers on: each record's seal sees it, not the driver.

    The blanking at the end overwrites and reads back every byte all the same.
    """
    chip = InterlockedSram(flat((0, 3.3), (0.040, 2.0), (0.045, 3.3)), 0.01)
    medium = SramMedium(chip)
    for _ in range(5):
        medium.append(RECORD)
    chip.wait_until(0.050)
    assert chip.rail.lowest(0.01, 0.05) > MODE_V
    assert medium.read_back(0, 5 * len(RECORD)) != RECORD * 5
    medium.blank()
    assert read_all(medium, b"seed")[1] is True


def test_a_brown_out_in_the_middle_of_a_write_is_an_error() -> None:
    chip = InterlockedSram(flat((0, 3.3), (0.040, 2.0), (0.0405, 3.3)), 0.039)
    with pytest.raises(UntrustedError, match=r"power is gone|had not been written"):
        SramMedium(chip).append(RECORD)


def test_the_vault_says_no_answer_and_blanks_when_power_is_back(
    tmp_path: Path, board: Board
) -> None:
    """The rail of ngspice, the real driver, the real vault: to its certificate."""
    died = simulated_rail(board, replace(PULLED, stop_ms=60))
    back = 0.062
    course = Rail([*died.times, back, back + 1e-6], [*died.volts, 0.0, 3.3])
    chip = InterlockedSram(course, 0.005)
    bench = Bench(tmp_path, SramMedium(chip))
    bench.vault.start()  # no edge of the watchdog yet: no power
    assert bench.vault.silent
    chip.wait_until(0.063)
    bench.vault.open(lease())
    bench.seal(2)
    chip.rail = Rail([0, 1], [0.0, 0.0])
    bench.vault.close(Reason.REMOVED)
    assert bench.vault.silent and not bench.vault.verified_blank
    removed = bench.verified()[-1].body
    assert removed["nist_class"] == claims.NOT_YET and removed["key"]["destroyed"]
