"""Take over a SQLite file that a doorsill kept before the first of ``migrations``.

Its tables are renamed, the steps are taken, its rows are moved, and its tables go: one
transaction, so a file is of the one kind or the other. What was of the moment (live,
health, state) comes again from the broker and is not moved.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from doorsill.errors import ConfigError
from doorsill_fleet.store.rows import row_of
from doorsill_fleet.store.schema import Base

_TABLES = ("line_windows", "zone_windows", "attributes", "latest")
_BEFORE = "_before"  # behind the name of a table that was set aside
_WHO = (
    "CASE WHEN instr(device, '/') THEN substr(device, 1, instr(device, '/') - 1) "
    "ELSE :site END, substr(device, instr(device, '/') + 1)"
)
_SAME = '"end", coverage_s, quality, is_historical'
_LINE = "count_in, count_out, total_in, total_out, firmware, model, policy"
_ZONE = "visits, dwell_s, occupancy_max, occupancy_mean_milli"
_TO = "site, device, place, start, epoch, doubt, received"
_MOVES = (
    f"INSERT INTO line_windows ({_TO}, {_SAME}, {_LINE}) "  # noqa: S608
    f"SELECT {_WHO}, line, start, epoch, '', \"end\", {_SAME}, {_LINE} "
    "FROM line_windows_before",
    f"INSERT INTO zone_windows ({_TO}, {_SAME}, {_ZONE}, firmware, model, policy) "  # noqa: S608
    f"SELECT {_WHO}, zone, start, epoch, '', \"end\", {_SAME}, {_ZONE}, '', '', '' "
    "FROM zone_windows_before",
)


def set_aside(connection: Connection) -> tuple[str, ...]:
    """Rename the older tables; which there were."""
    found = inspect(connection)
    if connection.dialect.name != "sqlite" or not found.has_table("line_windows"):
        return ()
    if "site" in {each["name"] for each in found.get_columns("line_windows")}:
        return ()
    older = tuple(each for each in _TABLES if found.has_table(each))
    for each in older:
        connection.execute(text(f"ALTER TABLE {each} RENAME TO {each}{_BEFORE}"))
    return older


def take_over(connection: Connection, older: tuple[str, ...], site: str) -> None:
    """Move the rows and drop the older tables; ConfigError if the shop is unknown."""
    if not older:
        return
    _require_site(connection, site)
    for each in _MOVES:
        connection.execute(text(each), {"site": site})
    _move_attributes(connection, site)
    for name in older:
        connection.execute(text(f"DROP TABLE {name}{_BEFORE}"))


def _require_site(connection: Connection, site: str) -> None:
    query = "SELECT count(*) FROM line_windows_before WHERE device NOT LIKE '%/%'"
    if not site and connection.scalar(text(query)):
        raise ConfigError(
            "this file was kept for one shop and does not name it: say --site SITE once"
        )


def _move_attributes(connection: Connection, site: str) -> None:
    found = connection.execute(
        text('SELECT device, "end", payload FROM attributes_before')
    )
    table = Base.metadata.tables["attributes"]
    for device, end, payload in found.all():
        who = device if "/" in device else f"{site}/{device}"
        row = row_of(f"doorsill/{who}/attributes", payload.encode(), end)
        connection.execute(table.insert(), row.values)
