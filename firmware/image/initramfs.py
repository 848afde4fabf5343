"""The small system that finds the large one: a shell, modules, four programs, a script.

It is made here, file by file, and not by a tool that would have to run on the camera.
"""

from __future__ import annotations

from pathlib import Path

from image import elf, modules
from image.cpio import Archive

HERE = Path(__file__).resolve().parent
SCRIPT = HERE / "initramfs.sh"
FOLDERS = ("bin", "m", "proc", "sys", "dev", "usr", "usr/lib", "etc")
MULTIARCH = "usr/lib/aarch64-linux-gnu"
# Beside busybox: for the check of each block, the table of partitions, and state.
PROGRAMS = ("dmsetup", "sfdisk", "e2fsck", "resize2fs")


def script(layers: bool) -> str:
    """/init; ``layers``: a second disk may be laid over the system (for tests)."""
    part = HERE / ("layer-virt.sh" if layers else "layer-none.sh")
    return SCRIPT.read_text("utf-8").replace("@LAYER@\n", part.read_text("utf-8"))


def build(
    kernel: Path, boot: Path, root: Path, early: list[str], layers: bool
) -> bytes:
    """The archive, to be packed.

    ``kernel``, ``boot`` and ``root`` are unpacked packages: modules; busybox and
    dmsetup; everything else.
    """
    archive = Archive()
    for name in FOLDERS:
        archive.folder(name)
    archive.device("dev/console", 5, 1)
    archive.file("bin/busybox", (boot / "usr/bin/busybox").read_bytes(), 0o755)
    archive.file("init", script(layers).encode(), 0o755)
    archive.link("lib", "usr/lib")
    archive.link("etc/mtab", "/proc/mounts")
    _add_programs(archive, [boot, root])
    folder = modules.index(kernel)
    order = modules.closure(folder, early)
    for path in order:
        archive.file(f"m/{modules.plain(path)}.ko", modules.data(folder, path))
    names = " ".join(modules.plain(path) for path in order)
    archive.file("modules", f"{names}\n".encode())
    return archive.finish()


def _add_programs(archive: Archive, roots: list[Path]) -> None:
    """PROGRAMS and the libraries that they need, from the first root that has them."""
    folders = [each / MULTIARCH for each in roots]
    needed: dict[str, Path] = {}
    for name in PROGRAMS:
        program = elf.find(name, [each / "usr/sbin" for each in roots])
        archive.file(f"bin/{name}", program.read_bytes(), 0o755)
        needed |= elf.libraries(program, folders)
        loader = Path(elf.interpreter(program)).name
        needed[loader] = elf.find(loader, folders)
    for name, path in sorted(needed.items()):
        archive.file(f"usr/lib/{name}", path.read_bytes(), 0o755)
