"""The manual page of a program (roff, for ``man``), made from its parser."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from doorsill.commandline.commands import Command, Option

COMMANDS = "@COMMANDS@"  # the line of the page that the commands replace


def manual(page: str, commands: Iterable[tuple[str, Command]]) -> str:
    """``page`` with a section for each command of a program in place of COMMANDS."""
    sections = [
        line
        for program, each in commands
        if each.path and not each.below
        for line in _section(program, each)
    ]
    return page.replace(f"{COMMANDS}\n", "\n".join([*sections, ""]))


def _section(program: str, command: Command) -> Iterator[str]:
    yield f'.SS "{_plain(" ".join((program, *command.path)))}"'
    yield _line(command.about)
    yield ".PP"
    yield f".B {_plain(command.usage)}"
    for each in (*command.arguments, *command.options):
        if "--help" in each.names or "--verbose" in each.names:
            continue  # every command has them: they stand in the page once
        yield ".TP"
        yield _term(each)
        yield _line(each.about)
    yield from _epilog(command.epilog)


def _term(option: Option) -> str:
    names = ", ".join(rf"\fB{_plain(each)}\fR" for each in option.names)
    value = rf"\fI{_plain(option.metavar)}\fR" if option.metavar else ""
    return f"{names} {value}".strip()


def _epilog(text: str) -> Iterator[str]:
    """The epilog in its own layout, with examples and drawing."""
    yield ".PP"
    yield ".nf"
    yield from (_line(line) for line in text.rstrip().splitlines())
    yield ".fi"


def _line(text: str) -> str:
    plain = _plain(text)
    return plain if plain else ".sp"


def _plain(text: str) -> str:
    """``text`` with escapes, so that roff sees no command in it."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", escaped)
