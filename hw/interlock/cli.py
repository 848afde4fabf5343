"""``doorsill-hw``: judge the board, make what comes from it, plan a camera's place."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from interlock import build, coverage
from interlock.errors import BoardError
from interlock.netlist import BOARD, load_board
from interlock.parts import CATALOGUE
from interlock.rules.book import judge

DOES_NOT_HOLD, UNUSABLE = 1, 2  # exit codes
OUT = Path(__file__).resolve().parents[1] / "build"
BOARDS = 60  # of the series
EXAMPLES = """examples:
  doorsill-hw rules                                 the electrical rules, over the board
  doorsill-hw build --boards 500 --out /tmp/board   everything, into a folder
  doorsill-hw coverage --height 3 --lens wide       what a camera sees from 3 m
"""


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code: 1 does not hold, 2 unusable."""
    chosen = parser().parse_args(words)
    act: Callable[[argparse.Namespace], int] = chosen.act
    try:
        return act(chosen)
    except BoardError as error:
        print(f"doorsill-hw: {error}", file=sys.stderr)
        return UNUSABLE


def parser() -> argparse.ArgumentParser:
    """The arguments of every command."""
    found = argparse.ArgumentParser(
        "doorsill-hw",
        description="The interlock board and the place of a camera.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = found.add_subparsers(required=True, metavar="COMMAND")
    rules = commands.add_parser("rules", help="hold the board to its electrical rules")
    made = commands.add_parser("build", help="rules, simulation, drawings, tables")
    for each in (rules, made):
        each.add_argument("--board", type=Path, default=BOARD, help="another board.net")
        each.add_argument(
            "--parts", type=Path, default=CATALOGUE, help="and parts.toml"
        )
    made.add_argument(
        "--out", type=Path, default=OUT, help="folder (default: hw/build)"
    )
    made.add_argument(
        "--boards", type=int, default=BOARDS, help="of the series (default: 60)"
    )
    made.add_argument(
        "--tree",
        type=Path,
        action="append",
        default=[],
        help="device tree of a real board (.dtb), for the overlay; several times",
    )
    made.add_argument("--kicad", action="store_true", help="KiCad must judge as well")
    rules.set_defaults(act=_rules)
    made.set_defaults(act=_build)
    coverage.add_arguments(commands.add_parser("coverage", help="what a camera sees"))
    return found


def _rules(chosen: argparse.Namespace) -> int:
    found = judge(load_board(chosen.board, chosen.parts))
    for rule, faults in found.items():
        print(f"{'holds' if not faults else 'BROKEN':7} {rule}")
        for each in faults:
            print(f"        {each}")
    return DOES_NOT_HOLD if any(found.values()) else 0


def _build(chosen: argparse.Namespace) -> int:
    if chosen.boards < 1:
        raise BoardError(f"--boards {chosen.boards} must be 1 or more")
    board = load_board(chosen.board, chosen.parts)
    broken = build.make(
        board, build.Order(chosen.out, chosen.boards, chosen.tree, chosen.kicad)
    )
    for each in broken:
        print(f"BROKEN {each}", file=sys.stderr)
    print(f"written to {chosen.out}")
    return DOES_NOT_HOLD if broken else 0
