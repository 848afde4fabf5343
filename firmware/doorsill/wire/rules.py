"""What one field of a message may hold, and how much could be hidden in it.

Each rule checks a value, gives its JSON Schema, and knows its capacity in bits. No rule
can hold 64 bytes of free content; ``tests/wire/test_wire.py`` adds the capacities up.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Protocol

from doorsill.errors import UntrustedError

Schema = dict[str, Any]


class Rule(Protocol):
    """What a field may hold."""

    def check(self, value: object, name: str) -> None:
        """Raise UntrustedError unless ``value`` (as in JSON) is allowed."""

    def schema(self) -> Schema:
        """The same, said as JSON Schema."""

    @property
    def bits(self) -> float:
        """How much information the field can carry at most."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number, both bounds included; ``true`` is not one."""

    least: int
    most: int

    def check(self, value: object, name: str) -> None:
        if type(value) is not int:
            raise UntrustedError(f"{name} must be a whole number")
        if not self.least <= value <= self.most:
            raise UntrustedError(f"{name} is outside of {self.least}..{self.most}")

    def schema(self) -> Schema:
        if self.least == self.most:
            return {"const": self.least}
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    @property
    def bits(self) -> float:
        return math.log2(self.most - self.least + 1)


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    def check(self, value: object, name: str) -> None:
        if type(value) is not bool:
            raise UntrustedError(f"{name} must be true or false")

    def schema(self) -> Schema:
        return {"type": "boolean"}

    @property
    def bits(self) -> float:
        return 1.0


@dataclass(frozen=True, slots=True)
class Word:
    """One of a few words."""

    words: tuple[str, ...]

    def check(self, value: object, name: str) -> None:
        if value not in self.words or not isinstance(value, str):
            raise UntrustedError(f"{name} is none of {', '.join(self.words)}")

    def schema(self) -> Schema:
        if len(self.words) == 1:
            return {"const": self.words[0]}
        return {"enum": list(self.words)}

    @property
    def bits(self) -> float:
        return math.log2(len(self.words))


@dataclass(frozen=True, slots=True)
class Words:
    """Some of a few words, each once, in their fixed order."""

    words: tuple[str, ...]

    def check(self, value: object, name: str) -> None:
        if not isinstance(value, list | tuple):
            raise UntrustedError(f"{name} must be a list")
        if list(value) != [word for word in self.words if word in value]:
            raise UntrustedError(f"{name} holds more than {', '.join(self.words)}")

    def schema(self) -> Schema:
        items = {"enum": list(self.words)}
        most = len(self.words)
        return {"type": "array", "items": items, "uniqueItems": True, "maxItems": most}

    @property
    def bits(self) -> float:
        return float(len(self.words))


@dataclass(frozen=True, slots=True)
class Text:
    """A short text of a fixed form; ``capacity`` is the log2 of how many there are."""

    pattern: str
    capacity: float

    def check(self, value: object, name: str) -> None:
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value, re.A):
            raise UntrustedError(f"{name} does not match {self.pattern}")

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^{self.pattern}$"}

    @property
    def bits(self) -> float:
        return self.capacity


@dataclass(frozen=True, slots=True)
class OrNull:
    """The rule, or null."""

    rule: Rule

    def check(self, value: object, name: str) -> None:
        if value is not None:
            self.rule.check(value, name)

    def schema(self) -> Schema:
        return {"anyOf": [self.rule.schema(), {"type": "null"}]}

    @property
    def bits(self) -> float:
        return math.log2(2**self.rule.bits + 1)


@dataclass(frozen=True, slots=True)
class Pairs:
    """A list of rows of whole numbers with the same names."""

    names: tuple[str, ...]
    rule: Whole
    most: int

    def check(self, value: object, name: str) -> None:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise UntrustedError(f"{name} must be a list")
        if len(value) > self.most:
            raise UntrustedError(f"{name} holds more than {self.most} rows")
        for row in value:
            if not isinstance(row, dict) or tuple(row) != self.names:
                raise UntrustedError(f"{name} must hold {', '.join(self.names)} only")
            for key, number in row.items():
                self.rule.check(number, f"{name}.{key}")

    def schema(self) -> Schema:
        row = {
            "type": "object",
            "properties": {name: self.rule.schema() for name in self.names},
            "required": list(self.names),
            "additionalProperties": False,
        }
        return {"type": "array", "items": row, "maxItems": self.most}

    @property
    def bits(self) -> float:
        return self.most * len(self.names) * self.rule.bits + math.log2(self.most + 1)


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of rows of whole numbers; each column has a name and its own bounds."""

    columns: tuple[tuple[str, Whole], ...]
    most: int

    def check(self, value: object, name: str) -> None:
        if not isinstance(value, list | tuple):
            raise UntrustedError(f"{name} must be a list")
        if len(value) > self.most:
            raise UntrustedError(f"{name} holds more than {self.most} rows")
        names = tuple(column for column, _ in self.columns)
        for row in value:
            if not isinstance(row, dict) or tuple(row) != names:
                raise UntrustedError(f"{name} must hold {', '.join(names)} only")
            for column, each in self.columns:
                each.check(row[column], f"{name}.{column}")

    def schema(self) -> Schema:
        row = {
            "type": "object",
            "properties": {name: each.schema() for name, each in self.columns},
            "required": [name for name, _ in self.columns],
            "additionalProperties": False,
        }
        return {"type": "array", "items": row, "maxItems": self.most}

    @property
    def bits(self) -> float:
        row = sum(each.bits for _, each in self.columns)
        return self.most * row + math.log2(self.most + 1)


def rule(each: Rule, name: str | None = None, default: Any = None) -> Any:
    """A field of a message; ``name`` is its name on the wire, if that is a keyword."""
    metadata = {"rule": each, "name": name}
    if default is None:
        return field(metadata=metadata)
    return field(metadata=metadata, default=default)


def fields_of(kind: Any) -> tuple[tuple[str, str, Rule], ...]:
    """(attribute, name on the wire, rule) of a message class, in order."""
    return _fields_of(kind)


@lru_cache(maxsize=16)
def _fields_of(kind: Any) -> tuple[tuple[str, str, Rule], ...]:
    return tuple(
        (each.name, each.metadata["name"] or each.name, each.metadata["rule"])
        for each in fields(kind)
    )
