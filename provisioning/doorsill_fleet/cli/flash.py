"""``doorsill-fleet flash``: cards for cameras, one or many."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from doorsill.commandline.ending import EXIT_CODES
from doorsill.documents.boot.file import (
    BootFile,
    Network,
    read_network,
    read_wired,
)
from doorsill.documents.boot.values import Server, read_server, read_site
from doorsill.documents.boot.wiring import Wiring
from doorsill.documents.durable import put
from doorsill.documents.reading import read_file
from doorsill.documents.voucher import Voucher
from doorsill.errors import ConfigError
from doorsill_fleet.flash.batch import Card, flash_all
from doorsill_fleet.flash.image import Image, find_image
from doorsill_fleet.flash.labels import CardLabel, as_pdf
from doorsill_fleet.flash.looking import look
from doorsill_fleet.flash.target import require_erasable
from doorsill_fleet.flash.vouchers import Chosen, choose, note_flashed
from doorsill_fleet.flash.writing import Progress as Report

T = TypeVar("T")


def run(args: argparse.Namespace) -> int:
    """Look, ask, write, verify; 0 when every card is done."""
    image = find_image(args.image)
    if len({each.resolve() for each in args.device}) != len(args.device):
        raise ConfigError("a card is named twice")
    chosen = choose(args.voucher, read_site(args.site), len(args.device))
    cards = [
        Card(path, _boot_file(args, each.voucher))
        for path, each in zip(args.device, chosen, strict=True)
    ]
    for card, each in zip(cards, chosen, strict=True):
        target = look(card.path)
        require_erasable(target, image.map.image_bytes, any_disk=args.any_disk)
        _say("\n".join(target.described()))
        _say(f"  becomes {args.site} {each.device or each.voucher.serial}")
    _confirm(cards, args.yes)
    _flash(image, cards)
    _keep(args, cards, chosen)
    return _report(cards)


def _boot_file(args: argparse.Namespace, voucher: Voucher) -> BootFile:
    """What goes on the card, as the command line says it."""
    network = _lines_of(args.network, read_network) or Network()
    wiring = _lines_of(args.wiring, read_wired) or Wiring()
    server = Server(voucher.host, voucher.port)
    if args.server:
        server = read_server(args.server)
    return BootFile(args.site, voucher, server, args.camera, network, wiring)


def _lines_of(path: Path | None, read: Callable[[bytes], T]) -> T | None:
    """What ``read`` makes of lines for every card; None where no file is named."""
    if path is None:
        return None
    try:
        return read(read_file(path))
    except ConfigError as error:
        raise error.of(path) from None


def _confirm(cards: Sequence[Card], yes: bool) -> None:
    """All that is on them is lost: a person types their names."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError("nobody is there to ask; --yes erases without asking")
    names = " ".join(each.path.name for each in cards)
    sys.stdout.write(f"All that is on it is lost. To go on, type {names}: ")
    sys.stdout.flush()
    if sys.stdin.readline().split() != names.split():
        raise ConfigError("that was not typed; nothing was written")


def _flash(image: Image, cards: Sequence[Card]) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(file=sys.stderr)) as shown:

        def progress_of(card: Card) -> Report:
            # All is looked at or written; what was written is read back.
            total = image.map.image_bytes + image.map.mapped_bytes
            task = shown.add_task(card.path.name, total=total)
            return lambda count: shown.advance(task, count)

        flash_all(image, cards, progress_of)


def _keep(
    args: argparse.Namespace, cards: Sequence[Card], chosen: Sequence[Chosen]
) -> None:
    """Of the cards that are done: whose vouchers they are, and their labels."""
    done = [each for card, each in zip(cards, chosen, strict=True) if card.done]
    for card, each in zip(cards, chosen, strict=True):
        if card.done:
            name = each.device or each.voucher.serial
            _say(f"{card.path}: written and verified, {args.site} {name}")
    if done:
        note_flashed(args.voucher, done)
        labels = [CardLabel(args.site, e.device, e.voucher.serial) for e in done]
        put(args.label, as_pdf(labels))
        _say(f"labels, with what the lamp says on their back: {args.label}")


def _report(cards: Sequence[Card]) -> int:
    """0; or one error with the end of each card that is not done."""
    failed = [each for each in cards if each.error is not None]
    if not failed:
        return 0
    kinds = [type(each.error) for each in failed]
    worst = next(kind for kind, _ in reversed(EXIT_CODES) if kind in kinds)
    raise worst(*(f"{each.path}: {each.error}" for each in failed))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
