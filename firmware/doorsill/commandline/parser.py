"""One parser for every command line of ours.

An error prints the usage of the command and one sentence that names the option and its
value: first a misspelt option, with the one that was probably meant, then a missing
one. There are no abbreviations, and no option can be given twice by mistake.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from doorsill.commandline.help import Help

USAGE = 2  # exit code: the command line itself is wrong
# How argparse begins its messages, which we replace by our own.
VALUE_MISSING, VALUE_TOO_MUCH = "expected ", "ignored explicit argument"
MISSING = "the following arguments are required: "
ONE_MISSING = re.compile(r"one of the arguments (.+) is required")
# A value such as -0.1,0,1,1 begins with a minus as well, but with a digit after it.
NEGATIVE = re.compile(r"^-[\d.]")
ASKS_FOR_HELP = frozenset({"-h", "--help"})

Actions = argparse._SubParsersAction  # what add_subparsers returns; for annotations


class Parser(argparse.ArgumentParser):
    """argparse's parser with clearer errors, ``--help`` and ``--verbose``."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", Help)
        super().__init__(allow_abbrev=False, exit_on_error=False, **settings)
        self._negative_number_matcher = NEGATIVE
        if self.add_help:
            self._actions[0].help = "print this help"
            self.add_argument(
                "--verbose",
                action="store_true",
                default=argparse.SUPPRESS,
                help="say more on standard error",
            )

    def parse_known_args(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse's, but an unknown argument is an error here."""
        words = list(sys.argv[1:] if args is None else args)
        self._refuse_strangers(words)
        try:
            found, extra = super().parse_known_args(words, namespace)
        except argparse.ArgumentError as error:
            self.error(_in_words(error))
        if extra:
            self.error(self._too_much(extra[0]))
        return found, []

    def error(self, message: str) -> NoReturn:
        """Print the usage of this command and ``message``; exit with USAGE."""
        if message.startswith(MISSING):
            message = self._missing(message.removeprefix(MISSING).split(", "))
        elif found := ONE_MISSING.match(message):
            message = self._missing([" or ".join(found[1].split())])
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write; unlike argparse's, it raises if nothing can be written."""
        (file or sys.stderr).write(message)

    def _refuse_strangers(self, words: Sequence[str]) -> None:
        """Name the first option that does not exist, or comes twice."""
        if not ASKS_FOR_HELP.isdisjoint(words):
            return
        values: dict[str, str] = {}
        for index, word in enumerate(words):
            if word == "--" or (self._subparsers and not word.startswith("-")):
                return  # the rest is no option of this parser
            if len(word) < 2 or word[0] != "-" or NEGATIVE.match(word) or " " in word:
                continue
            name, given, value = word.partition("=")
            action = self._option_string_actions.get(name)
            if action is None:
                self.error(self._stranger(name, words[index + 1 :]))
            value = value if given else "".join(words[index + 1 : index + 2])
            if name in values and isinstance(action, argparse._StoreAction):
                self.error(f"{name} is given twice: {values[name]} and {value}")
            values[name] = value

    def _stranger(self, name: str, after: Sequence[str]) -> str:
        known = [each for each in self._option_string_actions if each.startswith("--")]
        words = f"there is no option {name}{meant(name, known)}"
        if self._subparsers and (command := self._command_in(after)):
            words += f"; the options of {command} come after it"
        return words

    def _command_in(self, words: Sequence[str]) -> str:
        choices = self._choices()
        return next((each for each in words if each in choices), "")

    def _choices(self) -> Iterable[str]:
        for each in self._actions:
            if isinstance(each, argparse._SubParsersAction):
                return list(each.choices)
        return []

    def _too_much(self, extra: str) -> str:
        words = f"{extra} is one argument too many"
        if "--config" in self._option_string_actions and Path(extra).suffix == ".toml":
            words += f"; did you mean --config {extra}?"
        return words

    def _missing(self, names: Sequence[str]) -> str:
        """The sentence for missing arguments, with the first example."""
        verb = "is" if len(names) == 1 else "are"
        words = f"{', '.join(names)} {verb} required"
        if self._subparsers:
            return f"{words}: {', '.join(self._choices())}"
        found = re.search(rf"^ +({re.escape(self.prog)} .*?)(  .*)?$", self._examples())
        return f"{words}, such as: {found[1].strip()}" if found else words

    def _examples(self) -> str:
        joined = re.sub(r" *\\\n +", " ", self.epilog or "")
        return next((each for each in joined.splitlines() if self.prog in each), "")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(each) for each in action.choices]
        close = meant(str(value), known)
        if not isinstance(action, argparse._SubParsersAction):
            words = f"{value} is none of {', '.join(known)}{close}"
            raise argparse.ArgumentError(action, words)
        if f"--{value}" in self._option_string_actions:
            close = f"; did you mean {self.prog} --{value}?"
        close = close or f"; it is one of {', '.join(known)}"
        raise argparse.ArgumentError(None, f"there is no command {value}{close}")


def command(
    commands: argparse._SubParsersAction[Any],
    name: str,
    words: str,
    examples: str,
    work: str = "",
) -> Parser:
    """Add the command ``name``; ``work`` is ``module:function``, imported on use.

    ``words`` says in half a sentence what it does; ``examples`` is printed below its
    help. A group of commands has no work of its own.
    """
    made: Parser = commands.add_parser(
        name,
        help=words,
        description=words[:1].upper() + words[1:] + ".",
        epilog=examples,
    )
    if work:
        made.set_defaults(work=work)
    return made


def done(chosen: argparse.Namespace) -> int:
    """Do the work of the chosen command; returns its exit code."""
    module, _, function = chosen.work.partition(":")
    return int(getattr(importlib.import_module(module), function)(chosen) or 0)


def meant(name: str, known: Iterable[str]) -> str:
    """``; did you mean …?``, or nothing if no name in ``known`` is near."""
    names = list(known)
    begun = [each for each in names if len(name) > 2 and each.startswith(name)]
    close = begun if len(begun) == 1 else difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _in_words(error: argparse.ArgumentError) -> str:
    said, name = str(error.message), error.argument_name
    if name is None:
        return said
    if said.startswith(VALUE_TOO_MUCH):
        value = said.removeprefix(VALUE_TOO_MUCH).strip()
        return f"{name} takes no value; {value} was given"
    if said.startswith(VALUE_MISSING):
        return f"{name} needs a value"
    return f"{name} {said}"
