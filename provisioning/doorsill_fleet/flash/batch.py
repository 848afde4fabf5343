"""Several cards at once, each in its own thread and with its own end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from doorsill.documents.boot.file import BootFile, write_boot_file
from doorsill.errors import DoorsillError
from doorsill_fleet.flash.boot_partition import put_boot_file
from doorsill_fleet.flash.image import Image
from doorsill_fleet.flash.writing import Progress, write_image

LOOK_S = 0.2  # between two looks at the threads, so that Ctrl-C is heard


@dataclass(slots=True)
class Card:
    """One card and what is to be on it; then how it went."""

    path: Path
    boot: BootFile
    done: bool = False
    error: DoorsillError | None = None


def flash(image: Image, card: Card, progress: Progress) -> None:
    """Write, verify, and put ``doorsill.txt`` on it; the end stands in ``card``."""
    try:
        write_image(image, card.path, progress)
        put_boot_file(card.path, write_boot_file(card.boot))
    except DoorsillError as error:
        card.error = error
    else:
        card.done = True


def flash_all(
    image: Image, cards: Sequence[Card], progress_of: Callable[[Card], Progress]
) -> None:
    """All of them side by side; one that fails stops no other."""
    threads = [
        threading.Thread(
            target=flash, args=(image, each, progress_of(each)), daemon=True
        )
        for each in cards
    ]
    for each in threads:
        each.start()
    while any(each.is_alive() for each in threads):
        for each in threads:
            each.join(LOOK_S)
