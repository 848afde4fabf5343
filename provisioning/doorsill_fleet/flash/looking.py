"""Reads the facts of a target: sysfs, mounts, and its partitions."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from doorsill.errors import ConfigError
from doorsill_fleet.flash.target import Part, Target

ASKED_S = 20.0  # for an answer of sfdisk or blkid
CARD_BUSES = ("/usb", "/mmc_host/", "/virtual/block/loop")
SECTOR_BYTES = 512  # of /sys/block/*/size, always


def look(path: Path, root: Path = Path("/")) -> Target:
    """What is at ``path``; ConfigError if nothing is, or no disk and no file."""
    try:
        state = path.stat()
    except OSError as error:
        raise ConfigError(f"cannot look at {path}: {error.strerror}") from None
    if stat.S_ISREG(state.st_mode):
        return Target(
            str(path), state.st_size, True, False, False, "", (), tuple(parts_of(path))
        )
    if not stat.S_ISBLK(state.st_mode):
        raise ConfigError(f"{path} is no disk and no file")
    numbers = f"{os.major(state.st_rdev)}:{os.minor(state.st_rdev)}"
    node = (root / "sys/dev/block" / numbers).resolve()
    return look_at_disk(path, node, root)


def look_at_disk(path: Path, node: Path, root: Path) -> Target:
    """The disk or partition at ``path`` whose folder in sysfs is ``node``."""
    is_part = (node / "partition").is_file()
    disk = node.parent if is_part else node
    on_card_bus = any(each in str(disk) for each in CARD_BUSES)
    removable = _line(disk / "removable") == "1"
    return Target(
        path=str(path),
        size=int(_line(node / "size") or 0) * SECTOR_BYTES,
        is_file=False,
        is_part=is_part,
        fixed=not (removable or on_card_bus),
        model=" ".join(_line(disk / "device" / e) for e in ("vendor", "model")).strip()
        or _line(disk / "device" / "name")
        or disk.name,
        used_by=tuple(_users(disk, root)),
        parts=tuple(parts_of(path)),
    )


def _users(disk: Path, root: Path) -> Iterator[str]:
    """Where it or a partition of it is mounted, swapped to, or stacked on."""
    nodes = [disk, *(each.parent for each in disk.glob("*/partition"))]
    numbers = {_line(each / "dev") for each in nodes}
    names = {f"/dev/{each.name}" for each in nodes}
    for each in nodes:
        yield from (f"/dev/{held.name}" for held in each.glob("holders/*"))
    for row in _rows(root / "proc/self/mountinfo"):
        source = row[row.index("-") + 2] if "-" in row[:-2] else ""
        if row[2] in numbers or source in names:
            yield row[4]
    for row in _rows(root / "proc/swaps"):
        if row[0] in names:
            yield "swap"


def parts_of(path: Path) -> Iterator[Part]:
    """The partitions of a disk or of a file; none if it has no table."""
    for number, (first, size) in enumerate(spans_of(path), 1):
        found = _probe(path, first)
        yield Part(number, size, found.get("TYPE", ""), found.get("LABEL", ""))


def spans_of(path: Path) -> Iterator[tuple[int, int]]:
    """First byte and size in bytes of each partition, in the order of the table."""
    try:
        table: Any = json.loads(_ask("sfdisk", "--json", str(path)) or "{}")
        known = table.get("partitiontable", {})
        sector = int(known.get("sectorsize", SECTOR_BYTES))
        for each in known.get("partitions", []):
            yield int(each["start"]) * sector, int(each["size"]) * sector
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{path}: sfdisk says what nobody understands") from None


def _probe(path: Path, first: int) -> dict[str, str]:
    said = _ask("blkid", "-p", "-O", str(first), "-o", "export", str(path))
    return dict(each.split("=", 1) for each in said.splitlines() if "=" in each)


def _ask(program: str, *words: str) -> str:
    """What a program of util-linux prints; empty where it finds nothing."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise ConfigError(f"{program} is not installed: apt install fdisk util-linux")
    try:
        done = subprocess.run(
            [found, *words],
            capture_output=True,
            text=True,
            timeout=ASKED_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{program} does not answer: {error}") from None
    return done.stdout if done.returncode == 0 else ""


def _line(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _rows(path: Path) -> Iterator[list[str]]:
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return
    yield from (row for each in text.splitlines() if (row := each.split()))
