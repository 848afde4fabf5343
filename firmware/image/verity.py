"""The system as one file that is checked block by block: squashfs and its hashes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from doorsill.errors import ConfigError
from image.steps import run

BLOCK = 4096  # bytes, of data and of hashes
# zstd's level: 15 saves 3 % of 9 and takes three times as long.
LEVEL = "9"
PAIR = re.compile(r"Root hash:\s+([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Verified:
    """What the kernel line says of a system."""

    blocks: int  # of data; the hashes begin after them
    root_hash: str

    def words(self, slot: str) -> str:
        """Those words of the kernel line."""
        return f"doorsill.slot={slot} doorsill.verity={self.blocks}:{self.root_hash}"


def squash(
    root: Path, image: Path, epoch: int, program: Sequence[str | Path] = ("mksquashfs",)
) -> None:
    """``root`` as a squashfs in which all is root's; ``program`` starts mksquashfs."""
    image.unlink(missing_ok=True)
    command = [*program, root, image, "-noappend", "-no-progress", "-no-xattrs"]
    command += ["-comp", "zstd", "-Xcompression-level", LEVEL, "-b", "262144"]
    command += ["-all-root", "-quiet", "-processors", "2", "-no-exports"]
    # Of every file, and not only of those that are newer, as SOURCE_DATE_EPOCH does.
    command += ["-mkfs-time", str(epoch), "-all-time", str(epoch)]
    run(command, epoch=None)


def protect(image: Path, most: int) -> Verified:
    """Pad ``image`` to whole blocks and append the tree of hashes.

    ConfigError where it is then larger than ``most`` bytes.
    """
    size = image.stat().st_size
    blocks = -(-size // BLOCK)
    with image.open("r+b") as file:
        file.truncate(blocks * BLOCK)
    command: list[str | Path] = [
        "veritysetup",
        "format",
        image,
        image,
        "--no-superblock",
        "--salt=-",
    ]
    command += [f"--data-blocks={blocks}", f"--hash-offset={blocks * BLOCK}"]
    command += ["--data-block-size=4096", "--hash-block-size=4096", "--hash=sha256"]
    found = PAIR.search(run(command))
    if found is None:
        raise ConfigError("veritysetup said no root hash")
    if image.stat().st_size > most:
        raise ConfigError(
            f"{image.name} has {image.stat().st_size} bytes, and its partition {most}"
        )
    return Verified(blocks, found[1])
