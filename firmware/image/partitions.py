"""File systems of an image, and all of them in one file. Nothing is mounted."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from doorsill.errors import ConfigError
from image import layout
from image.steps import run

NO_FEATURES = "^metadata_csum_seed,^orphan_file"  # e2fsck of Debian 12 reads the rest


def fat(path: Path, name: str, files: Mapping[str, bytes], epoch: int) -> None:
    """A FAT file system for the partition ``name`` with ``files``, by path."""
    size = layout.size_of(name)
    held = sum(len(data) for data in files.values())
    if held > size * 9 // 10:
        raise ConfigError(f"{name} would hold {held} bytes, and has {size}")
    path.unlink(missing_ok=True)
    path.touch()
    with path.open("r+b") as file:
        file.truncate(size)
    number = layout.identity(name).hex[:8]
    label = layout.LABELS[name]
    run(
        [
            "mkfs.vfat",
            "-F",
            "32",
            "-s",
            "1",
            "-n",
            label,
            "-i",
            number,
            "--invariant",
            path,
        ]
    )
    folder = path.with_suffix(".files")
    shutil.rmtree(folder, ignore_errors=True)
    made: set[str] = set()
    for inside, data in sorted(files.items()):
        source = folder / inside
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(data)
        for above in reversed(Path(inside).parents[:-1]):
            if str(above) not in made:
                made.add(str(above))
                run(["mmd", "-i", path, f"::{above}"], epoch)
        # mcopy takes the time of what it writes from here.
        run(["mcopy", "-i", path, source, f"::{inside}"], epoch)
    shutil.rmtree(folder, ignore_errors=True)


def ext4(path: Path, name: str, folders: tuple[str, ...], epoch: int) -> None:
    """An ext4 file system for the partition ``name`` with empty ``folders``."""
    work = path.with_suffix(".files")
    shutil.rmtree(work, ignore_errors=True)
    for each in folders:
        (work / each).mkdir(parents=True)
        (work / each).chmod(0o755)
    path.unlink(missing_ok=True)
    identity = str(layout.identity(f"file system {name}"))
    extended = f"hash_seed={identity},root_owner=0:0,lazy_itable_init=1,resize=64G"
    command: list[str | Path] = [
        "mke2fs",
        "-q",
        "-t",
        "ext4",
        "-L",
        name,
        "-U",
        identity,
    ]
    command += ["-O", NO_FEATURES, "-E", extended, "-m", "0", "-b", "4096"]
    command += ["-d", work]
    settings = {"E2FSPROGS_FAKE_TIME": str(epoch)}
    run([*command, path, f"{layout.size_of(name) // 1024}k"], epoch, settings=settings)
    shutil.rmtree(work)
    script = path.with_suffix(".debugfs")
    script.write_text("\n".join(_inodes(folders, epoch)) + "\n")
    run(["debugfs", "-w", "-f", script, path], epoch, settings=settings)
    script.unlink()


def _inodes(folders: Iterable[str], epoch: int) -> Iterator[str]:
    """For debugfs: every folder is root's and of ``epoch``.

    mke2fs copies change times and owner from here, whoever builds.
    """
    yield f"set_current_time @{epoch}"
    for folder in ("/", "/lost+found", *(f"/{each}" for each in folders)):
        for each in ("uid", "gid"):
            yield f"set_inode_field {folder} {each} 0"
        for each in ("atime", "mtime", "ctime", "crtime"):
            yield f"set_inode_field {folder} {each} @{epoch}"
            yield f"set_inode_field {folder} {each}_extra 0"


def join(parts: Path, image: Path) -> None:
    """All partitions of ``parts`` as the one file ``image``, with holes."""
    work = parts / "genimage"
    shutil.rmtree(work, ignore_errors=True)
    for name in ("root", "tmp"):
        (work / name).mkdir(parents=True)
    settings = parts / "genimage.cfg"
    settings.write_text(layout.genimage())
    command: list[str | Path] = [
        "genimage",
        "--config",
        settings,
        "--rootpath",
        work / "root",
    ]
    command += ["--tmppath", work / "tmp", "--inputpath", parts]
    run([*command, "--outputpath", image.parent])
    (image.parent / "disk.img").replace(image)
    shutil.rmtree(work)
