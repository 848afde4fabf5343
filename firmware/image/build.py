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
import hashlib
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
    layout,
    lock,
    modules,
    partitions,
    system,
    verity,
)
from image import root as system_root
from image.steps import stage

OUT = deb.ROOT / "build" / "image"
BOARDS = ("virt", "pi4", "pi5")
OPT = "opt/doorsill"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of a build."""

    board: str
    out: Path  # what is made for this board
    cache: Path

    @property
    def image(self) -> Path:
        """What is written to a card."""
        return self.out / f"doorsill-{self.board}.img"


def build(board: str, out: Path, cache: Path, epoch: int) -> Path:
    """The image for ``board`` below ``out``; ``cache`` keeps what the locks name."""
    places = Places(board, out / board, cache)
    places.out.mkdir(parents=True, exist_ok=True)
    packages = lock.locked(lock.LOCK.read_text("utf-8"))
    with stage("packages"):
        archive.fetch(packages, cache / "packages")
    base = base_root(packages, places)
    root = places.out / "root"
    with stage("the program"):
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(base, root, symlinks=True)
        add_program(root, epoch, places)
    kernel = unpacked("virt", packages, places)
    boot = unpacked("boot", packages, places)
    with stage("settings, users and units"):
        early, all_of_them = modules.wanted(board)
        modules.copy(kernel, root, all_of_them)
        system.lay(board, root)
        system_root.set_up(root)
        system.enable(root)
    with stage("the small system"):
        small = initramfs.build(kernel, boot, root, early, layers=board == "virt")
        (places.out / "initramfs").write_bytes(small)
    parts = places.out / "parts"
    parts.mkdir(exist_ok=True)
    with stage("squashfs and its hashes"):
        squashed = parts / "system_a.img"
        verity.squash(root, squashed, epoch, {})
        verified = verity.protect(squashed, layout.size_of("system_a"))
    with stage("partitions"):
        line = kernel_line(board, verified)
        version = modules.release(kernel)
        image = (modules.index(kernel) / "vmlinuz").read_bytes()
        (places.out / "kernel").write_bytes(image)
        packed = gzip.compress(image, 6, mtime=0)
        inside = {
            "kernel8.img": packed,
            "initramfs8": small,
            "cmdline.txt": line.encode(),
        }
        partitions.fat(parts / "boot_a.img", "boot_a", inside, epoch)
        partitions.fat(parts / "bootconfig.img", "bootconfig", {}, epoch)
        partitions.ext4(parts / "state.img", "state", layout.STATE_FOLDERS, epoch)
        partitions.join(parts, places.image)
    said = {
        "board": board,
        "kernel": "kernel",
        "kernel_version": version,
        "initramfs": "initramfs",
        "kernel_line": line.strip(),
        "image": places.image.name,
        "root": "root",
    }
    (places.out / "image.json").write_text(json.dumps(said, indent=1) + "\n")
    return places.image


def kernel_line(board: str, verified: verity.Verified) -> str:
    """What the kernel is started with."""
    words = ["console=ttyAMA0"] if board == "virt" else []
    words += ["quiet", "loglevel=4", "panic=10", verified.words("a")]
    return " ".join(words) + "\n"


def base_root(packages: list[lock.Locked], places: Places) -> Path:
    """The system's packages, unpacked and with byte code; kept for the lock."""
    folder = places.cache / f"root-{_key(packages, 'root', 'native')}"
    if folder.exists():
        return folder
    native = unpacked("native", packages, places)
    work = folder.with_suffix(".part")
    shutil.rmtree(work, ignore_errors=True)
    with stage("unpacking the system"):
        system_root.unpack(_files(packages, "root", places), work)
    with stage("byte code of Python's library"):
        bytecode.compile_below(native, work, "usr/lib/python3.13", "usr/lib/python3")
    return work.rename(folder)


def unpacked(group: str, packages: list[lock.Locked], places: Places) -> Path:
    """The packages of ``group`` in a folder of their own; kept for the lock."""
    folder = places.cache / f"{group}-{_key(packages, group)}"
    if not folder.exists():
        work = folder.with_suffix(".part")
        shutil.rmtree(work, ignore_errors=True)
        with stage(f"unpacking {group}"):
            bytecode.unpack_python(_files(packages, group, places), work)
            work.rename(folder)
    return folder


def add_program(root: Path, epoch: int, places: Places) -> None:
    """What the Debian package has, and byte code for it."""
    wanted = deb.Wanted("trixie", "arm64", epoch)
    needed = environment.of_camera(deb.ROOT / "requirements", wanted.target)
    foreign = environment.fetch(needed, wanted.target, places.cache / "wheels")
    work = places.out / "deb"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    tree = deb.stage(files.CAMERA, wanted, foreign, work)
    shutil.copytree(tree, root, symlinks=True, dirs_exist_ok=True)
    shutil.rmtree(work)
    native = unpacked("native", lock.locked(lock.LOCK.read_text("utf-8")), places)
    bytecode.compile_below(native, root, OPT)


def _files(packages: list[lock.Locked], group: str, places: Places) -> list[Path]:
    found = lock.of_group(packages, group)
    return [places.cache / "packages" / each.file for each in found]


def _key(packages: list[lock.Locked], *groups: str) -> str:
    """Of what is kept: the lock's lines, and the code that unpacks them."""
    digest = hashlib.sha256()
    for each in lock.of_group(packages, *groups):
        digest.update(f"{each.line()}\n".encode())
    for module in (system_root, bytecode):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:12]


def main() -> int:
    """Build, and say what was built."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--board", choices=BOARDS, default="virt")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    os.umask(0o022)
    try:
        made = build(asked.board, asked.out, OUT / "cache", deb.epoch())
    except DoorsillError as error:
        sys.stderr.write(f"image: {error}\n")
        return 2
    sys.stdout.write(f"image: {made}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
