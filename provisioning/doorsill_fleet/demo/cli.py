"""``doorsill demo``: the whole system on this machine, against the known truth."""

from __future__ import annotations

import argparse
import logging

from rich.console import Console

from doorsill.commandline.tables import Rows
from doorsill.errors import ConfigError
from doorsill_fleet.demo.judge import tolerance
from doorsill_fleet.demo.plan import Plan
from doorsill_fleet.demo.play import Outcome, play, require_playable
from doorsill_fleet.demo.view import last_message

LEAST_SECONDS = 3.0  # shortest demo
LEAST_TOKEN_SECONDS = 12.0  # the card needs the vault to be up, and 4 s of its own


def run(args: argparse.Namespace) -> int:
    """Play, and say what was counted and what was true."""
    least = LEAST_TOKEN_SECONDS if args.token else LEAST_SECONDS
    if not args.seconds >= least:
        of = " of a demo with --token" if args.token else ""
        raise ConfigError(
            f"--seconds {args.seconds:g} is below the minimum of {least:g}{of}"
        )
    require_playable(args.source, args.model)
    if args.source and not args.line:
        raise ConfigError("--source needs a --line, such as --line 0.5,0,0.5,1")
    if args.line and not args.source:
        raise ConfigError("--line is for --source FILE; the street has its own line")
    console = Console()
    if not args.verbose:  # the view tells it better
        for name in ("doorsill", "doorsill_fleet"):
            logging.getLogger(name).setLevel(logging.WARNING)
    plan = Plan(
        args.seconds,
        args.source,
        tuple(args.line),
        args.model,
        args.token,
        args.verbose,
    )
    outcome = play(plan, console)
    report(outcome, console, token=args.token)
    return 1 if outcome.failures else 0


def report(outcome: Outcome, console: Console, *, token: bool) -> None:
    """Counted versus true, and what left the device."""
    if outcome.looked_s:
        console.print(_table(outcome), crop=False)
    received = outcome.received
    if not console.is_terminal and received.last_payload:  # the view shows it already
        console.print("last published message:", last_message(received))
    console.print(
        f"looked for {outcome.looked_s} s; {received.payload_bytes} bytes in "
        f"{received.messages} messages left the device; "
        f"raw faces stored: {outcome.raw_faces}"
    )
    if token:
        console.print(
            f"{outcome.certificates} blanking certificates; chain and signatures hold"
        )
    for failure in outcome.failures:
        console.print(failure, style="red", markup=False, highlight=False)
    console.print("everything that was started has ended")


def _table(outcome: Outcome) -> Rows:
    table = Rows("line", "", "in", "out", title="counted versus true")
    for number, counted in enumerate(outcome.counted):
        table.add_row(str(number + 1), "counted", *map(str, counted))
        if outcome.truth is not None:
            true = outcome.truth[number]
            table.add_row("", "true", *map(str, true))
            apart = (f"± {tolerance(each)}" for each in true)
            table.add_row("", "may differ by", *apart)
    return table
