"""``doorsill``: the only place where the parts meet a person.

Exit codes: 0 done · 1 the answer is no · 2 fix what you wrote · 3 not to be trusted ·
4 the camera · 5 the broker or the link · 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from doorsill.errors import (
    CameraError,
    ConfigError,
    DoorsillError,
    UntrustedError,
    UplinkError,
)
from doorsill.stopping import deaf

# Each module has add_parser(subparsers); it is imported only when it is asked for.
# What is not part of a camera (the demo, the fleet) joins as an entry point, which
# names a table like this one.
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
SIXTY_FOUR_BITS = 2**63 - 1
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
    code = run(sys.argv[1:] if arguments is None else arguments)
    deaf()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command; errors become one sentence on stderr and an exit code."""
    # Before anything loads numpy: what confines itself must have one thread.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):  # no locale may cost a result
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        refuse_32_bits(sys.maxsize)
        chosen = _parser(arguments).parse_args(_with_negatives(arguments))
        _log_to_stderr(chosen.verbose)
        return int(chosen.func(chosen) or 0)
    except DoorsillError as error:
        sys.stderr.writelines(f"doorsill: {each}\n" for each in error.args)
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
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="version, commit and models"
    )
    parser.add_argument("--verbose", action="store_true", help="say more on stderr")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    wanted = next((each for each in arguments if not each.startswith("-")), "")
    commands = COMMANDS if wanted in COMMANDS else COMMANDS | plugins()
    if wanted in commands:
        importlib.import_module(commands[wanted][0]).add_parser(subparsers)
        return parser
    for name, (_, help_text) in commands.items():
        subparsers.add_parser(name, help=help_text, add_help=False)
    return parser


def plugins() -> dict[str, tuple[str, str]]:
    """The commands that other packages add: a module and a line of help for each."""
    from importlib.metadata import entry_points  # 40 ms that a camera does not need

    found: dict[str, tuple[str, str]] = {}
    for each in entry_points(group=PLUGINS):
        found.update(each.load())
    return found


def refuse_32_bits(largest: int) -> None:
    """ConfigError where ``largest``, the greatest size of this Python, has 32 bits."""
    if largest < SIXTY_FOUR_BITS:
        raise ConfigError(
            "doorsill needs a 64-bit system (Raspberry Pi OS 64-bit, Debian arm64 or "
            "amd64); this Python has 32 bits, for which there is no model runtime"
        )


class _Version(argparse.Action):
    """``--version``: the line is put together only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        from doorsill.version import version_line

        sys.stdout.write(version_line() + "\n")
        parser.exit()


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
