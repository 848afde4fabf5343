"""Which packages an image is made of, to the byte: ``packages.lock``.

    packages.txt ── make image-lock ──► packages.lock ── make image ──► the same bytes
                    (archive.py)        name, version, SHA-256

A build looks at the lock alone: what it fetches is held against the hash, wherever it
came from.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from doorsill.errors import ConfigError, UntrustedError

HERE = Path(__file__).resolve().parent
WANTED = HERE / "packages.txt"
LOCK = HERE / "packages.lock"
GROUPS = ("root", "absent", "virt", "boot", "native")
ARCHITECTURES = {"native": "amd64"}  # of a group; every other one is the camera's
CAMERA = "arm64"
HASH = re.compile(r"[0-9a-f]{64}")
HEAD = """\
# The packages of the image. Written by `make image-lock`; do not edit.
# group package version architecture bytes SHA-256 archive path
"""


@dataclass(frozen=True, slots=True)
class Want:
    """One line of packages.txt."""

    group: str
    package: str
    release: str
    why: str


@dataclass(frozen=True, slots=True)
class Locked:
    """One file of the archive."""

    group: str
    package: str
    version: str
    architecture: str
    size: int  # bytes
    sha256: str
    archive: str  # "main" or "security": which of the machine's archives has it
    path: str  # below that archive

    @property
    def file(self) -> str:
        """Its name in our cache: the hash makes two builds of one version two files."""
        return f"{self.package}_{self.version}_{self.sha256[:12]}.deb".replace(":", "%")

    def line(self) -> str:
        """As the lock has it."""
        fields = (self.group, self.package, self.version, self.architecture)
        rest = (str(self.size), self.sha256, self.archive, self.path)
        return " ".join((*fields, *rest))


def wants(text: str) -> list[Want]:
    """The list ``text``; ConfigError names the line that is wrong."""
    found: list[Want] = []
    for number, words in _rows(text):
        if len(words) < 4 or words[0] not in GROUPS:
            raise ConfigError(
                f"packages.txt, line {number}: group, package, release and why belong "
                f"there, and the group is one of {', '.join(GROUPS)}"
            )
        each = Want(words[0], words[1], words[2], " ".join(words[3:]))
        if any((e.group, e.package) == (each.group, each.package) for e in found):
            raise ConfigError(f"packages.txt, line {number}: {words[1]} is there twice")
        found.append(each)
    return found


def locked(text: str) -> list[Locked]:
    """The lock ``text``; ConfigError names the line that is wrong."""
    found = []
    for number, words in _rows(text):
        if len(words) != 8 or not words[4].isdigit() or not HASH.fullmatch(words[5]):
            raise ConfigError(
                f"packages.lock, line {number} is not a line of a lock; "
                "write it again with `make image-lock`"
            )
        head, size, tail = words[:4], int(words[4]), words[5:]
        found.append(Locked(head[0], head[1], head[2], head[3], size, *tail))
    return found


def written(packages: Iterable[Locked]) -> str:
    """The lock's text: sorted, so that two renewals differ only where packages do."""
    order = sorted(packages, key=lambda each: (GROUPS.index(each.group), each.package))
    return HEAD + "".join(f"{each.line()}\n" for each in order)


def of_group(packages: Sequence[Locked], *groups: str) -> list[Locked]:
    """Those of ``groups``, in the lock's order."""
    return [each for each in packages if each.group in groups]


def check(path: Path, sha256: str, what: str) -> Path:
    """``path`` itself; UntrustedError where its bytes are not those of ``sha256``."""
    found = sha256_of(path)
    if found != sha256:
        raise UntrustedError(
            f"{path}: these are not the bytes of {what}: SHA-256 {found}, "
            f"the pinned one is {sha256}; remove the file and run this again"
        )
    return path


def sha256_of(path: Path) -> str:
    """The hash of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _rows(text: str) -> list[tuple[int, list[str]]]:
    lines = ((number, line.split()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, words) for number, words in lines if words and words[0][0] != "#"]
