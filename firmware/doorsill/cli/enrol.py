"""``doorsill enrol``: join the fleet with a voucher, or renew the certificate."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from doorsill.documents.durable import wipe
from doorsill.documents.reading import read_file, read_if_there
from doorsill.documents.voucher import LONGEST, Voucher, read_voucher
from doorsill.enrolment.joining import Wait, Wanted, join
from doorsill.enrolment.renewing import renew
from doorsill.enrolment.stage import READY, Stage
from doorsill.errors import UplinkError
from doorsill.office.controller import secret

# Where a technician leaves a voucher on the card of a Raspberry Pi, in a computer.
BOOT = (Path("/boot/firmware/doorsill-voucher.txt"), Path("/boot/doorsill-voucher.txt"))
LEAST_WAIT_S, MOST_WAIT_S = 2.0, 60.0  # between two tries

T = TypeVar("T")


def run(args: argparse.Namespace) -> int:
    """Enrol, or renew; 0 when it is done."""
    return _renew(args) if args.renew else _join(args)


def _join(args: argparse.Namespace) -> int:
    stage = Stage(args.to, "enrol")
    if not stage.has(READY):
        stage.put("voucher", _voucher_text(args.voucher, stage).encode())
    for path in (args.voucher, *BOOT):
        if path is not None:
            wipe(path)  # the stage has it now
    wanted = Wanted(args.camera)

    def step() -> tuple[str, str]:
        return join(stage, _staged(stage), wanted, time.time())

    site, device = _again(step, args.wait)
    _say(f"enrolled as {site} {device}; key, certificate and policy are in {args.to}")
    _say(f"  next: doorsill check --config {args.to / 'doorsill.toml'}")
    return 0


def _renew(args: argparse.Namespace) -> int:
    stage = Stage(args.to, "renewal")
    due = _again(lambda: renew(stage, datetime.now(UTC).timestamp()), args.wait)
    if due is None:
        _say("the certificate is not yet at two thirds of its life; nothing was done")
    else:
        _say(f"renewed; next from {due:%Y-%m-%d} on")
    return 0


def _staged(stage: Stage) -> Voucher:
    if stage.has(READY):  # all is made already; what is left needs no voucher
        return Voucher("", 0, "", "", "")
    return read_voucher(stage.read("voucher").decode("utf-8", "replace"))


def _voucher_text(given: Path | None, stage: Stage) -> str:
    """The voucher: from a file, an earlier try, the boot partition, or a person.

    Raises ConfigError if there is none, or it is none.
    """
    if given is not None:
        data: bytes | None = read_file(given, LONGEST)
    elif stage.has("voucher"):
        data = stage.read("voucher")
    else:
        found = (read_if_there(each, LONGEST) for each in BOOT)
        data = next((each for each in found if each is not None), None)
    if data is None:
        data = secret("voucher: ").encode()
    text = data.decode("utf-8-sig", "replace").strip()
    read_voucher(text)
    return text


def _again(step: Callable[[], T], within_s: float) -> T:
    """``step`` until it works; UplinkError if it does not within ``within_s``."""
    ends, wait = time.monotonic() + within_s, LEAST_WAIT_S
    while True:
        try:
            return step()
        except UplinkError as error:
            asked = error.after_s if isinstance(error, Wait) else None
            pause = min(asked or wait, MOST_WAIT_S)
            if time.monotonic() + pause > ends:
                raise
            sys.stderr.write(f"{error}; next try in {pause:g} s, nothing is lost\n")
            time.sleep(pause)
            wait = min(wait * 2, MOST_WAIT_S)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
