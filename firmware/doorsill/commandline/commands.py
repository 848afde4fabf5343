"""A parser's commands as values, from which manual page and completion are made."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Option:
    """One option; ``values`` is None for a flag, and empty for any value."""

    names: tuple[str, ...]
    metavar: str  # empty for a flag
    about: str
    values: tuple[str, ...] | None
    takes_file: bool

    @property
    def takes_value(self) -> bool:
        """Whether a word follows it."""
        return self.values is not None


@dataclass(frozen=True, slots=True)
class Command:
    """The program itself, a group, or a command."""

    path: tuple[str, ...]  # without the program; empty for the program itself
    about: str
    usage: str
    epilog: str
    options: tuple[Option, ...]
    arguments: tuple[Option, ...]  # without a name
    below: tuple[tuple[str, str], ...]  # the commands of a group, with their help


def commands_of(
    parser: argparse.ArgumentParser, path: tuple[str, ...] = ()
) -> Iterator[Command]:
    """``parser`` and each command below it, in the order of the help."""
    groups = _groups(parser)
    named = [each for each in actions_of(parser) if each.option_strings]
    rest = [e for e in actions_of(parser) if not e.option_strings and e not in groups]
    usage = parser.format_usage().removeprefix("usage: ")
    yield Command(
        path,
        parser.description or "",
        " ".join(usage.split()),
        parser.epilog or "",
        tuple(_option(parser, each) for each in named),
        tuple(_option(parser, each) for each in rest),
        tuple((e.dest, e.help or "") for g in groups for e in g._choices_actions),
    )
    for group in groups:
        for name, each in group.choices.items():
            yield from commands_of(each, (*path, name))


def parsers_of(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """``parser`` and the parser of each command below it, in the order of the help."""
    yield parser
    for group in _groups(parser):
        for each in group.choices.values():
            yield from parsers_of(each)


def actions_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The options and arguments of this parser alone, ``--help`` first."""
    return parser._actions


def _groups(
    parser: argparse.ArgumentParser,
) -> list[argparse._SubParsersAction[argparse.ArgumentParser]]:
    return [e for e in parser._actions if isinstance(e, argparse._SubParsersAction)]


def _option(parser: argparse.ArgumentParser, action: argparse.Action) -> Option:
    takes = action.nargs != 0
    formatter = parser.formatter_class(prog=parser.prog)
    about = formatter._expand_help(action) if action.help else ""
    choices = tuple(str(each) for each in action.choices or ())
    name = formatter._metavar_formatter(action, action.dest)(1)[0]
    return Option(
        tuple(action.option_strings),
        name if takes else "",
        about,
        choices if takes else None,
        takes and (action.type is Path or name in FILES),
    )


# Placeholders of values that may be a file, although their type does not say so.
FILES = ("NAME|FILE", "source", "FILE", "FOLDER")
