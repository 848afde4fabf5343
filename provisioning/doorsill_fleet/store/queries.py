"""What the store knows, as values: minutes in order, who was heard, what is missing.

A device adds its counts up (``total_in``) in the transaction that closes a minute. So
where the totals of two windows that follow each other do not fit, a window between them
is missing here, and it is known how many people were in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Select, func, or_, select

from doorsill.wire.codec import decode
from doorsill.wire.messages import Health, State
from doorsill_fleet.store.engine import reading
from doorsill_fleet.store.health import Seen
from doorsill_fleet.store.periods import Counts, Place
from doorsill_fleet.store.schema import (
    AttributeSpan,
    Latest,
    LineWindow,
    Sender,
    ZoneWindow,
)

AT_ONCE = 5000  # rows that are held in memory
FOREVER = 2**62  # UTC s, after everything


@dataclass(frozen=True, slots=True)
class Part:
    """What to look at: a span of time, and all sites and devices or one."""

    since: int = 0  # UTC s, of the start of a window
    until: int = FOREVER
    site: str = ""
    device: str = ""

    def conditions(self, table: Any) -> list[Any]:
        """Which rows of ``table`` are in it."""
        found = [table.start >= self.since, table.start < self.until]
        if self.site:
            found.append(table.site == self.site)
        if self.device:
            found.append(table.device == self.device)
        return found


@dataclass(frozen=True, slots=True)
class Gap:
    """Windows of one line that are not here, and who was counted in them."""

    site: str
    device: str
    line: int
    start: int  # UTC s, end of the last window before
    end: int  # UTC s, start of the first window after
    missing_in: int
    missing_out: int


def minutes(engine: Engine, part: Part) -> Iterator[tuple[Place, Counts]]:
    """All windows of lines, then of zones; by place, and then by start."""
    with reading(engine) as connection:
        for kind, table in (("line", LineWindow), ("zone", ZoneWindow)):
            order = (table.site, table.device, table.place, table.start)
            query = (
                select(table.__table__).where(*part.conditions(table)).order_by(*order)
            )
            for row in connection.execution_options(yield_per=AT_ONCE).execute(query):
                place = Place(row.site, row.device, kind, row.place)
                yield place, _counts(row, kind)


def looks(engine: Engine, part: Part) -> Iterator[dict[str, Any]]:
    """All spans of looks; by place, and then by start."""
    table = AttributeSpan
    query = select(table.__table__).where(*part.conditions(table))
    query = query.order_by(table.site, table.device, table.place, table.start)
    with reading(engine) as connection:
        for row in connection.execution_options(yield_per=AT_ONCE).execute(query):
            yield dict(row._mapping)


def gaps(engine: Engine, part: Part) -> list[Gap]:
    """Where the totals say that windows are missing, by start."""
    before = _with_one_before(part).subquery()
    row = before.c
    into = row.total_in - row.count_in - row.in_before
    out = row.total_out - row.count_out - row.out_before
    query = select(
        row.site, row.device, row.place, row.end_before, row.start, into, out
    ).where(or_(into != 0, out != 0))
    with reading(engine) as connection:
        found = connection.execute(query.order_by(row.start, row.site, row.device))
        return [Gap(*each) for each in found]


def seen(engine: Engine, part: Part | None = None) -> dict[tuple[str, str], Seen]:
    """What is known of each device that was ever heard, by site and name."""
    missing: dict[tuple[str, str], int] = {}
    for gap in gaps(engine, part or Part()):
        who = gap.site, gap.device
        people = abs(gap.missing_in) + abs(gap.missing_out)
        missing[who] = missing.get(who, 0) + people
    with reading(engine) as connection:
        senders = connection.execute(select(Sender.__table__)).all()
        latest = {
            (row.site, row.device, row.stream): row
            for row in connection.execute(select(Latest.__table__))
        }
    return {
        (row.site, row.device): _seen(
            row, latest, missing.get((row.site, row.device), 0)
        )
        for row in senders
        if row.device
    }


def _seen(row: Any, latest: dict[Any, Any], missing: int) -> Seen:
    state = latest.get((row.site, row.device, "state"))
    health = latest.get((row.site, row.device, "health"))
    moments = [
        latest[row.site, row.device, each]
        for each in ("live", "health")
        if (row.site, row.device, each) in latest
    ]
    last = max(moments, key=lambda each: each.received, default=None)
    return Seen(
        heard=row.heard,
        newest=row.newest,
        refused=row.refused,
        missing=missing,
        clock_off_s=0 if last is None else last.time - last.received,
        state=_state(state),
        health=_health(health),
    )


def _state(row: Any) -> str:
    found = None if row is None else decode("state", row.payload.encode())
    return found.state if isinstance(found, State) else ""


def _health(row: Any) -> Health | None:
    found = None if row is None else decode("health", row.payload.encode())
    return found if isinstance(found, Health) else None


def _with_one_before(part: Part) -> Select[Any]:
    table = LineWindow
    one_epoch = (table.site, table.device, table.place, table.epoch)

    def before(column: Any) -> Any:
        return func.lag(column).over(partition_by=one_epoch, order_by=table.start)

    query: Select[Any] = select(
        table.site,
        table.device,
        table.place,
        table.start,
        table.count_in,
        table.count_out,
        table.total_in,
        table.total_out,
        before(table.end).label("end_before"),
        before(table.total_in).label("in_before"),
        before(table.total_out).label("out_before"),
    )
    return query.where(*part.conditions(table))


def _counts(row: Any, kind: str) -> Counts:
    line = kind == "line"
    return Counts(
        row.start,
        row.end,
        row.count_in if line else None,
        row.count_out if line else None,
        None if line else row.visits,
        None if line else row.occupancy_max,
        row.coverage_s,
        1,
        int(row.is_historical),
        int(bool(row.doubt)),
        frozenset(row.quality.split()),
    )
