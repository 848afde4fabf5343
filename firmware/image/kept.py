"""What a build keeps for the next one: packages, unpacked, as the lock names them.

What has another byte than it was made with is made again.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from image import bytecode, intact, modules, root
from image.lock import Locked, of_group
from image.steps import stage

PYTHON = ("usr/lib/python3.13", "usr/lib/python3")  # the library, and Debian's packages


def base_root(packages: Sequence[Locked], cache: Path) -> Path:
    """The system's packages, unpacked and with byte code."""
    folder = cache / f"root-{_key(packages, 'root', 'native')}"
    if intact.is_intact(folder):
        return folder
    native = unpacked("native", packages, cache)
    work = _fresh(folder)
    with stage("unpacking the system"):
        root.unpack(_files(packages, "root", cache), work)
    with stage("byte code of Python's library"):
        bytecode.compile_below(native, work, *PYTHON)
    return _keep(work, folder)


def unpacked(group: str, packages: Sequence[Locked], cache: Path) -> Path:
    """The packages of ``group`` in a folder of their own."""
    folder = cache / f"{group}-{_key(packages, group)}"
    if intact.is_intact(folder):
        return folder
    work = _fresh(folder)
    with stage(f"unpacking {group}"):
        work.mkdir(parents=True)
        for each in _files(packages, group, cache):
            root.unpack_one(each, work)
        if group == "virt":
            modules.index(work)  # which is kept as well
    return _keep(work, folder)


def _fresh(folder: Path) -> Path:
    work = folder.with_suffix(".part")
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    return work


def _keep(work: Path, folder: Path) -> Path:
    work.rename(folder)
    intact.seal(folder)
    return folder


def _files(packages: Sequence[Locked], group: str, cache: Path) -> list[Path]:
    return [cache / "packages" / each.file for each in of_group(packages, group)]


def _key(packages: Sequence[Locked], *groups: str) -> str:
    """The lock's lines, and the code that unpacks them."""
    digest = hashlib.sha256()
    for each in of_group(packages, *groups):
        digest.update(f"{each.line()}\n".encode())
    for module in (root, bytecode):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:12]
