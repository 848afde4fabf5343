"""What stands around the board in a deck: supply, card, case, watchdog, the Pi.

Times are in milliseconds, as a person says them; a deck has them in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from interlock.meaning import END_OHM, PULSE_MS
from interlock.spice.models import node

Steps = Sequence[tuple[float, float]]  # from this millisecond on, this level
EDGE_S = 5e-6  # of a contact or a pin
HIGH_MS = 0.05  # of a pulse of the watchdog: software drives it high and low at once
PI_OHM = 33.0  # of a pin of the Pi
PI_V = 3.3
SENSOR_OHM = 13.2  # a sensor that takes 250 mA
LINES = ("PI_SCLK", "PI_MOSI", "PI_CE0")


@dataclass(frozen=True, slots=True)
class World:
    """One course of events, from a start at which all has settled."""

    stop_ms: float
    supply_v: Steps = ((0, 5.0),)
    pi_v: Steps = ((0, PI_V),)
    token: Steps = ((0, 1),)  # 1: the card's contact is closed
    case: Steps = ((0, 1),)  # 1: the case is shut
    period_ms: float = PULSE_MS  # of the watchdog
    alive: tuple[float, float] = (1.0, 1e9)  # from, to: the edges of the watchdog
    stuck: float = 0.0  # where the watchdog's pin stays then, 0 or 1
    spi: str = "busy"  # or all lines of the Pi are held "high", MISO as well, or "low"
    status_high: bool = False  # software drives the two pins that should only read
    extra: tuple[str, ...] = field(default=())  # lines of a fault


def course(steps: Steps, scale: float = 1.0) -> str:
    """The steps as a source that changes within EDGE_S."""
    points = [f"0 {steps[0][1] * scale:.6g}"]
    for (_, before), (at, level) in pairwise(steps):
        second = at / 1e3
        points += [f"{second:.9g} {before * scale:.6g}"]
        points += [f"{second + EDGE_S:.9g} {level * scale:.6g}"]
    return f"PWL({' '.join(points)})"


def beats(world: World) -> Steps:
    """The watchdog's pin, edge by edge."""
    at, end = world.alive
    found = [(0.0, 0.0)]
    while at < min(end, world.stop_ms):
        found += [(at, 1.0), (at + HIGH_MS, 0.0)]
        at += world.period_ms
    if end < world.stop_ms:
        found.append((max(end, found[-1][0] + 0.1), world.stuck))
    return found


def lines(world: World) -> list[str]:
    """The lines of a deck for the world."""
    status = "V" if world.status_high else "R"
    value = f"DC {PI_V}" if world.status_high else "10meg"
    return [
        f"VSUPPLY {node('5V')} 0 {course(world.supply_v)}",
        f"VPI {node('PI_3V3')} 0 {course(world.pi_v)}",
        *_contact("TOKEN", world.token),
        *_contact("CASE", world.case),
        f"VWD wd_s 0 {course(beats(world), PI_V)}",
        f"RWD wd_s {node('WATCHDOG')} {PI_OHM}",
        *_spi(world.spi),
        f"{status}ST {node('STATUS_TOKEN')} 0 {value}",
        f"{status}SC {node('STATUS_CASE')} 0 {value}",
        f"RIDD {node('ID_SD')} 0 10meg",
        f"RIDC {node('ID_SC')} 0 10meg",
        f"VRIBBON {node('RIBBON_3V3')} 0 {PI_V}",
        f"RSENSOR {node('SENSOR_3V3')} 0 {SENSOR_OHM}",
        *world.extra,
    ]


def _contact(name: str, steps: Steps) -> list[str]:
    low = name.lower()
    return [
        f"V{name} {low}_s 0 {course(steps)}",
        f"S{name} {node(name + '_LOOP')} {low}_end {low}_s 0 CONTACT",
        f"R{name}END {low}_end 0 {END_OHM}",
    ]


def _spi(how: str) -> list[str]:
    if how == "high":
        held = [*LINES, "PI_MISO"]
        return [f"VH{each} {node(each)} 0 {PI_V}" for each in held]
    if how == "low":
        return [f"RH{each} {node(each)} 0 100k" for each in (*LINES, "PI_MISO")]
    found = [f"VCE ce_s 0 PULSE(0 {PI_V} 0 1u 1u 1m 2m)"]
    found += [f"VCK ck_s 0 PULSE(0 {PI_V} 0 1u 1u 250u 500u)"]
    sources = ("ck_s", "ck_s", "ce_s")
    return [
        *found,
        *(
            f"RH{each} {source} {node(each)} {PI_OHM}"
            for each, source in zip(LINES, sources, strict=True)
        ),
        f"RMISO {node('PI_MISO')} 0 10meg",
    ]


SHARED = (".model CONTACT SW(VT=0.5 VH=0.01 RON=0.5 ROFF=1e9)",)
