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
from doorsill.errors import DoorsillError, UntrustedError, UplinkError
from image import (
    archive,
    boards,
    bytecode,
    initramfs,
    inputs,
    kept,
    layout,
    lock,
    made_of,
    modules,
    native,
    partitions,
    picamera,
    publish,
    sbom,
    system,
    verity,
)
from image import root as system_root
from image.lock import Locked
from image.steps import stage

OUT = deb.ROOT / "build" / "image"
OPT = "opt/doorsill"


@dataclass(frozen=True, slots=True)
class Build:
    """One image: for what board, where, and of which time (UTC s)."""

    board: str
    out: Path  # the folder of what is made
    cache: Path
    epoch: int
    packages: tuple[Locked, ...]
    given: tuple[Path, ...] = ()  # packages of others, for a Raspberry Pi
    overlays: tuple[Path, ...] = ()  # compiled device tree overlays (.dtbo)
    made_of: str = ""  # see made_of.digest

    @property
    def root(self) -> Path:
        """The system as a folder."""
        return self.out / "root"

    @property
    def tools(self) -> Path:
        """The lock's own programs, which run here: see native.py."""
        return kept.unpacked("native", self.packages, self.cache)

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
    kernel = kernel_of(wanted)
    with stage("settings, users and units"):
        set_up(wanted, kernel)
    with stage("the small system"):
        early, _ = modules.wanted(wanted.board)
        boot = kept.unpacked("boot", wanted.packages, wanted.cache)
        layers = wanted.board == "virt"
        small = initramfs.build(kernel, boot, wanted.root, early, layers)
        small = native.packed(wanted.tools, small)
        (wanted.out / "initramfs").write_bytes(small)
    with stage("squashfs and its hashes"):
        squashed = wanted.parts / "system_a.img"
        program = native.command(wanted.tools, native.MKSQUASHFS)
        verity.squash(wanted.root, squashed, wanted.epoch, program)
        verified = verity.protect(squashed, layout.size_of("system_a"))
    with stage("partitions"):
        make_partitions(wanted, kernel, small, verified)
    with stage("block map, packed image, bill and catalogue"):
        sizes = publish.publish(wanted.board, wanted.image, deb.VERSION, wanted.epoch)
        bill = sbom.bill(
            wanted.board, deb.VERSION, wanted.packages, wanted.root, wanted.given
        )
        wanted.image.with_name(f"{wanted.image.name}.cdx.json").write_text(bill)
    booted = (wanted.image.name, "kernel", "initramfs")
    made_of.note(wanted.out, booted, wanted.made_of)
    mega = {name: f"{size / 1e6:.0f} MB {name}" for name, size in sizes.items()}
    sys.stdout.write(f"image: {', '.join(mega.values())}\n")
    return wanted.image


def kernel_of(wanted: Build) -> Path:
    """The kernel's unpacked packages: Debian's, or what a person was given for a Pi."""
    if wanted.board == "virt":
        return kept.unpacked("virt", wanted.packages, wanted.cache)
    folder = wanted.out / "given"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "usr/lib").mkdir(parents=True)
    (folder / "lib").symlink_to("usr/lib")  # some of these packages know no /usr/lib
    for each in wanted.given:
        system_root.unpack_one(each, folder)
    return folder


def set_up(wanted: Build, kernel: Path) -> None:
    """Modules, our settings, users, and what starts."""
    _, all_of_them = modules.wanted(wanted.board)
    depmod = native.command(wanted.tools, native.DEPMOD)
    modules.copy(kernel, wanted.root, all_of_them, depmod)
    if (kernel / "usr/lib/firmware").exists():  # programs of a Pi's radio
        inside = wanted.root / "usr/lib/firmware"
        shutil.copytree(
            kernel / "usr/lib/firmware", inside, symlinks=True, dirs_exist_ok=True
        )
        boards.choose_radio(inside)
    system.lay(wanted.board, wanted.root)
    system_root.set_up(wanted.root)
    system.enable(wanted.root)
    # The clock starts no earlier than the image was made, whatever a battery says.
    floor = wanted.root / "usr/lib/clock-epoch"
    floor.touch()
    os.utime(floor, (wanted.epoch, wanted.epoch))


def make_root(wanted: Build) -> None:
    """The locked system, and what the Debian package has, with byte code for it."""
    base = kept.base_root(wanted.packages, wanted.cache)
    with stage("the program"):
        shutil.rmtree(wanted.root, ignore_errors=True)
        shutil.copytree(base, wanted.root, symlinks=True)
        package = deb.Wanted("trixie", "arm64", wanted.epoch)
        needed = environment.of_camera(deb.ROOT / "requirements", package.target)
        needed += picamera.wanted(deb.ROOT / "requirements", package.target)
        foreign = environment.fetch(needed, package.target, wanted.cache / "wheels")
        work = wanted.out / "deb"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        tree = deb.stage(files.CAMERA, package, foreign, work)
        system_root.leave_out(tree)
        shutil.copytree(tree, wanted.root, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(work)
        picamera.lay(wanted.root / "opt/doorsill" / package.target.site)
        bytecode.compile_below(wanted.tools, wanted.root, OPT)


def make_partitions(
    wanted: Build, kernel: Path, small: bytes, verified: verity.Verified
) -> None:
    """A file for each partition, the image, and a note of what is where."""
    board = boards.BOARDS[wanted.board]
    line = boards.kernel_line(wanted.board, verified)
    overlays = {each.stem: each for each in wanted.overlays}
    inside = boards.boot_files(wanted.board, kernel, overlays)
    inside |= {"initramfs8": small, "cmdline.txt": line.encode()}
    image = kernel_image(kernel)
    # A Pi and QEMU read it so.
    inside[board.kernel] = native.packed(wanted.tools, image)
    (wanted.out / "kernel").write_bytes(image)
    parts, epoch = wanted.parts, wanted.epoch
    first = {"autoboot.txt": boards.AUTOBOOT.encode()}
    partitions.fat(parts / "boot_a.img", "boot_a", inside, epoch)
    partitions.fat(parts / "boot_b.img", "boot_b", {}, epoch)
    partitions.fat(parts / "bootconfig.img", "bootconfig", first, epoch)
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
        "epoch": epoch,
    }
    (wanted.out / made_of.NOTE).write_text(json.dumps(said, indent=1) + "\n")


def kernel_image(kernel: Path) -> bytes:
    """The kernel, not packed: Debian has it beside its modules, others in /boot."""
    inside = modules.index(kernel) / "vmlinuz"
    path = inside if inside.exists() else next(kernel.glob("boot/vmlinuz-*"))
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def own_lock(packages: tuple[Locked, ...], cache: Path) -> tuple[Locked, ...]:
    """``packages``, or a lock of our own where the archive has dropped some of them.

    For a machine that only tests: it says so, and what it builds is no release.
    """
    try:
        archive.fetch(packages, cache / "packages")
    except UplinkError as error:
        sys.stdout.write(f"image: {error}\nimage: going on with a lock of our own\n")
        wants = lock.wants(lock.WANTED.read_text("utf-8"))
        found = tuple(archive.resolve(wants, cache / "apt"))
        (cache / "packages.lock").write_text(lock.written(found))
        return found
    return packages


def arguments() -> argparse.ArgumentParser:
    """What a person may say."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--board", choices=boards.BOARDS, default="virt")
    parser.add_argument("--out", type=Path, default=OUT, help="default: build/image")
    parser.add_argument(
        "--inputs",
        type=Path,
        default=OUT / "inputs",
        help="Raspberry Pi's packages for pi4 and pi5; default: build/image/inputs",
    )
    parser.add_argument(
        "--overlay",
        type=Path,
        action="append",
        default=[],
        help="a compiled device tree overlay (.dtbo) for pi4 and pi5; several times",
    )
    parser.add_argument(
        "--own-lock",
        action="store_true",
        help="where the archive has dropped a version, take those that it has now",
    )
    parser.add_argument(
        "--if-changed",
        action="store_true",
        help="leave an image that a build of these sources and locks would not change",
    )
    return parser


def main() -> int:
    """Build, and say what was built."""
    asked = arguments().parse_args()
    os.umask(0o022)
    cache, out = OUT / "cache", asked.out / asked.board
    try:
        packages = tuple(lock.locked(lock.LOCK.read_text("utf-8")))
        wanted = inputs.inputs(inputs.LIST.read_text("utf-8"))
        given = inputs.take(inputs.of_board(asked.board, wanted), asked.inputs)
        overlays = tuple(asked.overlay)
        digest = made_of.digest(deb.ROOT, (*given, *overlays))
        if asked.if_changed and made_of.is_current(out, digest):
            sys.stdout.write(f"image: nothing changed since {out} was built\n")
            return 0
        if asked.own_lock:
            packages = own_lock(packages, cache)
        built = Build(
            asked.board, out, cache, deb.epoch(), packages, tuple(given), overlays,
            digest,
        )  # fmt: skip
        made = build(built)
    except DoorsillError as error:
        for each in error.args:
            sys.stderr.write(f"image: {each}\n")
        return 3 if isinstance(error, UntrustedError) else 2
    sys.stdout.write(f"image: {made}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
