"""One table of a TOML file becomes one frozen section; each of its problems is noted.

A section is a dataclass whose fields are ``option``s with their bounds. ``config.py``
says which sections there are.
"""

from __future__ import annotations

import difflib
import math
import re
import types
import typing
from dataclasses import MISSING, Field, field, fields
from pathlib import Path
from typing import Any

from doorsill.documents.fields import shown


def option(
    default: Any = MISSING,
    *,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] | None = None,
    pattern: str | None = None,
) -> Any:
    """A field of a section with its bounds; without ``default`` it must be given."""
    bounds = {"least": least, "most": most, "choices": choices, "pattern": pattern}
    return field(default=default, metadata=bounds)


class Section:
    """Reads one table into one dataclass and notes every problem on the way."""

    def __init__(self, name: str, kind: Any, folder: Path, problems: list[str]) -> None:
        self._name = name
        self._kind = kind
        self._folder = folder
        self._problems = problems

    def read(self, table: Any) -> Any:
        """The section; None if it has problems, which are then noted."""
        if not isinstance(table, dict):
            self._problems.append(f"{self._name} must be a section, [{self._name}]")
            return None
        hints = typing.get_type_hints(self._kind)
        options = {each.name: each for each in fields(self._kind)}
        for key in table:
            if key not in options:
                name = f"{self._name}.{key}"
                self._problems.append(unknown(name, key, options, "option"))
        before = len(self._problems)
        values = {}
        for name, each in options.items():
            if name in table:
                values[name] = self._value(each, hints[name], table[name])
            elif each.default is MISSING:
                self._problems.append(f"{self._name}.{name} is missing")
        return None if len(self._problems) > before else self._kind(**values)

    def _value(self, each: Field[Any], kind: type, value: Any) -> Any:
        name = f"{self._name}.{each.name}"
        kind = without_none(kind)
        if kind is float and type(value) is int:
            value = _as_float(value)
        wanted = str if kind is Path else kind
        if type(value) is not wanted:
            words = {str: "a text", int: "a whole number", float: "a number"}
            must = words.get(wanted, "true or false")
            self._problems.append(f"{name} = {shown(value)} must be {must}")
            return value
        problem = _out_of_bounds(value, each.metadata)
        if problem:
            self._problems.append(f"{name} = {_plain(value)} {problem}")
        return self._folder / str(value) if kind is Path else value


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:  # 400 digits
        return math.inf if value > 0 else -math.inf


def _plain(value: Any) -> str:
    """``value`` as a person wrote it, cut short if it is long."""
    text = value if isinstance(value, str) else shown(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _out_of_bounds(value: Any, bounds: Any) -> str | None:
    if bounds["least"] is not None and not value >= bounds["least"]:
        return f"is below the minimum of {bounds['least']}"
    if bounds["most"] is not None and not value <= bounds["most"]:
        return f"is above the maximum of {bounds['most']}"
    if bounds["choices"] and value not in bounds["choices"]:
        return f"is none of {', '.join(bounds['choices'])}"
    if bounds["pattern"] and not re.fullmatch(bounds["pattern"], value):
        return f"does not match {bounds['pattern']}"
    return None


def unknown(name: str, key: str, known: Any, what: str) -> str:
    """The sentence for an unknown ``key``, with the nearest known one."""
    close = difflib.get_close_matches(key, list(known), n=1)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}"
    return f"{name} is an unknown {what}; {hint}"


def without_none(kind: Any) -> Any:
    """The type itself, of one that may be None."""
    if isinstance(kind, types.UnionType):
        return next(each for each in typing.get_args(kind) if each is not type(None))
    return kind
