"""How far a camera is on its way into service: the words, and the lamp's pattern.

The same table is on the label's back, in ``doorsill-status.txt`` and on the lamp.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import repeat

STATUS_NAME = "doorsill-status.txt"
FLASH_S, BETWEEN_S, PAUSE_S = 0.2, 0.3, 1.6  # of a lamp that flashes some times
FLICKER_S = 0.1  # lit, and dark, of one that flickers
STEADY_S = 3600.0  # of one that is lit all the time


@dataclass(frozen=True, slots=True)
class Step:
    """A step: in a word, how often the lamp flashes, and what a person does."""

    word: str
    flashes: int  # before each pause; 0: lit all the time; -1: it flickers
    says: str
    do: str

    @property
    def lamp(self) -> str:
        """The pattern in words."""
        if self.flashes == 0:
            return "lit"
        if self.flashes < 0:
            return "flickers"
        times = {1: "once", 2: "twice"}.get(self.flashes, f"{self.flashes} times")
        return f"flashes {times}, pause"

    def pattern(self) -> Iterator[tuple[bool, float]]:
        """Lit or dark, and for how many seconds: one round of it."""
        if self.flashes == 0:
            yield True, STEADY_S
        elif self.flashes < 0:
            yield from [(True, FLICKER_S), (False, FLICKER_S)]
        else:
            for _ in repeat(None, self.flashes - 1):
                yield from [(True, FLASH_S), (False, BETWEEN_S)]
            yield from [(True, FLASH_S), (False, PAUSE_S)]


STARTS = Step("starts", 1, "the camera starts", "wait")
NETWORK = Step(
    "network", 2, "it waits for the network", "look at cable, router or Wi-Fi lines"
)
CLOCK = Step("clock", 3, "it waits for the right time", "wait some minutes")
FLEET = Step("fleet", 4, "it asks the office for its certificate", "ask the office")
POLICY = Step("policy", 5, "it waits for its policy", "the office signs one")
COUNTS = Step("counts", 0, "it counts", "nothing")
MEND = Step("mend", -1, "a person is needed", f"read {STATUS_NAME} on the card")
STEPS = (STARTS, NETWORK, CLOCK, FLEET, POLICY, COUNTS, MEND)


def status_text(step: Step, words: tuple[str, ...], utc: float) -> str:
    """What stands in ``doorsill-status.txt``; ``utc`` is s, as the camera knows it."""
    now = datetime.fromtimestamp(utc, UTC)
    lines = [
        "How far this camera is on its way into service. The camera writes this file.",
        "",
        f"now:   {step.says}",
        f"lamp:  {step.lamp}",
        f"since: {now:%Y-%m-%d %H:%M} UTC by the camera's own clock",
        "",
        *words,
    ]
    return "\n".join(lines) + "\n"
