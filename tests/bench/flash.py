"""Flash: an image to a loop file, written by its map and read back.

The peer is what people type: `dd` of the same bytes, and `sha256sum` of what it wrote.
Both begin with nothing of the image in memory, on the same disk, in turns.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.rows import Row
from card_images import MEGA, ROOT_AT, make_card, make_image, write_map
from limits import MEASURED_S

from doorsill.documents.boot.file import BootFile, write_boot_file
from doorsill_fleet.flash.boot_partition import put_boot_file
from doorsill_fleet.flash.image import find_image
from doorsill_fleet.flash.writing import write_image

IMAGE_MB = 450  # mapped, the most that an image may have
TIMES_MOST = 2.0
TURNS = 3


def rows() -> list[Row]:
    """One row: the middle of three turns."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        image = big_image(Path(folder))
        card, copy = make_card(Path(folder) / "card", 8 * MEGA), Path(folder) / "copy"
        os.truncate(card, image.stat().st_size)
        ours, theirs = [], []
        for _ in range(TURNS):
            theirs.append(seconds(lambda: typed(image, copy), image, copy))
            ours.append(seconds(lambda: flashed(image, card), image, card))
    mine, peer = statistics.median(ours), statistics.median(theirs)
    return [
        Row(
            f"flash: {IMAGE_MB} MB to a loop file, written, read back, its file put",
            f"{mine:.1f} s ({IMAGE_MB / mine:.0f} MB/s)",
            {"dd and sha256sum": f"{peer:.1f} s"},
            f"<= {TIMES_MOST:g} times dd and sha256sum: {mine / peer:.2f}",
            mine / peer <= TIMES_MOST,
        )
    ]


def big_image(folder: Path) -> Path:
    """An image of a card without a hole behind its boot partition."""
    image = make_image(folder / "a.img")
    with image.open("r+b") as file:
        file.seek(ROOT_AT)
        for _ in range(IMAGE_MB):
            file.write(os.urandom(MEGA))
        file.flush()
        os.fsync(file.fileno())
    write_map(image)
    return image


def flashed(image: Path, card: Path) -> None:
    """Ours."""
    write_image(find_image(image), card, lambda _: None)
    put_boot_file(card, write_boot_file(BootFile("porto-1", None)))


def typed(image: Path, copy: Path) -> None:
    """Theirs; the blocks that the map names are nearly all of the image."""
    for words in (
        [
            "dd",
            f"if={image}",
            f"of={copy}",
            "bs=4M",
            "conv=fsync,sparse",
            "status=none",
        ],
        ["sha256sum", str(copy)],
    ):
        subprocess.run(words, check=True, capture_output=True, timeout=MEASURED_S)


def seconds(work: Callable[[], None], *files: Path) -> float:
    """How long it takes, with none of ``files`` in memory."""
    for each in files:
        if each.exists():
            handle = os.open(each, os.O_RDONLY)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)
    began = time.monotonic()
    work()
    return time.monotonic() - began
