"""What lies beside an image: a map of its blocks, its packed form, a catalogue.

Raspberry Pi Imager reads the catalogue (os_list.json, version 4) from a folder on any
web server: "Use custom" there, with the address of the file.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from doorsill.errors import ConfigError
from image import layout
from image.lock import sha256_of
from image.steps import run

LEVEL = "-3"  # of zstd: nearly all is packed already
DEVICES = {"pi4": ["pi4-64bit"], "pi5": ["pi5-64bit"], "virt": []}
NAMES = {"pi4": "Raspberry Pi 4", "pi5": "Raspberry Pi 5", "virt": "QEMU"}


def publish(board: str, image: Path, version: str, epoch: int) -> dict[str, int]:
    """Write the files beside ``image``; the bytes that are mapped, and that are packed.

    ConfigError where either is more than a store's line and card may be asked for.
    """
    # Holes are where nothing but zeros is, whatever the programs before have written.
    run(["fallocate", "--dig-holes", image])
    mapped = map_blocks(image)
    packed = image.with_name(f"{image.name}.zst")
    run(["zstd", "-q", "-f", "-T2", LEVEL, "--no-progress", image, "-o", packed])
    sizes = {"mapped": mapped, "packed": packed.stat().st_size}
    require_small(sizes)
    text = json.dumps(catalogue(board, image, packed, version, epoch), indent=1)
    (image.parent / "os_list.json").write_text(text + "\n")
    return sizes


def map_blocks(image: Path) -> int:
    """Write IMAGE.bmap; the bytes that it maps."""
    path = image.with_name(f"{image.name}.bmap")
    path.unlink(missing_ok=True)
    run(["bmaptool", "--quiet", "create", "--output", path, image])
    tree = ElementTree.fromstring(path.read_text("utf-8"))  # noqa: S314  our own file
    blocks, size = tree.findtext("MappedBlocksCount"), tree.findtext("BlockSize")
    return int((blocks or "0").strip()) * int((size or "0").strip())


def require_small(sizes: dict[str, int]) -> None:
    """ConfigError where an image is too large."""
    limits = {"mapped": layout.IMAGE_MOST, "packed": layout.PACKED_MOST}
    for name, most in limits.items():
        if sizes[name] > most:
            raise ConfigError(
                f"the image has {sizes[name] / 1e6:.0f} MB {name}, above the limit of "
                f"{most / 1e6:.0f} MB: what is new in packages.lock?"
            )


def catalogue(
    board: str, image: Path, packed: Path, version: str, epoch: int
) -> dict[str, object]:
    """As Imager reads it; the image lies beside it, so that its address is a name."""
    return {
        "imager": {"latest_version": "2.0.0"},
        "os_list": [
            {
                "name": f"doorsill {version} ({NAMES[board]})",
                "description": "Counts who crosses a shop's door and remembers no one",
                "icon": "",
                "url": packed.name,
                "bmap_url": f"{image.name}.bmap",
                "extract_size": image.stat().st_size,
                "extract_sha256": sha256_of(image),
                "image_download_size": packed.stat().st_size,
                "image_download_sha256": sha256_of(packed),
                "release_date": f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%d}",
                "devices": DEVICES[board],
                "init_format": "none",
            }
        ],
    }
