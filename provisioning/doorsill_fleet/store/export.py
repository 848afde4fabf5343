"""Write counts or looks to a file: CSV, JSON or Parquet, by the ending of its name.

The file is whole or is not there: it is written beside its place and moved there. Rows
are written as they are read, so a year of a fleet takes no memory.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, tzinfo
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from doorsill.errors import ConfigError, UplinkError
from doorsill_fleet.store.periods import Counts, Place

Row = dict[str, Any]
NO_PARQUET = (
    "Parquet needs pyarrow, which is not installed here: pip install "
    "'doorsill-fleet[parquet]'; .csv and .json need nothing more"
)
GROUP = 50_000  # rows of Parquet that are written at once
# Column and kind; a time is UTC seconds until it is written.
COUNTS = {
    "site": "text", "device": "text", "kind": "text", "place": "number",
    "start": "time", "end": "time", "in": "number", "out": "number",
    "visits": "number", "occupancy_max": "number", "coverage_s": "number",
    "windows": "number", "historical": "number", "doubted": "number",
    "quality": "text",
}  # fmt: skip
LOOKS = {
    "site": "text", "device": "text", "place": "number", "start": "time",
    "end": "time", "people": "number", "age_child": "number",
    "age_adult": "number",
    "age_unknown": "number", "expression_feminine": "number",
    "expression_masculine": "number", "expression_unknown": "number", "k": "number",
    "epsilon_micro": "number",
}  # fmt: skip


def zone_named(name: str) -> ZoneInfo:
    """The time zone; ConfigError if this machine knows none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"--timezone {name[:40]!r} is none that this machine knows; write it as "
            "Europe/Lisbon (on Debian, the package tzdata has them)"
        ) from None


def row_of(place: Place, counts: Counts) -> Row:
    """One row of COUNTS."""
    return {
        "site": place.site,
        "device": place.device,
        "kind": place.kind,
        "place": place.place,
        "start": counts.start,
        "end": counts.end,
        "in": counts.count_in,
        "out": counts.count_out,
        "visits": counts.visits,
        "occupancy_max": counts.occupancy_max,
        "coverage_s": counts.coverage_s,
        "windows": counts.windows,
        "historical": counts.historical,
        "doubted": counts.doubted,
        "quality": " ".join(sorted(counts.quality)),
    }


def require_format(path: Path) -> None:
    """ConfigError unless the name ends in one of FORMATS and its folder is there."""
    if path.suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise ConfigError(f"{path}: the name must end in one of {known}")
    if not path.parent.is_dir():
        raise ConfigError(f"{path} cannot be written: there is no folder {path.parent}")


def write(
    path: Path, columns: dict[str, str], rows: Iterable[Row], zone: tzinfo
) -> int:
    """How many rows were written; UplinkError, and no file, if the disk fails."""
    require_format(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        count = FORMATS[path.suffix](beside, columns, rows, zone)
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise UplinkError(f"{path} takes no data: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)
    return count


def _write_csv(
    path: Path, columns: dict[str, str], rows: Iterable[Row], zone: tzinfo
) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(_shown(columns, row, zone))
            count += 1
    return count


def _write_json(
    path: Path, columns: dict[str, str], rows: Iterable[Row], zone: tzinfo
) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for row in rows:
            file.write(",\n" if count else "\n")
            file.write(json.dumps(_shown(columns, row, zone)))
            count += 1
        file.write("\n]\n")
    return count


def _write_parquet(
    path: Path, columns: dict[str, str], rows: Iterable[Row], zone: tzinfo
) -> int:
    try:  # for this format alone: it takes half a second, and 150 MB where it lies
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ConfigError(NO_PARQUET) from None

    kinds = {
        "text": pa.string(),
        "number": pa.int64(),
        "time": pa.timestamp("s", tz=str(zone)),
    }
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for group in _groups(rows):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    waiting = iter(rows)
    while group := list(islice(waiting, GROUP)):
        yield group


def _shown(columns: dict[str, str], row: Row, zone: tzinfo) -> Row:
    return {
        name: _local(row[name], zone) if kind == "time" else row[name]
        for name, kind in columns.items()
    }


def _local(seconds: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(seconds, zone).isoformat()


Writes = Callable[[Path, dict[str, str], Iterable[Row], tzinfo], int]
FORMATS: dict[str, Writes] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".parquet": _write_parquet,
}
