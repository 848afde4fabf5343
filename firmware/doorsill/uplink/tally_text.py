"""The tally as one line of JSON, for the outbox, and back."""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import Any

from doorsill.cells import CROSSINGS_MOST, MINUTE_S, PEOPLE_MOST, STAY_MOST_S
from doorsill.documents.fields import shown
from doorsill.errors import UplinkError
from doorsill.uplink.pieces import (
    EVERY_QUALITY,
    LineSums,
    Places,
    Running,
    Sums,
    ZoneSums,
)
from doorsill.uplink.tally import TOTAL_MOST, Tally

EPOCH_MOST = 2**32 - 1  # an epoch is a random number of 32 bits
TIME_MOST = 2**33 - 1  # UTC s; no message can state a later time
WHOLE_MOST = 2**64 - 1  # of a number without a bound of its own
COVERAGE_MOST = 1000 * MINUTE_S  # ms
# The highest value of each number of a minute, in the order of the fields.
LINE_MOST = CROSSINGS_MOST, CROSSINGS_MOST, COVERAGE_MOST, EVERY_QUALITY
ZONE_MOST = (
    CROSSINGS_MOST,
    STAY_MOST_S,
    PEOPLE_MOST,
    WHOLE_MOST,
    COVERAGE_MOST,
    EVERY_QUALITY,
)


def text_of(tally: Tally) -> str:
    """Everything in ``tally`` that must survive a power cut; it holds no looks."""
    return json.dumps(
        {
            "epoch": tally.epoch,
            "floor": tally.floor,
            "minute": tally.minute,
            "heard": tally.heard,
            "settled": {name: astuple(each) for name, each in tally.settled.items()},
            "running": _running(tally.running),
            "told": _running(tally.reported),
            "ended": sorted(tally.ended),
            "totals": tally.totals,
            "came_in": [[*key, count] for key, count in tally.came_in.items()],
            "looked_until": list(tally.looked_until.items()),
        },
        separators=(",", ":"),
    )


def tally_of(text: str, places: Places) -> Tally:
    """The tally in ``text``, for the places of today's policy.

    Open counts of a place that the policy no longer has are left out. Raises
    UplinkError if ``text`` is no tally, or a number in it is out of bounds: a bit of it
    may have changed on the disk.
    """
    try:
        return _read(json.loads(text), places)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UplinkError(f"the tally in the outbox is damaged: {error!r}") from None


def _read(table: dict[str, Any], places: Places) -> Tally:
    minute, (run, sequence) = table["minute"], table["heard"]
    return Tally(
        places,
        epoch=_whole(table["epoch"], EPOCH_MOST),
        floor=_minute(table["floor"]),
        minute=None if minute is None else _minute(minute),
        heard=(_whole(run), _whole(sequence)),
        settled={
            name: _sums(name, numbers)
            for name, numbers in table["settled"].items()
            if name in places.names
        },
        running=_read_running(table["running"], places),
        reported=_read_running(table["told"], places),
        ended={name for name in table["ended"] if name in places.names},
        totals=[
            [_whole(a, TOTAL_MOST), _whole(b, TOTAL_MOST)] for a, b in table["totals"]
        ],
        came_in={
            (_whole(line), _whole(slot)): _whole(count, TOTAL_MOST)
            for line, slot, count in table["came_in"]
        },
        looked_until={_whole(line): _time(at) for line, at in table["looked_until"]},
    )


def _running(table: dict[str, Running]) -> dict[str, list[Any]]:
    return {
        name: [each.run, each.start, astuple(each.sums)] for name, each in table.items()
    }


def _read_running(table: dict[str, Any], places: Places) -> dict[str, Running]:
    return {
        name: Running(_whole(run), _time(start), _sums(name, numbers))
        for name, (run, start, numbers) in table.items()
        if name in places.names
    }


def _sums(name: str, numbers: list[int]) -> Sums:
    if name.startswith("line"):
        return LineSums(*_each(numbers, LINE_MOST))
    return ZoneSums(*_each(numbers, ZONE_MOST))


def _each(numbers: list[int], most: tuple[int, ...]) -> list[int]:
    return [_whole(one, bound) for one, bound in zip(numbers, most, strict=True)]


def _whole(value: Any, most: int = WHOLE_MOST) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{shown(value)} is no whole number of 0 to {most}")
    return value


def _time(value: Any) -> int:
    return _whole(value, TIME_MOST)


def _minute(value: Any) -> int:
    if _time(value) % MINUTE_S:
        raise ValueError(f"{value} is no whole minute")
    return int(value)
