"""Feeds a parser for a while: all that is no error of ours is a finding."""

from __future__ import annotations

import hashlib
import os
import random
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from doorsill.errors import DoorsillError

from .mutating import mutated

SLOW_S = 5.0  # one input that takes longer is a finding as well
TRIES = 3  # of one that took longer without the processor's time: who else was at work?
FOUND = Path(__file__).parent / "found"


@dataclass(frozen=True, slots=True)
class Parser:
    """What reads bytes from outside, with good ones to begin from."""

    seeds: Sequence[bytes]
    feed: Callable[[bytes], object]  # raises DoorsillError, and nothing else
    close: Callable[[], object] = bool  # lets go of what it holds


@dataclass(slots=True)
class Report:
    """What came of it; ``unhandled`` is one input by the place where it broke."""

    inputs: int = 0
    accepted: int = 0
    unhandled: dict[str, bytes] = field(default_factory=dict)


def run(
    parser: Parser, seconds: float, seed: int, least: int = 1, most: int = 1 << 30
) -> Report:
    """Feed mutations for ``seconds``, ``least`` to ``most`` inputs in any case."""
    dice, report = random.Random(seed), Report()
    ends = time.monotonic() + seconds
    while report.inputs < least or time.monotonic() < ends:
        if report.inputs >= most:
            break
        data = mutated(dice.choice(parser.seeds), dice)
        report.inputs += 1
        broke = feed(parser, data)
        if broke is None:
            report.accepted += 1
        elif broke:
            report.unhandled.setdefault(broke, data)
    return report


def feed(parser: Parser, data: bytes) -> str | None:
    """None where it was taken, "" where refused as it must be, else what broke.

    Slow is what takes SLOW_S of the processor, its children's included, or of the clock
    each time: a busy machine lets anything wait once.
    """
    for _ in range(TRIES):
        worked, began = worked_s(), time.monotonic()
        said = _fed(parser, data)
        took, worked = time.monotonic() - began, worked_s() - worked
        if took <= SLOW_S:
            return said
        if worked > SLOW_S:
            break
    return f"it took {took:.1f} s"


def _fed(parser: Parser, data: bytes) -> str | None:
    try:
        parser.feed(data)
    except DoorsillError as error:
        return "" if str(error) else "an error of ours without a word"
    except Exception as error:
        places = traceback.extract_tb(error.__traceback__)
        ours = [each for each in places if "doorsill" in each.filename] or places
        where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
        return f"{type(error).__name__} at {where}"
    return None


def worked_s() -> float:
    """Seconds of the processor until now, of us and of all children that have ended."""
    return sum(os.times()[:4])


def keep(name: str, data: bytes) -> Path:
    """Write an input that broke a parser to where the suite feeds it again."""
    folder = FOUND / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(data).hexdigest()[:12]}.bin"
    path.write_bytes(data)
    return path


def found(name: str) -> list[Path]:
    """The inputs that broke ``name`` once."""
    return sorted((FOUND / name).glob("*.bin"))
