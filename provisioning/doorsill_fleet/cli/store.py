"""What the commands that read a store have in common: the store, and days as typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from sqlalchemy import Engine

from doorsill.errors import ConfigError
from doorsill_fleet.store import migrate
from doorsill_fleet.store.engine import open_engine, url_of

DAYS_AGO = re.compile(r"(\d{1,5})d")


@contextmanager
def opened(where: str) -> Iterator[Engine]:
    """A store that is there, with this version's tables; ConfigError if it is not."""
    url = url_of(where)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise ConfigError(f"--store {where} is not there; `receive` makes and fills it")
    engine = open_engine(url)
    try:
        migrate.upgrade(engine)
        yield engine
    finally:
        engine.dispose()


def day(text: str, option: str, zone: tzinfo) -> int:
    """Midnight of a day as 2026-06-01, UTC s; ConfigError names the option."""
    try:
        found = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone)
        return int(found.timestamp())
    except (ValueError, OverflowError):
        why = f"{option} {text[:40]!r} must be a day such as 2026-06-01"
        raise ConfigError(why) from None


def before(text: str, now: int) -> int:
    """A day, or 400d for 400 days before ``now``, UTC s."""
    if ago := DAYS_AGO.fullmatch(text):
        moment = datetime.fromtimestamp(now, UTC) - timedelta(days=int(ago[1]))
        return int(moment.timestamp())
    try:
        return day(text, "--before", UTC)
    except ConfigError:
        why = f"--before {text[:40]!r} must be a day such as 2025-01-01, or 400d"
        raise ConfigError(why) from None
