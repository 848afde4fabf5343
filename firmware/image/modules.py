"""The part of a kernel's modules that a camera needs, with all that they stand on."""

from __future__ import annotations

import lzma
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from doorsill.errors import ConfigError
from image.steps import run

HERE = Path(__file__).resolve().parent


def wanted(board: str) -> tuple[list[str], list[str]]:
    """What modules-BOARD.txt names: for the small system, and for the large one."""
    early, all_of_them = [], []
    for line in (HERE / f"modules-{board}.txt").read_text("utf-8").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "early":
            early.append(words[1])
        all_of_them.append(words[1])
    return early, all_of_them


def release(kernel: Path) -> str:
    """The one version below ``kernel``/usr/lib/modules."""
    names = [each.name for each in (kernel / "usr/lib/modules").iterdir()]
    if len(names) != 1:
        raise ConfigError(f"one kernel belongs into {kernel}, and there are {names}")
    return names[0]


def index(kernel: Path) -> Path:
    """The folder of its modules, with modules.dep."""
    folder = kernel / "usr/lib/modules" / release(kernel)
    if not (folder / "modules.dep").exists():
        _depmod(kernel, release(kernel))
    return folder


def _depmod(kernel: Path, version: str) -> None:
    link = kernel / "lib"
    if not link.exists():
        link.symlink_to("usr/lib")
    run(["depmod", "--basedir", kernel, version])


def plain(path: str) -> str:
    """A module's name as the kernel says it."""
    return Path(path).name.split(".ko")[0].replace("-", "_")


def closure(folder: Path, names: Iterable[str]) -> list[str]:
    """The paths of ``names`` and of what they need, in an order that loads.

    ConfigError names a module that this kernel has neither as a file nor built in.
    """
    needs: dict[str, tuple[str, list[str]]] = {}
    for line in (folder / "modules.dep").read_text("utf-8").splitlines():
        path, _, rest = line.partition(":")
        needs[plain(path)] = (path, [plain(each) for each in rest.split()])
    text = (folder / "modules.builtin").read_text("utf-8")
    builtin = {plain(each) for each in text.split()}
    order: list[str] = []

    def add(name: str) -> None:
        if name in builtin:
            return
        if name not in needs:
            raise ConfigError(f"the kernel {folder.name} has no module {name}")
        path, rest = needs[name]
        if path in order:
            return
        for each in reversed(rest):
            add(each)
        order.append(path)

    for name in names:
        add(name.replace("-", "_"))
    return order


def copy(
    kernel: Path, root: Path, names: Sequence[str], depmod: Sequence[str | Path]
) -> None:
    """``names`` and what they need from ``kernel`` into ``root``, with their index.

    ``depmod`` starts the program that writes it.
    """
    folder = index(kernel)
    target = root / "usr/lib/modules" / folder.name
    for path in closure(folder, names):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / path, target / path)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        if (folder / name).exists():
            shutil.copyfile(folder / name, target / name)
    run([*depmod, "--basedir", root, folder.name])


def data(folder: Path, path: str) -> bytes:
    """A module's bytes, not packed: the small system's loader takes nothing else."""
    raw = (folder / path).read_bytes()
    return lzma.decompress(raw) if path.endswith(".xz") else raw
