"""A policy's file at a desk: a draft or a signed one, told apart by its first byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from doorsill import canonical
from doorsill.errors import DoorsillError
from doorsill.reading import parse_toml, read_file

T = TypeVar("T")


def read_unverified(path: Path, parse: Callable[[dict[str, Any]], T]) -> T:
    """What a draft or a signed policy says; its signature is not checked.

    Raises ConfigError or UntrustedError, which name the file.
    """
    data = read_file(path)
    try:
        return parse(canonical.split(data)[0] if is_signed(data) else parse_toml(data))
    except DoorsillError as error:
        raise error.of(path) from None


def is_signed(data: bytes) -> bool:
    """Whether these are the bytes of a signed policy, and not of a draft."""
    return data.lstrip().startswith(b"{")
