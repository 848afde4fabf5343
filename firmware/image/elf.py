"""Which shared libraries a program of another machine needs; nothing of it is run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from doorsill.errors import ConfigError
from image.steps import run

NEEDED = re.compile(r"\(NEEDED\)\s+Shared library: \[(.+)\]")
INTERPRETER = re.compile(r"Requesting program interpreter: (.+)\]")


def libraries(program: Path, folders: Sequence[Path]) -> dict[str, Path]:
    """Each library that ``program`` needs, by name, also those that libraries need."""
    found: dict[str, Path] = {}
    waiting = [program]
    while waiting:
        for name in NEEDED.findall(run(["readelf", "--dynamic", waiting.pop()])):
            if name not in found:
                found[name] = find(name, folders)
                waiting.append(found[name])
    return found


def interpreter(program: Path) -> str:
    """The path of what the kernel starts for ``program``."""
    found = INTERPRETER.search(run(["readelf", "--program-headers", program]))
    if found is None:
        raise ConfigError(f"{program} names no interpreter")
    return found[1]


def find(name: str, folders: Sequence[Path]) -> Path:
    """The file of the library ``name``, in the first of ``folders`` that has it."""
    for folder in folders:
        if (folder / name).exists():
            return (folder / name).resolve()
    raise ConfigError(f"no package has the library {name}")
