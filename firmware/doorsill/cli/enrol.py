"""``doorsill enrol``: join the fleet with a voucher, or renew the certificate."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from doorsill.documents.durable import wipe
from doorsill.documents.reading import read_file, read_if_there
from doorsill.documents.voucher import LONGEST, Voucher, read_voucher
from doorsill.enrolment.again import again
from doorsill.enrolment.joining import Wanted, join
from doorsill.enrolment.renewing import renew
from doorsill.enrolment.stage import READY, Stage
from doorsill.office.controller import secret

# Where a technician leaves a voucher on the card of a Raspberry Pi, in a computer.
BOOT = (Path("/boot/firmware/doorsill-voucher.txt"), Path("/boot/doorsill-voucher.txt"))


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

    site, device = again(step, args.wait, sys.stderr.write)
    _say(f"enrolled as {site} {device}; key, certificate and policy are in {args.to}")
    _say(f"  next: doorsill check --config {args.to / 'doorsill.toml'}")
    return 0


def _renew(args: argparse.Namespace) -> int:
    stage = Stage(args.to, "renewal")
    due = again(
        lambda: renew(stage, datetime.now(UTC).timestamp()),
        args.wait,
        sys.stderr.write,
    )
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


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
