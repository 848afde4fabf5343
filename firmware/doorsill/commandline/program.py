"""The beginning of each program of ours: its name, ``--version``, a log."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from doorsill.commandline.parser import Actions, Parser


def program(name: str, about: str, examples: str) -> tuple[Parser, Actions[Any]]:
    """The parser of the program ``name``, and where its commands are added."""
    parser = Parser(prog=name, description=about, epilog=examples)
    parser.set_defaults(verbose=False)
    parser.add_argument(
        "-V", "--version", action=_Version, nargs=0, help="version, commit and models"
    )
    return parser, parser.add_subparsers(metavar="COMMAND", required=True)


def declare(
    arguments: Sequence[str],
    commands: Actions[Any],
    known: Mapping[str, str],
    whole: Callable[[str], None],
) -> None:
    """Add the command that ``arguments`` name by ``whole``; else each with its words.

    So one that is used loads nothing of the others.
    """
    wanted = named(arguments)
    if wanted in known:
        whole(wanted)
        return
    for name, words in known.items():
        commands.add_parser(name, help=words, add_help=False)


def named(arguments: Sequence[str]) -> str:
    """The command that ``arguments`` name; empty if they name none."""
    return next((each for each in arguments if not each.startswith("-")), "")


def log_to_stderr(*, verbose: bool) -> None:
    """Log to standard error, one line for each event, with its time."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        stream=sys.stderr,
    )


class _Version(argparse.Action):
    """``--version``: the line is put together only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        from doorsill.device.version import version_line

        line = version_line().replace("doorsill", parser.prog, 1)
        sys.stdout.write(line + "\n")
        parser.exit()
