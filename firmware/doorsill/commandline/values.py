"""Types of option values; an error says what is wanted, and the value given."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import TypeVar

N = TypeVar("N", int, float)


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """A whole number from ``least`` to ``most``."""

    def read(text: str) -> int:
        try:
            return _bound(text, int(text), least, most)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text} must be a whole number") from None

    return read


def number(least: float, most: float | None = None) -> Callable[[str], float]:
    """A number from ``least`` to ``most``, never infinite."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"{text} must be a number")
        return _bound(text, value, least, most)

    return read


def some_text(text: str) -> str:
    """Text that is not empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty")
    return text


def _bound(text: str, value: N, least: float, most: float | None) -> N:
    if value < least:
        raise argparse.ArgumentTypeError(f"{text} is below the minimum of {least:g}")
    if most is not None and value > most:
        raise argparse.ArgumentTypeError(f"{text} is above the maximum of {most:g}")
    return value
