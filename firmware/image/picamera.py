"""picamera2 in the image: wheels by their hash, and what stands for those without one.

Debian has libcamera and no picamera2, so it comes from the package index. Three of its
imports have no wheel, and nothing to do in a camera that saves no picture and shows
none: the folder ``instead`` has what stands for them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from deb import environment
from deb.environment import Pinned, Target

INSTEAD = Path(__file__).resolve().parent / "instead"
LOCK = "picamera.txt"


def wanted(requirements: Path, target: Target) -> list[Pinned]:
    """The locked wheels."""
    text = (requirements / LOCK).read_text("utf-8")
    return list(environment.pinned(text, target))


def lay(site: Path) -> None:
    """What stands for the rest, into ``site``; a file that is there is an error."""
    for source in sorted(INSTEAD.rglob("*.py")):
        path = site / source.relative_to(INSTEAD)
        path.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as read, path.open("xb") as written:
            shutil.copyfileobj(read, written)
        path.chmod(0o644)
