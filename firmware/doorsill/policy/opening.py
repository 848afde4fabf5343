"""When a shop is open, as its policy says it: weekly hours, and days apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from doorsill.documents.fields import Fields

HOURS_LIMIT = 28  # entries of opening hours
HOLIDAYS_LIMIT = 100  # days with other hours, or none
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00"


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """On ``days`` (0 is Monday) from ``opens`` to ``closes``, minutes of local time.

    ``closes`` at or before ``opens`` is on the next day.
    """

    days: tuple[int, ...]
    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day whose hours are these instead, or that is closed: both are None."""

    day: date
    opens: int | None = None
    closes: int | None = None


def hours_of(table: Fields) -> tuple[OpeningHours, ...]:
    """The weekly hours of a policy."""
    return tuple(_hours(each) for each in table.tables("hours", HOURS_LIMIT))


def _hours(table: Fields) -> OpeningHours:
    days = table.texts("days", "|".join(DAYS), len(DAYS))
    if not days:
        table.note("days", "names no day; known: " + ", ".join(DAYS))
    opens, closes = table.text("opens", CLOCK, 5), table.text("closes", CLOCK, 5)
    table.end()
    return OpeningHours(
        tuple(sorted(DAYS.index(day) for day in days)), _minute(opens), _minute(closes)
    )


def holidays_of(table: Fields) -> tuple[Holiday, ...]:
    """The days apart, in order."""
    found = [_holiday(each) for each in table.tables("holidays", HOLIDAYS_LIMIT)]
    return tuple(sorted(found, key=lambda each: each.day))


def _holiday(table: Fields) -> Holiday:
    day = day_of(table, "date", table.text("date", DAY, 10)) or date.max
    opens, closes = (
        table.optional_text(each, CLOCK, 5) for each in ("opens", "closes")
    )
    if (opens is None) != (closes is None):
        table.note("opens", "and closes stand together, or neither: then it is closed")
    table.end()
    if opens is None or closes is None:
        return Holiday(day)
    return Holiday(day, _minute(opens), _minute(closes))


def _minute(clock: str) -> int:
    hour, colon, minute = clock.partition(":")
    digits = colon and hour.isdecimal() and minute.isdecimal()
    return int(hour) * 60 + int(minute) if digits else 0


def day_of(table: Fields, name: str, text: str | None) -> date | None:
    """``text`` as a day; one that no year has is noted as the option ``name``."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        if re.fullmatch(DAY, text or ""):  # otherwise it is noted already
            table.note(name, f"= {text} is no day")
        return None
