"""Was every visitor counted once? What the store holds beside what was planned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from replay.plan import Door, minutes, opening, visitors
from sqlalchemy import Engine, func, select

from doorsill.privacy.floors import K_FLOOR
from doorsill_fleet.store.engine import reading
from doorsill_fleet.store.queries import Part as Everything
from doorsill_fleet.store.queries import gaps
from doorsill_fleet.store.schema import AttributeSpan, LineWindow, Sender

LOOKS_AFTER_DAYS = 3  # a device reports no looks on its first day
PHOTO_BYTES = 100_000  # of the face of one visitor


@dataclass(frozen=True, slots=True)
class Part:
    """Doors and days that were replayed; later windows are of the whole camera."""

    doors: Sequence[Door]
    days: Sequence[date]

    @property
    def until(self) -> int:
        """The end of the last day, UTC s."""
        return opening(self.days[-1]) + 86_400

    @property
    def people(self) -> int:
        """Who comes in on these days, by these doors."""
        found = visitors()
        return sum(found[door.number, day] for door in self.doors for day in self.days)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the judgement."""

    what: str
    said: str
    holds: bool


@dataclass(slots=True)
class Sums:
    """What was compared, window by window."""

    windows: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    invented: int = 0
    historical: int = 0
    doubted: int = 0
    came: int = 0
    left: int = 0


def compare(engine: Engine, part: Part) -> Sums:
    """Each planned window beside the rows of its minute."""
    sums, people = Sums(), visitors()
    for door in part.doors:
        rows: dict[int, list[tuple[int, int]]] = {}
        for row in _rows(engine, door, part.until):
            rows.setdefault(row.start, []).append((row.count_in, row.count_out))
            sums.windows += 1
            sums.historical += row.is_historical
            sums.doubted += row.doubt != ""
            sums.came += row.count_in
            sums.left += row.count_out
        for day in part.days:
            planned = minutes(door.number, day, people[door.number, day])
            for minute, counts in enumerate(planned):
                found = rows.pop(opening(day) + 60 * minute, [])
                sums.lost += not found
                sums.doubled += len(found) > 1
                sums.wrong += bool(found) and found[0] != counts
        sums.invented += sum(len(each) for each in rows.values())
    return sums


def judge(engine: Engine, part: Part, sums: Sums, sent_bytes: int) -> list[Verdict]:
    """All that the store alone can say."""
    people, wanted = part.people, len(part.doors) * len(part.days) * 600
    whole = (sums.lost, sums.doubled, sums.wrong, sums.invented) == (0, 0, 0, 0)
    missing = gaps(engine, Everything())
    photos = people * PHOTO_BYTES
    return [
        Verdict(
            "windows",
            f"{sums.windows:,} of {wanted:,}: {sums.lost} lost, "
            f"{sums.doubled} doubled, {sums.wrong} with other counts, "
            f"{sums.invented} that nobody made",
            whole and sums.windows == wanted,
        ),
        Verdict(
            "visitors",
            f"{sums.came:,} in and {sums.left:,} out; planned {people:,} each way",
            sums.came == sums.left == people,
        ),
        Verdict(
            "history",
            f"{sums.historical:,} flagged as late, {sums.doubted} of a time in doubt, "
            f"{len(missing)} gaps in the totals",
            not sums.doubted and not missing,
        ),
        _attributes(engine, len(part.days)),
        _senders(engine),
        Verdict(
            "bytes",
            f"{sent_bytes / 1e6:,.1f} MB left the cameras; {people:,} photos of 100 "
            f"kB are {photos / 1e9:,.1f} GB, "
            f"{photos / max(sent_bytes, 1):,.0f} times that",
            0 < sent_bytes < photos,
        ),
    ]


def whole_camera(engine: Engine, part: Part, words: str) -> Verdict:
    """Its windows of today go on with its totals (``gaps``); its vault stayed blank."""
    door, table = part.doors[0], LineWindow
    query = select(func.count(), func.sum(table.coverage_s)).where(
        table.site == door.site,
        table.device == door.device,
        table.start >= part.until,
    )
    with reading(engine) as connection:
        count, covered = connection.execute(query).one()
    blank = "vault blank (verified)" in words and "Traceback" not in words
    return Verdict(
        "whole camera",
        f"{count} windows of today with {covered or 0} s observed; its vault, without "
        f"a card, {'was blank all the time' if blank else 'did not say it is blank'}",
        count > 0 and bool(covered) and blank,
    )


def _attributes(engine: Engine, of_days: int) -> Verdict:
    table = AttributeSpan
    query = select(func.count(), func.min(table.people), func.min(table.k))
    with reading(engine) as connection:
        count, people, k = connection.execute(query).one()
    if not count:  # a young device reports none
        return Verdict("looks", "no sum of looks yet", of_days < LOOKS_AFTER_DAYS)
    return Verdict(
        "looks",
        f"{count:,} sums of looks; the smallest is of {people} people, and k is {k}",
        min(people, k) >= K_FLOOR,
    )


def _senders(engine: Engine) -> Verdict:
    table = Sender
    query = select(func.count(), func.sum(table.repeated), func.sum(table.refused))
    with reading(engine) as connection:
        count, repeated, refused = connection.execute(query).one()
    return Verdict(
        "senders",
        f"{count} cameras; {repeated:,} messages came again and count once, {refused} "
        "were set aside",
        refused == 0,
    )


def _rows(engine: Engine, door: Door, until: int) -> Sequence[Any]:
    table = LineWindow
    query = select(
        table.start, table.count_in, table.count_out, table.is_historical, table.doubt
    ).where(table.site == door.site, table.device == door.device, table.start < until)
    with reading(engine) as connection:
        return connection.execute(query).all()


def kept(engine: Engine) -> int:
    """How many windows the store has, by its own books."""
    with reading(engine) as connection:
        return int(connection.scalar(select(func.sum(Sender.kept))) or 0)


def count(engine: Engine, until: int) -> int:
    """How many windows are in the store, of those before ``until`` (UTC s)."""
    query = select(func.count()).where(LineWindow.start < until)
    with reading(engine) as connection:
        return int(connection.scalar(query) or 0)
