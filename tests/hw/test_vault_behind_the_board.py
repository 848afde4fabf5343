"""The real vault process, confined, and its memory behind the simulated board.

Its pulses are real, and so are card, driver, gate and certificates. How the rail falls
is ngspice's; what a chip does then is the worst that we can think of
(``worlds/interlocked.py``).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from interlocked import FULL_V, HOLD_S, Order, Rail, Watched, simulated_rail
from limits import END_S, rest, wait_until
from places import ROOT, WORLDS
from vault_process import VaultProcess

from doorsill.certificates import claims
from doorsill.vault.watchdog import FED_FOR_S, PERIOD_S
from interlock.netlist import load_board
from interlock.spice.scenarios import PULLED

CONSENT = 'watchdog_line = "simulated:22"\n'
QUIET_S = 20 * PERIOD_S  # without a pulse in it there are none
ON = Order(Rail([0.0], [FULL_V]))  # card in, case shut
OFF = Order(Rail([0.0], [0.0]))
# How the rail may go, in s and V since then. The last one resets nothing.
SLOWLY = ((0.0, FULL_V), (0.005, 1.0), (0.5, 1.0), (0.6, 1.0))
SAG = ((0.0, FULL_V), (1e-4, 2.0), (0.0045, 2.0), (0.005, FULL_V))


@pytest.fixture(scope="module")
def pulled() -> tuple[tuple[float, float], ...]:
    """The rail since the card went, as ngspice has it, in tenths of a volt."""
    rail, steps = simulated_rail(load_board(), PULLED), [(0.0, FULL_V)]
    for at, volts in zip(rail.times, rail.volts, strict=True):
        if at > 0.040 and abs(volts - steps[-1][1]) > 0.1:
            steps.append((at - 0.040, volts))
    assert steps[-1][1] < 0.2 and steps[-1][0] < 0.001
    return tuple(steps)


class Site:
    """A vault process and the board that it stands on."""

    def __init__(self, folder: Path) -> None:
        self.board = Watched(folder)
        self.board.give(OFF)
        self.board.note(0)
        before = (
            f"sys.path[:0] = [{str(WORLDS)!r}, {str(ROOT / 'hw')!r}]; "
            f"from interlocked import put_behind; put_behind(Path({str(folder)!r}))"
        )
        self.vault = VaultProcess(folder, "spi:/dev/spidev0.0", before, consent=CONSENT)

    def start(self) -> None:
        self.vault.start(wait=False)
        self.vault.until(lambda: self.vault.status()["state"])

    def open(self) -> None:
        """The card closes its contact, and is accepted."""
        self.board.give(ON)
        self.vault.stage.insert()
        self.vault.until_open()

    def shut(self) -> None:
        self.vault.until(lambda: self.vault.status()["state"] != "open")

    def pulses(self) -> None:
        """Wait until there are some more."""
        before = self.board.pulses
        self.vault.until(lambda: self.board.pulses > before + 2)

    def until_quiet(self, within_s: float) -> None:
        """Wait until no pulse came for QUIET_S."""
        count, since = self.board.pulses, time.monotonic()

        def quiet() -> bool:
            nonlocal count, since
            if self.board.pulses != count:
                count, since = self.board.pulses, time.monotonic()
            return time.monotonic() - since > QUIET_S

        wait_until(quiet, "there are pulses still", within_s)

    def kinds(self) -> list[tuple[str, str, bool]]:
        """Reason, class and whether it was read back, of each certificate."""
        return [
            (each.body["reason"], each.body["nist_class"], each.read_back)
            for each in self.vault.chain()
        ]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    with made.vault:
        yield made
    made.board.close()


def test_it_certifies_no_answer_and_then_power_back(site: Site) -> None:
    site.start()
    site.pulses()
    assert "at work, without power" in site.vault.said()
    for _ in range(2):
        site.open()
        site.vault.fill(2)
        site.board.give(OFF)
        site.vault.stage.pull()
        site.shut()
        assert not site.vault.status()["verified_blank"]
        assert site.vault.status()["watchdog"] is True
    assert site.vault.stop() == 0
    chain = site.vault.chain()
    opened = [each for each in chain if each.body["reason"] == "power-back"]
    shut = [each for each in chain if each.body["leases"]]
    assert len(opened) >= 2 and all(each.read_back for each in opened)
    assert len(shut) == 2 and not any(each.read_back for each in shut)
    assert {each.body["nist_class"] for each in shut} == {claims.NOT_YET}


def end(vault: VaultProcess) -> None:
    assert vault.stop() == 0


def kill(vault: VaultProcess) -> None:
    assert vault.stop(signal.SIGKILL) == -signal.SIGKILL


def stop(vault: VaultProcess) -> None:
    os.kill(vault.pid, signal.SIGSTOP)


@pytest.mark.parametrize("act", [end, kill, stop])
def test_a_vault_that_ends_or_is_killed_or_stopped_gives_no_more_pulses(
    site: Site, act: Callable[[VaultProcess], None]
) -> None:
    site.start()
    site.open()
    site.vault.fill(1)
    site.pulses()
    act(site.vault)
    site.until_quiet(END_S)
    if site.vault.process is not None:
        time.sleep(FED_FOR_S)  # it is stopped for longer than any answer counts
        site.vault.process.send_signal(signal.SIGCONT)
        site.vault.until(lambda: site.vault.status()["last_reason"])
        site.pulses()  # the loop lives again; what was open is not any more
    else:
        site.start()
        site.vault.until(lambda: len(site.kinds()) > 1)
    assert site.vault.status()["sealed"] == 0
    assert site.vault.stop() == 0
    shut = [each for each in site.vault.chain() if each.body["leases"]]
    assert shut and all(each.body["key"]["destroyed"] for each in shut)


def test_a_loop_that_hangs_gives_no_pulses_though_its_threads_live(site: Site) -> None:
    site.start()
    site.open()
    site.vault.fill(1)
    site.pulses()
    site.board.give(Order(ON.course, stalled=True))
    hung = time.monotonic()
    while not site.vault.offer() and time.monotonic() < hung + END_S:
        rest()  # the next crop leads the loop to the bus
    site.until_quiet(END_S)
    assert site.vault.process is not None and site.vault.process.poll() is None
    time.sleep(max(0.0, HOLD_S - QUIET_S))  # so long the memory has its power
    site.board.give(ON)
    site.pulses()
    site.vault.until(lambda: site.vault.status()["last_reason"])
    assert site.vault.stop() == 0
    assert "the vault's loop hangs" in site.vault.said()
    assert time.monotonic() - hung > FED_FOR_S
    shut = [each for each in site.vault.chain() if each.body["leases"]]
    assert shut and all(each.body["key"]["destroyed"] for each in shut)


@pytest.mark.parametrize(
    "slowly", [pytest.param(False, id="at once"), pytest.param(True, id="slowly")]
)
def test_the_rail_goes_in_the_middle_of_a_write_and_is_back_with_anything(
    site: Site, pulled: tuple[tuple[float, float], ...], slowly: bool
) -> None:
    """Noise where the rail died at once; the faces themselves where it went slowly."""
    site.start()
    site.open()
    site.vault.fill(2)
    fall = SLOWLY if slowly else pulled
    site.board.give(Order(ON.course, fall, in_a_write=True))
    site.vault.until(
        lambda: site.vault.offer() * 0 or site.vault.status()["last_reason"]
    )
    assert site.vault.status()["last_reason"] == "medium"
    site.board.give(ON)  # the card stays in: it is asked again, and the memory blanked
    site.vault.until_open()
    site.vault.fill(1)
    assert site.vault.stop() == 0
    kinds = site.kinds()
    died = kinds.index(("medium", claims.NOT_YET, False))
    assert kinds[died + 1][0] == "power-back" and kinds[died + 1][2]
    assert kinds[-1][0] == "shutdown" and kinds[-1][2]


def test_a_sag_that_resets_nothing_is_overwritten_with_all_the_rest(
    site: Site,
) -> None:
    """Cells turned and the chip answers on: what is claimed at the end holds still."""
    site.start()
    site.open()
    site.vault.fill(2)
    site.board.give(Order(ON.course, SAG, in_a_write=True))
    site.vault.until(
        lambda: site.vault.offer() * 0 or not site.board.order().in_a_write
    )
    site.vault.stage.pull()
    site.shut()
    site.vault.until_blank()
    assert site.vault.stop() == 0
    shut = [each for each in site.vault.chain() if each.body["leases"]]
    assert shut and all(each.read_back for each in shut)
