"""The tally as one line of JSON, for the outbox, and back."""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import Any

from doorsill.errors import UplinkError
from doorsill.uplink.pieces import LineSums, Places, Sums, ZoneSums
from doorsill.uplink.tally import Running, Tally


def text_of(tally: Tally) -> str:
    """Everything that must survive a power cut; no looks are among it."""
    return json.dumps(
        {
            "epoch": tally.epoch,
            "floor": tally.floor,
            "minute": tally.minute,
            "heard": tally.heard,
            "settled": {name: astuple(each) for name, each in tally.settled.items()},
            "running": _running(tally.running),
            "told": _running(tally.told),
            "ended": sorted(tally.ended),
            "totals": tally.totals,
            "came_in": [[*key, count] for key, count in tally.came_in.items()],
            "looked_until": list(tally.looked_until.items()),
        },
        separators=(",", ":"),
    )


def tally_of(text: str, places: Places) -> Tally:
    """The tally in ``text``, for the places of today's policy.

    What was open at a place that the policy has no more is left out. Raises
    UplinkError where ``text`` is no tally.
    """
    try:
        table = json.loads(text)
        return Tally(
            places,
            epoch=table["epoch"],
            floor=table["floor"],
            minute=table["minute"],
            heard=tuple(table["heard"]),
            settled={
                name: _sums(name, numbers)
                for name, numbers in table["settled"].items()
                if name in places.names
            },
            running=_read_running(table["running"], places),
            told=_read_running(table["told"], places),
            ended={name for name in table["ended"] if name in places.names},
            totals=[[int(a), int(b)] for a, b in table["totals"]],
            came_in={(line, slot): n for line, slot, n in table["came_in"]},
            looked_until=dict(table["looked_until"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UplinkError(f"the tally in the outbox is damaged: {error!r}") from None


def _running(table: dict[str, Running]) -> dict[str, list[Any]]:
    return {
        name: [each.run, each.start, astuple(each.sums)] for name, each in table.items()
    }


def _read_running(table: dict[str, Any], places: Places) -> dict[str, Running]:
    return {
        name: Running(run, start, _sums(name, numbers))
        for name, (run, start, numbers) in table.items()
        if name in places.names
    }


def _sums(name: str, numbers: list[int]) -> Sums:
    return LineSums(*numbers) if name.startswith("line") else ZoneSums(*numbers)
