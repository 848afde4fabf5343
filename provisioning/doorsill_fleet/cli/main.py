"""``doorsill-fleet``: the office's command line."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from doorsill.commandline.ending import run_to_exit_code
from doorsill.commandline.parser import Actions, Parser, done
from doorsill.commandline.program import declare, log_to_stderr, program
from doorsill.process.stopping import deaf

# The module and function that declare each command; imported when it is used.
COMMANDS = {
    "init": (
        "doorsill_fleet.cli.arguments.chain:add_init",
        "make the authorities and the folder of a chain of shops",
    ),
    "site": ("doorsill_fleet.cli.arguments.devices:add_site", "add and list shops"),
    "device": (
        "doorsill_fleet.cli.arguments.devices:add_device",
        "add, approve, show, revoke, replace, move and retire cameras",
    ),
    "devices": (
        "doorsill_fleet.cli.arguments.devices:add_devices",
        "list the cameras, with what each one waits for",
    ),
    "flash": (
        "doorsill_fleet.cli.arguments.flash:add_flash",
        "write cards: an image, verified, and what brings its camera into service",
    ),
    "serve": (
        "doorsill_fleet.cli.arguments.chain:add_serve",
        "enrol cameras: certificates for vouchers, over HTTPS",
    ),
    "ca": (
        "doorsill_fleet.cli.arguments.office:add_ca",
        "make an authority, a controller's key and a broker's files",
    ),
    "camera": (
        "doorsill_fleet.cli.arguments.office:add_camera",
        "make all that one camera needs",
    ),
    "policy": (
        "doorsill_fleet.cli.arguments.policy:add_policy",
        "edit, compare, sign and push what cameras may do",
    ),
    "broker": (
        "doorsill_fleet.cli.arguments.broker:add_broker",
        "write the broker's files, check them, and put them in place",
    ),
    "receive": (
        "doorsill_fleet.cli.arguments.receive:add_receive",
        "keep what the cameras send, in a store or a CSV file",
    ),
    "simulate": (
        "doorsill_fleet.cli.arguments.simulate:add_simulate",
        "play cameras that have no lens, for a trial",
    ),
    "export": (
        "doorsill_fleet.cli.arguments.store:add_export",
        "write what was counted to a CSV, JSON or Parquet file",
    ),
    "delete": (
        "doorsill_fleet.cli.arguments.store:add_delete",
        "delete what is older than you want to keep",
    ),
}
EXAMPLES = """\
examples:
  doorsill-fleet init --host fleet.stores.example
  doorsill-fleet site add porto-1
  doorsill-fleet device add --count 22 --site porto-1
  doorsill-fleet serve
  doorsill-fleet flash /dev/sdb --image pi5.img --site porto-1 --voucher vouchers.csv
  doorsill-fleet policy edit porto-1
  doorsill-fleet ca stores --broker broker.porto-1.example
  doorsill-fleet camera stores porto-1 cam-01 --policy stores/porto-1.json
  doorsill-fleet broker install stores/broker                at the broker, as root
  doorsill-fleet receive --broker broker.porto-1.example --csv visitors.csv
  doorsill-fleet export --store visitors.db days.csv --by days
  doorsill-fleet COMMAND --help                              more on a command

Exit code: 0 done; 1 the answer is no; 2 fix what you wrote; 3 not to be trusted;
5 the broker or the link; 130 interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code."""
    code = run(sys.argv[1:] if arguments is None else arguments)
    deaf()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command; errors become one sentence on stderr and an exit code."""
    return run_to_exit_code(
        "doorsill-fleet", lambda: _run(arguments), lambda: "--verbose" in arguments
    )


def _run(arguments: Sequence[str]) -> int:
    chosen = parser_for(arguments).parse_args(arguments)
    log_to_stderr(verbose=chosen.verbose)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # of its own inner life
    return done(chosen)


def parser_for(arguments: Sequence[str]) -> Parser:
    """The parser; complete only for the command that ``arguments`` name."""
    parser, commands = _parser()
    known = {name: words for name, (_, words) in COMMANDS.items()}
    declare(arguments, commands, known, lambda name: _declare(name, commands))
    return parser


def whole_parser() -> Parser:
    """The parser with all of every command: for manual pages and completion."""
    parser, commands = _parser()
    for name in COMMANDS:
        _declare(name, commands)
    return parser


def _parser() -> tuple[Parser, Actions[Any]]:
    about = "Brings doorsill's cameras into service and keeps what they count."
    return program("doorsill-fleet", about, EXAMPLES)


def _declare(name: str, commands: Actions[Any]) -> None:
    module, _, function = COMMANDS[name][0].partition(":")
    getattr(importlib.import_module(module), function)(commands)


if __name__ == "__main__":
    main()
