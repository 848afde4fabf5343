"""Build the image of a camera: ``make image BOARD=virt``.

    packages.lock ─► root ─┐
    requirements ─► .deb ──┼─► squashfs + hashes ─┐
    kernel ─► initramfs ───┴─► boot partition ────┼─► genimage ─► doorsill-BOARD.img
                                      state ──────┘

Nothing of the camera's machine is run, and nothing is mounted. What was made from the
same lock is kept below build/image/cache.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from deb import build as deb
from deb import environment, files
from doorsill.errors import DoorsillError
from image import (
    archive,
    bytecode,
    initramfs,
    kept,
    layout,
    lock,
    modules,
    partitions,
    system,
    verity,
)
from image import root as system_root
from image.lock import Locked
from image.steps import stage

OUT = deb.ROOT / "build" / "image"
BOARDS = ("virt", "pi4", "pi5")
OPT = "opt/doorsill"
PACKING = 6  # of gzip, for the kernel on the card: QEMU and a Pi read it so


@dataclass(frozen=True, slots=True)
class Build:
    """One image: for what board, where, and of which time (UTC s)."""

    board: str
    out: Path  # the folder of what is made
    cache: Path
    epoch: int
    packages: tuple[Locked, ...]

    @property
    def root(self) -> Path:
        """The system as a folder."""
        return self.out / "root"

    @property
    def parts(self) -> Path:
        """A file for each partition."""
        return self.out / "parts"

    @property
    def image(self) -> Path:
        """What is written to a card."""
        return self.out / f"doorsill-{self.board}.img"


def build(wanted: Build) -> Path:
    """The image; an error where a package is not the locked one."""
    wanted.parts.mkdir(parents=True, exist_ok=True)
    with stage("packages"):
        archive.fetch(wanted.packages, wanted.cache / "packages")
    make_root(wanted)
    kernel = kept.unpacked("virt", wanted.packages, wanted.cache)
    with stage("settings, users and units"):
        early, all_of_them = modules.wanted(wanted.board)
        modules.copy(kernel, wanted.root, all_of_them)
        system.lay(wanted.board, wanted.root)
        system_root.set_up(wanted.root)
        system.enable(wanted.root)
    with stage("the small system"):
        boot = kept.unpacked("boot", wanted.packages, wanted.cache)
        layers = wanted.board == "virt"
        small = initramfs.build(kernel, boot, wanted.root, early, layers)
        (wanted.out / "initramfs").write_bytes(small)
    with stage("squashfs and its hashes"):
        squashed = wanted.parts / "system_a.img"
        verity.squash(wanted.root, squashed, wanted.epoch, {})
        verified = verity.protect(squashed, layout.size_of("system_a"))
    with stage("partitions"):
        make_partitions(wanted, kernel, small, kernel_line(wanted.board, verified))
    return wanted.image


def make_root(wanted: Build) -> None:
    """The locked system, and what the Debian package has, with byte code for it."""
    base = kept.base_root(wanted.packages, wanted.cache)
    native = kept.unpacked("native", wanted.packages, wanted.cache)
    with stage("the program"):
        shutil.rmtree(wanted.root, ignore_errors=True)
        shutil.copytree(base, wanted.root, symlinks=True)
        package = deb.Wanted("trixie", "arm64", wanted.epoch)
        needed = environment.of_camera(deb.ROOT / "requirements", package.target)
        foreign = environment.fetch(needed, package.target, wanted.cache / "wheels")
        work = wanted.out / "deb"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        tree = deb.stage(files.CAMERA, package, foreign, work)
        shutil.copytree(tree, wanted.root, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(work)
        bytecode.compile_below(native, wanted.root, OPT)


def make_partitions(wanted: Build, kernel: Path, small: bytes, line: str) -> None:
    """A file for each partition, the image, and a note of what is where."""
    image = (modules.index(kernel) / "vmlinuz").read_bytes()
    (wanted.out / "kernel").write_bytes(image)
    inside = {
        "kernel8.img": gzip.compress(image, PACKING, mtime=0),
        "initramfs8": small,
        "cmdline.txt": line.encode(),
    }
    parts, epoch = wanted.parts, wanted.epoch
    partitions.fat(parts / "boot_a.img", "boot_a", inside, epoch)
    partitions.fat(parts / "bootconfig.img", "bootconfig", {}, epoch)
    partitions.ext4(parts / "state.img", "state", layout.STATE_FOLDERS, epoch)
    partitions.join(parts, wanted.image)
    said = {
        "board": wanted.board,
        "kernel": "kernel",
        "kernel_version": modules.release(kernel),
        "initramfs": "initramfs",
        "kernel_line": line.strip(),
        "image": wanted.image.name,
        "root": "root",
    }
    (wanted.out / "image.json").write_text(json.dumps(said, indent=1) + "\n")


def kernel_line(board: str, verified: verity.Verified) -> str:
    """What the kernel is started with."""
    words = ["console=ttyAMA0"] if board == "virt" else []
    words += ["quiet", "loglevel=4", "panic=10", verified.words("a")]
    return " ".join(words) + "\n"


def main() -> int:
    """Build, and say what was built."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--board", choices=BOARDS, default="virt")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    os.umask(0o022)
    packages = tuple(lock.locked(lock.LOCK.read_text("utf-8")))
    out = asked.out / asked.board
    wanted = Build(asked.board, out, OUT / "cache", deb.epoch(), packages)
    try:
        made = build(wanted)
    except DoorsillError as error:
        sys.stderr.write(f"image: {error}\n")
        return 2
    sys.stdout.write(f"image: {made}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
