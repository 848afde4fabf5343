"""``doorsill``: the only place where the parts meet a person.

Exit codes: 0 done · 1 the answer is no · 2 fix what you wrote · 3 not to be trusted ·
4 the camera · 5 the broker or the link · 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import NoReturn

from doorsill import __version__
from doorsill.errors import (
    CameraError,
    ConfigError,
    DoorsillError,
    UntrustedError,
    UplinkError,
)

# Each module has add_parser(subparsers); it is imported only when it is asked for.
# What is not part of a camera (the demo, the fleet) joins as an entry point.
COMMANDS = {
    "count": ("doorsill.count_cli", "count a recording as fast as the machine can"),
    "run": ("doorsill.run_cli", "count at a door; what systemd starts on a camera"),
    "check": ("doorsill.check_cli", "say all that is wrong with a configuration"),
    "status": ("doorsill.status_cli", "say what a technician needs to know"),
    "policy": ("doorsill.policy_cli", "make, sign, show, check and apply a policy"),
    "models": ("doorsill.models_cli", "list, verify, measure and fetch models"),
    "consent": ("doorsill.consent.cli", "issue and watch consent cards"),
    "vault": ("doorsill.consent.vault_cli", "list, export and blank the vault"),
    "verify": ("doorsill.consent.verify_cli", "check blanking certificates offline"),
}
PLUGINS = "doorsill.commands"
EXIT_CODES: tuple[tuple[type[DoorsillError], int], ...] = (
    (ConfigError, 2),
    (UntrustedError, 3),
    (CameraError, 4),
    (UplinkError, 5),
)
EXAMPLES = """\
examples:
  doorsill count door.mp4 --line 0.5,0,0.5,1     count who crosses the middle
  doorsill demo --seconds 60                     see everything at work
  doorsill check --config /etc/doorsill/doorsill.toml
  doorsill COMMAND --help                        more on a command
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command; errors become one sentence on stderr and an exit code."""
    # Before anything loads numpy: what confines itself must have one thread.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        chosen = _parser(arguments).parse_args(_with_negatives(arguments))
        _log_to_stderr(chosen.verbose)
        return int(chosen.func(chosen) or 0)
    except DoorsillError as error:
        sys.stderr.write(f"doorsill: {error}\n")
        return next(code for kind, code in EXIT_CODES if isinstance(error, kind))
    except KeyboardInterrupt:
        sys.stderr.write("doorsill: interrupted\n")
        return 130
    except BrokenPipeError:
        # Whoever read our output left; nothing more can be said there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="doorsill",
        description="Counts who crosses a shop's door and remembers no one.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--verbose", action="store_true", help="say more on stderr")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = next((each for each in arguments if not each.startswith("-")), None)
    if wanted in COMMANDS:
        importlib.import_module(COMMANDS[wanted][0]).add_parser(subparsers)
        return parser
    for name, (_, help_text) in COMMANDS.items():
        subparsers.add_parser(name, help=help_text, add_help=False)
    for plugin in entry_points(group=PLUGINS):
        plugin.load()(subparsers)
    return parser


def _with_negatives(arguments: Sequence[str]) -> list[str]:
    """``--line -1,0,1,1`` as ``--line=-1,0,1,1``: else the minus means an option."""
    joined: list[str] = []
    for each in arguments:
        if joined[-1:] == ["--line"] and each.startswith("-") and "," in each:
            joined[-1] = f"--line={each}"
        else:
            joined.append(each)
    return joined


def _log_to_stderr(verbose: bool) -> None:
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        stream=sys.stderr,
    )


if __name__ == "__main__":
    main()
