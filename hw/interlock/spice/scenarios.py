"""What may happen to the board, and what must hold then.

Each scenario says what a simulation of it does not show, and which measurement on the
bench would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from interlock.meaning import LATE_MS, RAIL
from interlock.spice.deck import Measure
from interlock.spice.world import World

DEAD_V = 0.1  # below it the rail counts as off
TOKEN_MS = 10.0  # from the card's or the case's contact to a dead rail
WATCHDOG_MS = 50.0  # from the last edge to a dead rail
PI_A = 0.060  # that we take from the Pi's 5 V at most
MEMORY_V = 2.5  # that the memory needs (DS20005142)
HIGHEST_V = 3.47  # 3.3 V and 5 %: nothing on the rail sees more


@dataclass(frozen=True, slots=True)
class Check:
    """One measurement, and the limit that it must keep."""

    measure: Measure
    sign: str  # "<=" or ">="
    limit: float  # volts, amperes; seconds of a "below"
    since_ms: float = 0.0  # a "below" counts from here

    def holds(self, figures: dict[str, float]) -> bool:
        """Whether it was measured, and keeps the limit."""
        found = self.value(figures)
        if found is None:
            return False
        return found <= self.limit if self.sign == "<=" else found >= self.limit

    def value(self, figures: dict[str, float]) -> float | None:
        """What was measured; None where the run never came there."""
        found = figures.get(self.measure.name)
        if found is None or self.measure.how != "below":
            return found
        return found - self.since_ms / 1e3


@dataclass(frozen=True, slots=True)
class Scenario:
    """A course of events, its checks, and the limits of what it shows."""

    name: str
    says: str
    world: World
    checks: tuple[Check, ...]
    not_shown: str
    bench: str
    waves: tuple[str, ...] = (RAIL, "TOKEN_LOOP", "WATCHDOG", "SWITCH_GATE")
    moved: tuple[tuple[str, str, str], ...] = ()  # pins on another net: ref, pin, net


def most(name: str, net: str, volts: float, start: float, end: float) -> Check:
    """``net`` stays at or below ``volts`` from ``start`` to ``end`` (ms)."""
    return Check(Measure(name, "max", net, start, end), "<=", volts)


def least(name: str, net: str, volts: float, start: float, end: float) -> Check:
    """``net`` stays at or above ``volts`` from ``start`` to ``end`` (ms)."""
    return Check(Measure(name, "min", net, start, end), ">=", volts)


def falls(start: float, limit: float, end: float) -> tuple[Check, ...]:
    """The rail is dead ``limit`` ms after ``start``, and stays so."""
    below = Measure("dead_after", "below", RAIL, start, end, DEAD_V)
    return (
        Check(below, "<=", limit / 1e3, start),
        most("then_at_most", RAIL, DEAD_V, start + limit, end),
    )


UP = least("up_before", RAIL, MEMORY_V, 20, 39)
PULLED = World(70, token=((0, 1), (40, 0)), spi="high")
# ms at which the contact changes: it closes for good at 42 and opens for good at 80.
BOUNCES = (0, 30, 31, 33, 34, 37, 38, 42, 70, 71, 73, 74, 76, 77, 80)
REMANENCE = (
    "Whether the cells forget: a dead rail is not empty silicon, least of all in cold."
)
READ_AFTER = (
    "Write a pattern, pull the card for 0.01 to 10 s at -10, 25 and 60 °C, read back, "
    "count the bits that stayed."
)
SCOPE = "Oscilloscope at TP4, trigger at TP6, all lines of the Pi high; 20 pulls."

SCENARIOS = (
    Scenario(
        "token-pulled",
        "The card goes while every line of the Pi is high and the watchdog still beats",
        PULLED,
        (UP, *falls(40, TOKEN_MS, 70)),
        REMANENCE,
        READ_AFTER,
    ),
    Scenario(
        "case-opened",
        "The case is opened while every line of the Pi is high",
        World(70, case=((0, 1), (40, 0)), spi="high"),
        (UP, *falls(40, TOKEN_MS, 70)),
        "How far the lid opens before its switch does.",
        "Feeler gauge between lid and case while the rail is watched at TP4.",
        (RAIL, "CASE_LOOP", "CASE_OK", "SWITCH_GATE"),
    ),
    Scenario(
        "watchdog-stuck-high",
        "The vault dies with its pin high",
        World(110, alive=(1, 40), stuck=1, spi="high"),
        (UP, *falls(40, WATCHDOG_MS, 110)),
        "When a process that hangs stops its edges.",
        "SIGSTOP the vault; time from the last edge at pin 15 to TP4.",
        (RAIL, "WATCHDOG", "WD_TIME", "WD_OK"),
    ),
    Scenario(
        "watchdog-stuck-low",
        "The vault dies with its pin low",
        World(110, alive=(1, 40), spi="high"),
        (UP, *falls(40, WATCHDOG_MS, 110)),
        "As above.",
        "As above, with the pin low.",
        (RAIL, "WATCHDOG", "WD_TIME", "WD_OK"),
    ),
    Scenario(
        "watchdog-too-slow",
        "One edge in 100 ms: the rail is dead again before each next edge",
        World(310, period_ms=100, alive=(10, 1e9), spi="high"),
        tuple(
            most(f"dead_before_{n}", RAIL, DEAD_V, 10 + 100 * n + 50, 10 + 100 * n + 99)
            for n in range(3)
        ),
        "The one-shot's own time over temperature: K of its data sheet, within 15 %.",
        "Function generator at pin 15, 5 to 50 Hz; note where the rail breaks.",
        (RAIL, "WATCHDOG", "WD_TIME", "WD_OK"),
    ),
    Scenario(
        "watchdog-late",
        "The vault's pulses come as late as it calls late: the rail stays",
        World(120, period_ms=LATE_MS, alive=(10, 1e9)),
        (least("never_below", RAIL, MEMORY_V, 20, 120),),
        "How late a busy Pi is: `make bench ONLY=watchdog` says it of a machine.",
        "Logic analyser at pin 15 for a day of work: the longest gap.",
        (RAIL, "WATCHDOG", "WD_TIME", "WD_OK"),
    ),
    Scenario(
        "all-lines-high",
        "No card; software drives every pin that it has, the two status pins as well",
        World(60, token=((0, 0),), spi="high", status_high=True),
        (most("never_above", RAIL, DEAD_V, 0, 60),),
        "Leakage of the real parts: the model takes the limit of each data sheet.",
        "Volts at TP4 with every GPIO driven high, at 60 °C.",
        (RAIL, "TOKEN_OK", "WD_OK", "SWITCH_GATE"),
    ),
    Scenario(
        "brown-out",
        "5 V sags to 2.5 V for 15 ms while all agree: the rail is cut and returns",
        World(90, supply_v=((0, 5), (40, 2.5), (55, 5)), spi="high"),
        (
            UP,
            most("dead_within", RAIL, DEAD_V, 50, 55),
            least("back_after", RAIL, MEMORY_V, 80, 90),
            most("never_above", RAIL, HIGHEST_V, 0, 90),
        ),
        "What the memory's cells hold after a sag: the driver reads back and blanks.",
        "Programmable supply; the pattern of READ after each sag.",
        (RAIL, "5V", "POWER_GOOD", "SWITCH_GATE"),
    ),
    Scenario(
        "brown-out-no-card",
        "5 V sags and returns slowly while there is no card",
        World(
            90,
            supply_v=((0, 5), (30, 2.5), (40, 1.5), (50, 0.8), (60, 2.0), (70, 5)),
            token=((0, 0),),
            spi="high",
            status_high=True,
        ),
        (most("never_above", RAIL, DEAD_V, 0, 90),),
        "Comparators below 1.5 V, which no data sheet describes.",
        "Ramp 5 V from 0 to 5 V in 1 to 1,000 ms and back; peak hold at TP4.",
        (RAIL, "5V", "POWER_GOOD", "SWITCH_GATE"),
    ),
    Scenario(
        "bounce",
        "The card comes with 12 ms of bouncing contacts and goes with as much",
        World(
            110,
            token=tuple((at, n % 2) for n, at in enumerate(BOUNCES)),
        ),
        (
            most("dead_before", RAIL, DEAD_V, 0, 30),
            least("up_between", RAIL, MEMORY_V, 45, 70),
            most("never_above", RAIL, HIGHEST_V, 0, 110),
            *falls(80, TOKEN_MS, 110),
        ),
        "The contacts of a real reader.",
        "Record 100 insertions at TP6 with a scope; replay them as this course.",
    ),
    Scenario(
        "low-supply",
        "4.75 V at the header",
        replace(PULLED, supply_v=((0, 4.75),)),
        (UP, *falls(40, TOKEN_MS, 70)),
        "Drop in the header and its wires.",
        "Volts at TP2 and TP4 under load.",
    ),
    Scenario(
        "high-supply",
        "5.25 V at the header",
        replace(PULLED, supply_v=((0, 5.25),)),
        (UP, most("never_above", RAIL, HIGHEST_V, 0, 70), *falls(40, TOKEN_MS, 70)),
        "Surges above 5.25 V.",
        "Volts at TP4 while the supply is plugged in 20 times, peak hold.",
    ),
    Scenario(
        "discharge-shorted",
        "The discharge transistor is shorted: the rail works, and dies as fast",
        replace(PULLED, extra=("RFAULT n_discharge 0 0.5",)),
        (
            UP,
            Check(Measure("from_the_pi", "min", "i(vsupply)", 20, 39), ">=", -PI_A),
            *falls(40, TOKEN_MS, 70),
        ),
        "Heat in R2 over years: 36 mW of its 100.",
        "Ohms from TP4 to TP1 without power: 330 instead of 2,200.",
        (RAIL, "TOKEN_LOOP", "DISCHARGE", "SWITCH_GATE"),
    ),
    Scenario(
        "discharge-open",
        "The discharge transistor never closes: the bleeder alone is fast enough",
        PULLED,
        (UP, *falls(40, TOKEN_MS, 70)),
        "That it broke: nothing shows it in use.",
        "Time from TP6 to a dead TP4 above 1 ms at the yearly test.",
        (RAIL, "TOKEN_LOOP", "DISCHARGE", "SWITCH_GATE"),
        (("Q3", "G2", "GND"),),
    ),
    Scenario(
        "power-on",
        "5 V comes with the card in and the case shut: dead until the first edge",
        World(90, supply_v=((0, 0), (10, 5)), alive=(50, 1e9), spi="high"),
        (
            most("dead_until", RAIL, DEAD_V, 0, 50),
            least("up_then", RAIL, MEMORY_V, 55, 90),
        ),
        "What the pins of a Pi do while it boots.",
        "Watch pin 15 and TP4 over 20 boots.",
        (RAIL, "5V", "WATCHDOG", "POWER_GOOD"),
    ),
    Scenario(
        "pi-halted",
        "5 V is on and the Pi's own 3.3 V is off: nothing feeds its pins",
        World(60, pi_v=((0, 0),), spi="low"),
        (
            most("dead", RAIL, DEAD_V, 0, 60),
            most("status", "STATUS_TOKEN", DEAD_V, 0, 60),
            most("miso", "PI_MISO", DEAD_V, 0, 60),
        ),
        "The protection diodes of the Pi's own chip.",
        "Volts at pins 11, 13, 15, 21 of a halted Pi.",
        (RAIL, "STATUS_TOKEN", "PI_MISO", "TOKEN_LOOP"),
    ),
    Scenario(
        "at-work",
        "All agree and the memory is used: what the board takes from the Pi",
        World(60),
        (
            UP,
            Check(Measure("from_the_pi", "min", "i(vsupply)", 20, 60), ">=", -PI_A),
            Check(Measure("lamp", "min", "i(vd1)", 20, 60), ">=", 0.002),
        ),
        "The current of the memory at 10 MHz: the model takes the data sheet's limit.",
        "Ammeter in the 5 V line while the vault blanks the memory.",
        (RAIL, "PI_CE0", "PI_MISO", "MEM_SCK"),
    ),
)

# The design without its buffer: the fault that a probe found. The same check must fail.
CONTROL = Scenario(
    "control-no-buffer",
    "Negative control: the lines reach the memory past the buffer, and feed the rail",
    PULLED,
    (UP, *falls(40, TOKEN_MS, 70)),
    "-",
    "-",
    moved=(("U6", "CS", "PI_CE0"), ("U6", "SI", "PI_MOSI"), ("U6", "SCK", "PI_SCLK")),
)
