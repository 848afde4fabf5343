"""``bench.toml``: which board is on the bench, and what pulls, switches and listens.

    make hil BENCH=bench.toml        hw/bench.md says what to buy and how to wire it

It is read as strictly as the product's own files: all problems at once, each with its
section, name, value and bound.
"""

from __future__ import annotations

import typing
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from doorsill.documents.fields import HOST, Fields, unknown
from doorsill.documents.reading import parse_toml, read_file
from doorsill.documents.sections import option, read_section, without_none
from doorsill.errors import ConfigError

BAUDS = (9600, 57600, 115200, 921600)
SWITCHES = ("relay", "plug", "hub")  # of switches.py
GPIO_PLACE = r"[A-Za-z0-9_.-]+:[0-9]{1,3}"  # label of a chip, number of a line
CAMERA = r"(picamera:[0-7]|video:/dev/video[0-9]{1,2})"


@dataclass(frozen=True, slots=True)
class BoardSection:
    """The board, and where it finds this machine."""

    kind: str = option(choices=("pi4", "pi5"))
    host: str = option(pattern=HOST)
    camera: str = option("picamera:0", pattern=CAMERA)


@dataclass(frozen=True, slots=True)
class ConsoleSection:
    """The board's serial console: a USB adapter on pins 8 and 10."""

    port: Path = option()
    baud: int = option(115200, least=min(BAUDS), most=max(BAUDS))


@dataclass(frozen=True, slots=True)
class SwitchSection:
    """What switches one line: a channel of a relay board, a plug, a port of a hub."""

    driver: str = option(choices=SWITCHES)
    at: str = option(pattern=r"\S{1,200}")
    channel: int = option(1, least=0, most=16)
    inverted: bool = option(False)  # energised means off


@dataclass(frozen=True, slots=True)
class MuxSection:
    """The card that board and this machine share: an SD mux, and its disk here."""

    device: Path = option()
    disk: Path = option()


@dataclass(frozen=True, slots=True)
class LampsSection:
    """Lines of this machine that see the board's lamps through an optocoupler."""

    consent: str = option(pattern=GPIO_PLACE)
    status: str = option(pattern=GPIO_PLACE)


@dataclass(frozen=True, slots=True)
class Bench:
    """All that is on the bench; what is None is not there."""

    board: BoardSection
    console: ConsoleSection
    power: SwitchSection  # the board's 5 V
    sd_mux: MuxSection
    card: SwitchSection | None = None  # on: the consent card touches its contacts
    reader: SwitchSection | None = None  # on: the reader has its 5 V
    key_switch: SwitchSection | None = None  # on: the key is turned
    lamps: LampsSection | None = None


def read_bench(path: Path) -> Bench:
    """The bench that ``path`` describes; ConfigError with all that is wrong."""
    try:
        tables = parse_toml(read_file(path))
    except ConfigError as error:
        said = str(error)
        raise ConfigError(said if str(path) in said else f"{path} {said}") from None
    problems: list[str] = []
    sections = _sections(tables, path.parent, problems)
    problems += _shared(sections)
    if problems:
        raise ConfigError(f"{path}: " + "; ".join(problems))
    return Bench(**sections)


def _sections(
    tables: dict[str, Any], folder: Path, problems: list[str]
) -> dict[str, Any]:
    hints, sections = typing.get_type_hints(Bench), {}
    names = [each.name for each in fields(Bench)]
    for name in tables:
        if name not in names:
            problems.append(unknown(name, name, names, "a section"))
    for each in fields(Bench):
        if each.name not in tables and each.default is not MISSING:
            continue
        own: list[str] = []
        given = Fields(each.name, tables.get(each.name), own)
        kind = without_none(hints[each.name])
        sections[each.name] = None if own else read_section(given, kind, folder)
        problems += own
    return sections


def _shared(sections: dict[str, Any]) -> list[str]:
    """Two parts that would be switched by the same contact."""
    taken: dict[tuple[str, str, int], str] = {}
    problems = []
    for name, each in sections.items():
        if not isinstance(each, SwitchSection):
            continue
        place = each.driver, each.at, each.channel
        if place in taken:
            where = f"{each.at}, channel {each.channel}"
            problems.append(f"{name} and {taken[place]} are both on {where}")
        taken[place] = name
    return problems
