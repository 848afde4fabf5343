"""How many people are in a zone, how many left it, and how long those stayed.

A person is in a zone while the foot of a confirmed track is in the polygon. Somebody
who steps out has left, unless they come back within ``RETURN_S``: a foot that jitters
on the edge is one visit. Somebody who was in for less than ``LEAST_STAY_S`` only
touched the zone. Only sums are kept: no single visit, and nothing of a track that
ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from doorsill.values import Tracks
from doorsill.vision.geometry import Point, from_fractions, inside
from doorsill.vision.window import ZoneTotals

RETURN_S = 1.0  # somebody who comes back within this time has not left
LEAST_STAY_S = 1.0  # a shorter stay is no visit
STEP_LIMIT_S = 1.0  # a longer time between two frames counts as not seen


@dataclass(slots=True)
class _Stay:
    """One track that is in a zone, or just outside of it."""

    since: float  # when the foot was first inside, monotonic s
    last: float  # when the foot was last inside, monotonic s


@dataclass(slots=True)
class _Zone:
    polygon: Sequence[Point]
    stays: dict[int, _Stay] = field(default_factory=dict)
    visits: int = 0  # stays that ended in this window
    dwell: float = 0.0  # length of those stays, summed, s
    most: int = 0  # people at once, at most
    area: float = 0.0  # people times seconds
    seen: float = 0.0  # time in which frames came, s


class ZoneCounter:
    """Tracks in, totals out; call ``update`` once per frame.

    ``polygons`` have three or more points in fractions of the picture, ``aspect`` is
    its width over its height.
    """

    def __init__(self, polygons: Sequence[Sequence[Point]], aspect: float) -> None:
        self._aspect = aspect
        self._zones = [_Zone(from_fractions(each, aspect)) for each in polygons]
        self._time: float | None = None

    def __len__(self) -> int:
        """How many stays are known at the moment."""
        return sum(len(zone.stays) for zone in self._zones)

    def update(self, tracks: Tracks, now: float) -> None:
        """Take in who is where at ``now`` (monotonic s)."""
        if not self._zones:
            return
        step = 0.0 if self._time is None else now - self._time
        self._time = now
        feet = {
            int(track): (float(x) * self._aspect, float(y))
            for track, (x, y), confirmed in zip(
                tracks.ids, tracks.feet, tracks.confirmed, strict=True
            )
            if confirmed
        }
        for zone in self._zones:
            for twin, _ in tracks.merged:
                zone.stays.pop(twin, None)
            _update_stays(zone, feet, now)
            if 0.0 < step <= STEP_LIMIT_S:
                zone.area += step * len(zone.stays)
                zone.seen += step

    def totals(self, closing: bool) -> list[ZoneTotals]:
        """Each zone's window so far; with ``closing`` a new window begins."""
        found = [_totals(zone) for zone in self._zones]
        if closing:
            for zone in self._zones:
                zone.visits, zone.dwell, zone.area, zone.seen = 0, 0.0, 0.0, 0.0
                zone.most = len(zone.stays)
        return found


def _update_stays(zone: _Zone, feet: dict[int, Point], now: float) -> None:
    for track, foot in feet.items():
        if inside(zone.polygon, foot):
            stay = zone.stays.setdefault(track, _Stay(now, now))
            stay.last = now
    for track, stay in list(zone.stays.items()):
        if track not in feet or now - stay.last > RETURN_S:
            del zone.stays[track]
            if stay.last - stay.since >= LEAST_STAY_S:
                zone.visits += 1
                zone.dwell += stay.last - stay.since
    zone.most = max(zone.most, len(zone.stays))


def _totals(zone: _Zone) -> ZoneTotals:
    mean = zone.area / zone.seen if zone.seen else float(len(zone.stays))
    return ZoneTotals(zone.visits, round(zone.dwell), zone.most, round(1000 * mean))
