"""Tables and lights on a terminal, without cutting a word.

A table that does not fit is printed row by row, each cell after its head, so that a
path or a command can be copied. A light is a word; on a terminal it also has a colour,
unless NO_COLOR is set. To be printed with ``crop=False``.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Column, Table
from rich.text import Text

BORDER = 3  # columns between two cells, with the line
COLOURS = {"ok": "32", "look": "33", "WRONG": "31"}  # of a terminal: ECMA-48
PLAIN_TERMINALS = ("", "dumb")


class Rows:
    """A table with ``heads`` and a ``title``; all is text, and never markup."""

    def __init__(self, *heads: str, title: str | None = None) -> None:
        self.heads, self.title = heads, title
        self.rows: list[tuple[str, ...]] = []

    def add_row(self, *cells: str) -> None:
        """One row, with a cell for each head."""
        self.rows.append(cells)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Called by rich, which knows how wide the terminal is."""
        if self._width() <= options.max_width:
            heads = (Column(Text(each)) for each in self.heads)
            table = Table(
                *heads, title=None if self.title is None else Text(self.title)
            )
            for row in self.rows:
                table.add_row(*map(Text, row))
            yield table
        else:
            text = "\n".join(self.stack(options.max_width))
            yield Text(text, no_wrap=True, overflow="ignore")

    def _width(self) -> int:
        longest = (max(map(len, column)) for column in zip(*self._all(), strict=True))
        return sum(each + BORDER for each in longest) + 1

    def _all(self) -> list[tuple[str, ...]]:
        return [self.heads, *self.rows]

    def stack(self, width: int) -> Iterator[str]:
        """Row by row, each cell after its head, in ``width`` columns."""
        if self.title:
            yield self.title
        margin = max(map(len, self.heads)) + 2
        for row in self.rows:
            yield ""
            for head, cell in zip(self.heads, row, strict=True):
                if cell:
                    yield from hanging(f"{head:{margin}}", cell, width)


def hanging(before: str, text: str, width: int, after: int | None = None) -> list[str]:
    """``text`` after ``before``, with further lines below it; no word is broken.

    If ``before`` takes more than half of ``width``, or leaves no room for a word,
    further lines have the margin ``after`` (columns; 2 if it is not given).
    """
    longest = max(map(len, text.split()), default=0)
    fits = len(before) * 2 <= width and len(before) + longest <= width
    margin = len(before) if fits else after or 2
    return textwrap.wrap(
        before + text,
        width,
        subsequent_indent=" " * margin,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def light(word: str, out: TextIO | None = None) -> str:
    """``word`` with its colour, if ``out`` is a terminal that shows colours."""
    out = out or sys.stdout
    if "NO_COLOR" in os.environ or not out.isatty():
        return word
    if os.environ.get("TERM", "") in PLAIN_TERMINALS:
        return word
    return f"\x1b[{COLOURS[word]}m{word}\x1b[0m"


def lights(found: Sequence[tuple[str, str, str, str]], width: int) -> Iterator[str]:
    """A line or more for each (light, part, its state, first step) of ``found``."""
    longest = max(len(part) for _, part, _, _ in found)
    for word, part, says, step in found:
        before = f"{word:5} {part:{longest}} "
        first, *rest = hanging(before, says, width, after=6)
        yield first.replace(word, light(word), 1)
        yield from rest
        if step:
            yield from hanging("      first: ", step, width, after=8)
