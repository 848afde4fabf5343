"""The layout of a help: defaults are shown, and no word is broken.

An epilog is written for 80 columns. On a narrower terminal, such as a phone over SSH,
prose flows again and an example goes on in the next line, so that it can be copied.
"""

from __future__ import annotations

import argparse
import itertools
import re
import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

NARROWEST = 20  # columns: the narrowest layout
FULL = 80  # columns that the epilogs are written for
COMMENT = re.compile(r"(?<=\S) {2,}(?=\S)")  # between an example and its comment
CONTINUED = re.compile(r" \\\n +")  # an example that goes on in the next line
# Words that stay in one line: an option and its value, and a text in quotes.
TOGETHER = re.compile(r"(?<= )--?[\w-]+ (?=[^-\s])|\"[^\"]*\"")
GLUE = "\0"  # a space that no line is broken at


class Help(argparse.RawDescriptionHelpFormatter):
    """Shows the default of each option, and folds an epilog that is too wide."""

    def __init__(self, prog: str, width: int | None = None) -> None:
        columns = width or columns_here() - 2
        # Names of options get a column of their own only if there is room.
        place = 24 if columns >= FULL - 2 else 6
        super().__init__(prog, max_help_position=place, width=columns)

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        if action.option_strings and _worth_showing(action.default, text):
            text += " (default: %(default)s)"
        return text

    def _format_usage(self, *arguments: Any) -> str:
        """Python 3.13 breaks no line between an argument and its repetition."""
        rows = super()._format_usage(*arguments).split("\n")
        return "\n".join(
            row if len(row) <= self._width else "\n".join(_fold_row(row, self._width))
            for row in rows
        )

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "".join(f"{indent}{line}\n" for line in fold(text, width))


def columns_here() -> int:
    """The width of this terminal in columns; FULL without a terminal."""
    return max(NARROWEST, shutil.get_terminal_size((FULL, 24)).columns)


def fold(text: str, width: int) -> Iterator[str]:
    """The lines of ``text``, none wider than ``width`` if its words allow it."""
    for is_prose, group in itertools.groupby(text.rstrip().splitlines(), _is_prose):
        lines = list(group)
        if all(len(line) <= width for line in lines):
            yield from lines
        elif is_prose:
            yield from _wrap(" ".join(lines), width)
        else:
            for line in CONTINUED.sub(" ", "\n".join(lines)).split("\n"):
                yield from [line] if len(line) <= width else _example(line, width)


def _is_prose(line: str) -> bool:
    return line[:1].strip() != ""


def _example(line: str, width: int) -> Iterator[str]:
    """An example, with its comment below it; it can be copied with its line breaks."""
    margin = " " * (len(line) - len(line.lstrip()))
    command, *comment = COMMENT.split(line.strip())
    glued = TOGETHER.sub(lambda found: found[0].replace(" ", GLUE), command)
    rows = [
        row.replace(GLUE, " ")
        for row in _wrap(glued, width - 2, margin, margin + "    ")
    ]
    more = " \\" if command.startswith("doorsill") else ""
    yield from (row + more for row in rows[:-1])
    yield rows[-1]
    for words in comment:
        yield from _wrap(words, width, margin + "      ", margin + "      ")


def _fold_row(row: str, width: int) -> list[str]:
    margin = " " * (len(row) - len(row.lstrip()))
    return _wrap(row.strip(), width, margin, margin)


def _wrap(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Lines of ``text`` that break no word."""
    return textwrap.wrap(
        text,
        max(width, NARROWEST - 2),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _worth_showing(default: object, text: str) -> bool:
    if default in (None, False, "", argparse.SUPPRESS) or isinstance(default, list):
        return False
    return "default" not in text
