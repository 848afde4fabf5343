"""The one list of files of an installed doorsill (``files.txt``), read and laid out.

    python -m deb.files ROOT [PACKAGE]   put its files below ROOT, without the program

The standard library alone, so that a machine without our environment can do it.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

FIRMWARE = Path(__file__).resolve().parent.parent
LIST = FIRMWARE / "deb" / "files.txt"
CAMERA, OFFICE = "doorsill", "doorsill-fleet"
COLUMNS = 5
MADE = re.compile(r"\{([a-z-]+)\}")
ROOT_OWNER = "root"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list."""

    package: str
    mode: int  # permission bits; those of a link and of a tree are its own
    kind: str  # "file", "folder", "link" or "tree"
    owner: str
    target: PurePosixPath  # below the root
    source: str  # below firmware/, a link's target, or the name of what is made

    @property
    def made(self) -> str:
        """The name of what the build makes for it; "" where it is a file of ours."""
        found = MADE.fullmatch(self.source)
        return found[1] if found else ""


def entries(text: str) -> list[Entry]:
    """The list ``text``; ValueError names the line that is wrong."""
    found, targets = [], set()
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            each = _entry(words)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        key = each.package, each.target
        if key in targets:
            raise ValueError(f"line {number}: {each.target} stands there twice")
        targets.add(key)
        found.append(each)
    return found


def _entry(words: list[str]) -> Entry:
    if len(words) != COLUMNS:
        raise ValueError(f"{len(words)} columns where {COLUMNS} belong")
    package, mode, owner, target, source = words
    if package not in (CAMERA, OFFICE):
        raise ValueError(f"no package is called {package}")
    if owner != ROOT_OWNER:
        raise ValueError(f"owner {owner}: only root's id is known before a start")
    path = PurePosixPath(target)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"the target {target} is not below the root")
    if mode in ("link", "tree"):
        return Entry(package, 0o755, mode, owner, path, source)
    if not re.fullmatch(r"0[0-7]{3}", mode):
        raise ValueError(f"mode {mode} is neither link, tree nor as 0644")
    kind = "folder" if source == "-" else "file"
    if (kind == "folder") != target.endswith("/"):
        raise ValueError(f"{target}: a folder ends with / and has the source -")
    return Entry(package, int(mode, 8), kind, owner, path, source)


def of_package(package: str) -> list[Entry]:
    """What ``package`` brings."""
    return [
        each for each in entries(LIST.read_text("utf-8")) if each.package == package
    ]


def lay(found: list[Entry], root: Path, made: Mapping[str, Path]) -> None:
    """Put ``found`` below ``root``; what is not in ``made`` is left out there.

    What stands there is replaced; owners are those of who runs this. A target that ends
    with .gz is packed.
    """
    for each in found:
        if each.made and each.made not in made:
            continue
        source = made[each.made] if each.made else FIRMWARE / each.source
        _put(each, source, root / each.target)


def _put(each: Entry, source: Path, target: Path) -> None:
    for folder in _missing(target.parent):
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
    if each.kind == "folder":
        target.mkdir(exist_ok=True)
    elif each.kind == "tree":
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        return
    elif each.kind == "link":
        target.unlink(missing_ok=True)
        target.symlink_to(each.source)
        return
    elif target.suffix == ".gz":
        target.write_bytes(gzip.compress(source.read_bytes(), 9, mtime=0))
    else:
        shutil.copyfile(source, target)
    target.chmod(each.mode)


def _missing(folder: Path) -> Iterator[Path]:
    if not folder.exists():
        yield from _missing(folder.parent)
        yield folder


def main() -> int:
    """Lay out a package's files, the camera's if none is named: for install-units."""
    package = sys.argv[2] if len(sys.argv) == 3 else CAMERA
    if len(sys.argv) not in (2, 3) or package not in (CAMERA, OFFICE):
        sys.stderr.write(f"usage: python -m deb.files ROOT [{CAMERA} | {OFFICE}]\n")
        return 2
    root = Path(os.path.realpath(sys.argv[1]))
    here = [each for each in of_package(package) if each.kind != "link"]
    from deb import pages  # which needs this module's folder, and no other package

    with tempfile.TemporaryDirectory() as folder:
        lay(here, root, pages.make(package, Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
