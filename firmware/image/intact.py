"""Whether what a build left for the next one is as it was left: every byte, every mode.

A disk that fails, or a hand in the cache, is noticed before an image has it.
"""

from __future__ import annotations

import hashlib
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from image.lock import sha256_of


def digest(path: Path) -> str:
    """Of a file's bytes, or of all that a folder holds, in hexadecimal."""
    if path.is_file():
        return sha256_of(path)
    whole = hashlib.sha256()
    for line in sorted(_lines(path)):
        whole.update(line.encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _lines(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            held = str(path.readlink())
        else:
            held = sha256_of(path) if stat.S_ISREG(mode) else ""
        yield f"{path.relative_to(folder)}\0{mode:o}\0{held}\n"


def seal(path: Path) -> None:
    """Note beside ``path`` what it holds now."""
    _note(path).write_text(digest(path) + "\n")


def is_intact(path: Path) -> bool:
    """Whether ``path`` holds what was noted; it is said where it holds something else.

    What never came to be noted was cut short, and is not.
    """
    if not path.exists() or not _note(path).exists():
        return False
    if digest(path) == _note(path).read_text().strip():
        return True
    sys.stdout.write(f"image: {path.name} was changed since it was made\n")
    return False


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
