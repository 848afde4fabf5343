"""Read one table of a document strictly, and note every problem on the way.

An option that is unknown, missing, mistyped or out of bounds is noted with its section,
name, value and bound. The reader goes on, so that all problems are reported at once.
Every TOML and JSON table that others write is read with this; ``sections`` reads a
whole table into a dataclass.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

DEVICE_ID = re.compile(r"[a-z0-9-]{1,16}")
HOST = r"[A-Za-z0-9.:-]{1,253}"  # a host name or an address
PORT_MOST = 65535
PLACE = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[^:]+)(:(?P<port>[0-9]{1,5}))?")


def split_place(text: str, usual: int = 0) -> tuple[str, int] | None:
    """Host and port of ``HOST:PORT``, an address of IPv6 in brackets; None: neither.

    ``usual`` is the port of a host alone, where that may be said.
    """
    found = PLACE.fullmatch(text)
    port = int(found["port"] or usual) if found else 0
    if found is None or not 0 < port <= PORT_MOST:
        return None
    return found["host"].strip("[]"), port


def place_text(host: str, port: int) -> str:
    """``HOST:PORT`` as :func:`split_place` reads it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Fields:
    """One table; each method reads one option, and ``end`` notes unknown ones."""

    def __init__(self, section: str, table: object, problems: list[str]) -> None:
        self._section = section
        self.problems = problems
        self._known: list[str] = []
        self._table: Mapping[str, Any] = {}
        self._broken = not isinstance(table, Mapping)
        if isinstance(table, Mapping):
            self._table = table
        else:
            there = "is missing" if table is None else f"= {shown(table)}"
            problems.append(f"{section} {there}; it must be a table")

    def text(
        self, name: str, pattern: str, limit: int, default: str | None = None
    ) -> str:
        """Text of at most ``limit`` characters that matches ``pattern`` in full."""
        value = self._take(name, "a text", str, default)
        if value is None:
            return ""
        if len(value) > limit:
            self.note(name, f"has {len(value)} characters; the limit is {limit}")
        elif not re.fullmatch(pattern, value):
            self.note(name, f"= {shown(value)} does not match {pattern}")
        return str(value)

    def word(self, name: str, choices: tuple[str, ...]) -> str:
        """A text that is one of ``choices``."""
        value = self._take(name, "a text", str)
        if value is not None and value not in choices:
            self.note(name, f"= {shown(value)} is none of {', '.join(choices)}")
        return value or ""

    def optional_text(self, name: str, pattern: str, limit: int) -> str | None:
        """As :meth:`text`, or None if the option is absent or null."""
        self._known.append(name)
        if self._table.get(name) is None:
            return None
        return self.text(name, pattern, limit)

    def whole(self, name: str, least: int, most: int) -> int:
        """A whole number, ``least`` and ``most`` included."""
        value = self._take(name, "a whole number", int)
        return least if value is None else int(self._bound(name, value, least, most))

    def optional_whole(self, name: str, least: int, most: int, default: int) -> int:
        """As :meth:`whole`, or ``default`` if the option is absent."""
        return self.whole(name, least, most) if self.has(name) else default

    def number(self, name: str, least: float, most: float) -> float:
        """A number, ``least`` and ``most`` included."""
        value = self._take(name, "a number", float)
        return least if value is None else float(self._bound(name, value, least, most))

    def flag(self, name: str, default: bool | None = None) -> bool:
        """true or false; without ``default`` it must be there."""
        if default is not None and not self.has(name):
            return default
        return bool(self._take(name, "true or false", bool))

    def texts(
        self,
        name: str,
        pattern: str,
        most: int,
        *,
        absent: bool = False,
        repeated: bool = False,
    ) -> tuple[str, ...]:
        """A list of at most ``most`` different texts that match ``pattern``.

        With ``absent`` it may be left out, which means none; with ``repeated`` a text
        may stand in it more than once.
        """
        if absent and not self.has(name):
            return ()
        values = self._list(name, most) or []
        for value in values:
            if not isinstance(value, str) or not re.fullmatch(pattern, value):
                self.note(name, f"holds {shown(value)}, not matching {pattern}")
                return ()
        if len(set(values)) != len(values) and not repeated:
            self.note(name, "holds the same text twice")
        return tuple(values)

    def points(self, name: str, least: int, most: int) -> tuple[Any, ...]:
        """``least`` to ``most`` points of the picture, [x, y] in 0..1."""
        values = self._list(name, most)
        if values is None:
            return ()
        if len(values) < least:
            self.note(name, f"has {len(values)} points; the minimum is {least}")
        if not all(_is_pair(value) for value in values):
            self.note(name, "must be a list of points, [x, y]")
            return ()
        outside = [v for v in values if not all(0 <= each <= 1 for each in v)]
        if outside:
            self.note(name, f"has {shown(outside[0])} outside of the picture, 0 to 1")
            return ()
        return tuple((float(x), float(y)) for x, y in values)

    def tables(self, name: str, most: int) -> Iterator[Fields]:
        """A list of tables, each as its own ``Fields``; absent means none."""
        if not self.has(name):
            return
        for index, value in enumerate(self._list(name, most) or []):
            yield Fields(f"{self._section}.{name}[{index}]", value, self.problems)

    def table(self, name: str) -> Fields:
        """A table that must be there, as its own ``Fields``."""
        self._known.append(name)
        section = f"{self._section}.{name}"
        return Fields(section, self._table.get(name), self.problems)

    def has(self, name: str) -> bool:
        """Whether the option ``name`` is there; it may be left out."""
        self._known.append(name)
        return name in self._table

    def names(self) -> list[str]:
        """The names in this table, if its options are not known in advance."""
        return [str(name) for name in self._table]

    def optional_table(self, name: str) -> Fields | None:
        """A table as its own ``Fields``, or None if it is absent or null."""
        self._known.append(name)
        value = self._table.get(name)
        if value is None:
            return None
        return Fields(f"{self._section}.{name}", value, self.problems)

    def end(self) -> None:
        """Note each option that no method has read."""
        for name in self._table:
            if name not in self._known:
                where = f"{self._section}.{name}"
                problem = unknown(where, str(name), self._known, "an option")
                self.problems.append(problem)

    def note(self, name: str, problem: str) -> None:
        """Note ``problem`` of the option ``name``."""
        self.problems.append(f"{self._section}.{name} {problem}")

    def _take(
        self, name: str, words: str, kind: type, default: object = None
    ) -> Any | None:
        """The value, or None once its absence or its type has been noted."""
        self._known.append(name)
        value = self._table.get(name, default)
        if type(value) in ((int, float) if kind is float else (kind,)):
            return value
        if not self._broken:
            wrong = f"= {shown(value)}" if name in self._table else "is missing"
            self.note(name, f"{wrong}; it must be {words}")
        return None

    def _list(self, name: str, most: int) -> list[Any] | None:
        value = self._take(name, "a list", list)
        if value is not None and len(value) > most:
            self.note(name, f"has {len(value)} entries; the limit is {most}")
            return None
        return value

    def _bound(self, name: str, value: float, least: float, most: float) -> float:
        if value != value or value < least:
            self.note(name, f"= {shown(value)} is below the minimum of {least}")
            return least
        if value > most:
            self.note(name, f"= {shown(value)} is above the maximum of {most}")
            return most
        return value


def unknown(where: str, name: str, known: Iterable[str], what: str) -> str:
    """The sentence for an unknown ``name``, with the nearest of those that are known.

    ``where`` is its whole name, and ``what`` says what it would have to be.
    """
    names = list(dict.fromkeys(known))
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}"
    return f"{where} is not {what}; {hint}"


def shown(value: object) -> str:
    """``value`` as a short text for a message."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits
        return f"a {type(value).__name__} too long to be shown"
    return text if len(text) <= 80 else text[:77] + "..."


def _is_pair(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(each) in (int, float) for each in value)
    )
