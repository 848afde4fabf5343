"""``doorsill``: the command line, the only place that speaks to a person."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from doorsill.commandline.ending import run_to_exit_code
from doorsill.commandline.parser import Actions, Parser, done
from doorsill.commandline.program import declare, log_to_stderr, named, program
from doorsill.errors import ConfigError
from doorsill.process.stopping import deaf

# Each module has add_parser(subparsers); it is imported only when it is used.
# What is not part of a camera (the demo, the fleet) joins as an entry point, which
# names a table like this one.
COMMANDS = {
    "count": (
        "doorsill.cli.arguments.count",
        "count a recording as fast as the machine can",
    ),
    "run": (
        "doorsill.cli.arguments.run",
        "count at a door; what systemd starts on a camera",
    ),
    "check": (
        "doorsill.cli.arguments.check",
        "say all that is wrong with a configuration",
    ),
    "enrol": (
        "doorsill.cli.arguments.enrol",
        "join the fleet with a voucher, or renew the certificate",
    ),
    "first-boot": (
        "doorsill.cli.arguments.first_boot",
        "bring a flashed card into service; what systemd starts",
    ),
    "status": ("doorsill.cli.arguments.status", "say what a technician needs to know"),
    "policy": (
        "doorsill.cli.arguments.policy",
        "make, sign, show, compare and apply a policy",
    ),
    "models": (
        "doorsill.cli.arguments.models",
        "list, verify, measure and fetch models",
    ),
    "consent": ("doorsill.cli.arguments.consent", "issue and watch consent cards"),
    "vault": ("doorsill.cli.arguments.vault", "list, export and blank the vault"),
    "verify": ("doorsill.cli.arguments.verify", "check blanking certificates offline"),
}
PLUGINS = "doorsill.commands"
SIXTY_FOUR_BITS = 2**63 - 1
EXAMPLES = """\
examples:
  doorsill count door.mp4 --line 0.5,0,0.5,1     count who crosses the middle
  doorsill demo --seconds 60                     see everything at work
  doorsill check --config /etc/doorsill/doorsill.toml
  doorsill COMMAND --help                        more on a command

Exit code: 0 done; 1 the answer is no; 2 fix what you wrote; 3 not to be trusted;
4 the camera; 5 the broker or the link; 130 interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code."""
    code = run(sys.argv[1:] if arguments is None else arguments)
    deaf()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command; errors become one sentence on stderr and an exit code."""
    # Before numpy is loaded: a process that confines itself must have one thread.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return run_to_exit_code(
        "doorsill", lambda: _run(arguments), lambda: "--verbose" in arguments
    )


def _run(arguments: Sequence[str]) -> int:
    refuse_32_bits(sys.maxsize)
    chosen = parser_for(arguments).parse_args(arguments)
    log_to_stderr(verbose=chosen.verbose)
    return done(chosen)


def parser_for(arguments: Sequence[str]) -> Parser:
    """The parser; complete only for the command that ``arguments`` name."""
    parser, commands = _parser()
    known = COMMANDS if named(arguments) in COMMANDS else COMMANDS | plugins()

    def whole(name: str) -> None:
        importlib.import_module(known[name][0]).add_parser(commands)

    declare(
        arguments, commands, {name: said for name, (_, said) in known.items()}, whole
    )
    return parser


def whole_parser(known: dict[str, tuple[str, str]]) -> Parser:
    """The parser, complete for every command: for manual pages and completion."""
    parser, commands = _parser()
    for module, _ in known.values():
        importlib.import_module(module).add_parser(commands)
    return parser


def _parser() -> tuple[Parser, Actions[Any]]:
    about = "Counts who crosses a shop's door and remembers no one."
    return program("doorsill", about, EXAMPLES)


def plugins() -> dict[str, tuple[str, str]]:
    """The commands that other packages add: a module and a line of help for each."""
    from importlib.metadata import entry_points  # 40 ms, which a camera can save

    found: dict[str, tuple[str, str]] = {}
    for each in entry_points(group=PLUGINS):
        found.update(each.load())
    return found


def refuse_32_bits(largest: int) -> None:
    """ConfigError if ``largest``, the largest size of this Python, has 32 bits."""
    if largest < SIXTY_FOUR_BITS:
        raise ConfigError(
            "doorsill needs a 64-bit system (Raspberry Pi OS 64-bit, Debian arm64 or "
            "amd64); this Python has 32 bits, for which there is no model runtime"
        )


if __name__ == "__main__":
    main()
