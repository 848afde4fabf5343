"""Packages of others that a build for a Raspberry Pi is given, each with a pinned hash.

inputs.txt ─► what to fetch ─► a folder ─► held against the hashes ─► unpacked
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from doorsill.errors import ConfigError, DoorsillError
from image import lock

LIST = Path(__file__).resolve().parent / "inputs.txt"
UNPINNED = "-"
EPOCH = re.compile(r"_\d+%3a")  # of a version, as `apt-get download` names a file


@dataclass(frozen=True, slots=True)
class Input:
    """One line of inputs.txt."""

    board: str
    path: str  # below the archive
    sha256: str  # UNPINNED where nobody has said it
    what: str

    @property
    def file(self) -> str:
        """Its name there."""
        return self.path.rpartition("/")[2]

    def inside(self, folder: Path) -> Path | None:
        """Where it lies in ``folder``, as the archive or as apt has named it."""
        for path in sorted(folder.glob("*.deb")):
            if EPOCH.sub("_", path.name) == self.file:
                return path
        return None


def inputs(text: str) -> list[Input]:
    """The list ``text``; ConfigError names the line that is wrong."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split(maxsplit=3)
        if not words or words[0].startswith("#"):
            continue
        hashed = len(words) == 4 and (
            words[2] == UNPINNED or lock.HASH.fullmatch(words[2])
        )
        if not hashed:
            raise ConfigError(
                f"inputs.txt, line {number}: board, path, SHA-256 and what belong there"
            )
        found.append(Input(*words))
    return found


def take(wanted: Iterable[Input], folder: Path) -> list[Path]:
    """The files of ``wanted`` in ``folder``, each with its hash.

    ConfigError says all that is to be fetched; UntrustedError that a file is another.
    """
    asked = [(each, each.inside(folder)) for each in wanted]
    missing = [_missing(each, folder) for each, path in asked if path is None]
    if missing:
        raise ConfigError(*missing, TRUST)
    unpinned = [each.file for each, _ in asked if each.sha256 == UNPINNED]
    if unpinned:
        raise ConfigError(
            f"inputs.txt pins no hash of {', '.join(unpinned)}: check where the files "
            f"came from, then `python -m image.inputs --pin {folder}`"
        )
    return [
        lock.check(path, each.sha256, f"{each.file} ({each.what})")
        for each, path in asked
        if path is not None
    ]


def _missing(each: Input, folder: Path) -> str:
    hashed = "" if each.sha256 == UNPINNED else f", SHA-256 {each.sha256}"
    return (
        f"{folder / each.file} is missing: {each.what}. Fetch {each.path} from "
        f"Raspberry Pi's archive (release trixie){hashed}"
    )


TRUST = (
    "nobody here could reach that archive: at the first fetch, hold these hashes "
    "against its signed index, as `apt-get download` does on a Raspberry Pi OS"
)


def pin(text: str, folder: Path) -> str:
    """``text`` with the hashes of the files that lie in ``folder``."""
    lines = []
    for line in text.splitlines():
        words = line.split(maxsplit=3)
        each = Input(*words) if len(words) == 4 and words[0][0] != "#" else None
        path = each.inside(folder) if each else None
        if each is not None and path is not None:
            pinned = replace(each, sha256=lock.sha256_of(path))
            line = f"{pinned.board} {pinned.path} {pinned.sha256} {pinned.what}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def of_board(board: str, found: Sequence[Input]) -> list[Input]:
    """Those that ``board`` needs."""
    return [each for each in found if each.board == board]


def main() -> int:
    """Pin, or say what is to be fetched."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--pin", type=Path, metavar="FOLDER")
    asked = parser.parse_args()
    text = LIST.read_text("utf-8")
    try:
        for each in inputs(text):
            sys.stdout.write(f"{each.board}: {each.path}: {each.what}\n")
        if asked.pin:
            LIST.write_text(pin(text, asked.pin), encoding="utf-8")
    except DoorsillError as error:
        sys.stderr.write(f"image: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
