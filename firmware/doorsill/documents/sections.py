"""One table of a TOML file becomes one frozen section; each of its problems is noted.

A section is a dataclass whose fields are ``option``s with their bounds. ``config.py``
says which sections there are; ``fields`` reads each option.
"""

from __future__ import annotations

import types
import typing
from dataclasses import MISSING, Field, field, fields
from pathlib import Path
from typing import Any

from doorsill.documents.fields import Fields

ANY_TEXT = r"(?s:.*)"
LONGEST_TEXT = 1 << 20  # characters: no file that is read has more


def option(
    default: Any = MISSING,
    *,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] | None = None,
    pattern: str | None = None,
) -> Any:
    """A field of a section with its bounds; without ``default`` it must be given.

    A number has both ``least`` and ``most``.
    """
    bounds = {"least": least, "most": most, "choices": choices, "pattern": pattern}
    return field(default=default, metadata=bounds)


def read_section(given: Fields, kind: Any, folder: Path) -> Any:
    """The table ``given`` as a ``kind``; its paths are taken from ``folder``.

    It is None where there are problems, which ``given`` has noted.
    """
    hints, values = typing.get_type_hints(kind), {}
    for each in fields(kind):
        if given.has(each.name) or each.default is MISSING:
            values[each.name] = _read(given, each, without_none(hints[each.name]))
    given.end()
    if given.problems:
        return None
    for name, value in values.items():
        if isinstance(value, Path):
            values[name] = folder / value
    return kind(**values)


def _read(given: Fields, each: Field[Any], kind: type) -> Any:
    """One option, as its bounds say; a problem is noted."""
    name, bounds = each.name, each.metadata
    if kind is bool:
        return given.flag(name)
    if kind in (int, float):
        read = given.whole if kind is int else given.number
        return read(name, bounds["least"], bounds["most"])
    if bounds["choices"]:
        return given.word(name, bounds["choices"])
    return kind(given.text(name, bounds["pattern"] or ANY_TEXT, LONGEST_TEXT))


def without_none(kind: Any) -> Any:
    """The type itself, of one that may be None."""
    if isinstance(kind, types.UnionType):
        return next(each for each in typing.get_args(kind) if each is not type(None))
    return kind
