"""Which voucher goes on which card: one that was typed, or the rows of a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from doorsill.documents.durable import OWNER_ALONE, put
from doorsill.documents.reading import read_file, read_if_there
from doorsill.documents.voucher import LONGEST, Voucher, read_voucher
from doorsill.errors import ConfigError
from doorsill_fleet.registry.handing_out import TABLE


@dataclass(frozen=True, slots=True)
class Chosen:
    """A voucher for one card, and what the table says of its camera."""

    voucher: Voucher = field(repr=False)
    device: str = ""
    expires: str = ""  # UTC, as the table has it


def choose(given: str, site: str, count: int) -> list[Chosen]:
    """``count`` vouchers for cameras of ``site``.

    ``given`` is a voucher, a file with one, or a table of `device add`, of which those
    are taken in their order that no card has yet. Raises ConfigError.
    """
    if given.startswith("doorsill:"):
        found = [Chosen(read_voucher(given))]
    else:
        found = _read(Path(given), site)
    if len(found) < count:
        raise ConfigError(
            f"{count} cards need {count} vouchers, and {len(found)} of {site} are on "
            "no card yet; make more: doorsill-fleet device add"
        )
    return found[:count]


def note_flashed(given: str, done: Sequence[Chosen]) -> None:
    """Beside a table: which of its vouchers are on a card now."""
    if given.startswith("doorsill:") or Path(given).suffix != ".csv":
        return
    path = _noted(Path(given))
    before = (read_if_there(path) or b"").decode("ascii", "replace").split()
    serials = sorted({*before, *(each.voucher.serial for each in done)})
    put(path, "".join(f"{each}\n" for each in serials).encode(), OWNER_ALONE)


def _noted(table: Path) -> Path:
    return table.with_name(f"{table.name}.flashed")


def _read(path: Path, site: str) -> list[Chosen]:
    text = read_file(path).decode("utf-8-sig", "replace")
    if not text.startswith(",".join(TABLE)):
        if len(text) > LONGEST:
            raise ConfigError(f"{path} is no voucher, and no table of `device add`")
        return [Chosen(read_voucher(text))]
    on_a_card = (read_if_there(_noted(path)) or b"").decode("ascii", "replace").split()
    rows = [e for e in csv.DictReader(io.StringIO(text)) if e["site"] == site]
    if not rows:
        raise ConfigError(f"{path} has no camera of {site}")
    return [
        Chosen(read_voucher(each["voucher"] or ""), each["device"], each["expires"])
        for each in rows
        if each["serial"] not in on_a_card
    ]
