"""Whether an image that lies there is the one that a build would make now.

    sources, locks ─► digest ─► image.json        beside it: the hash of each file

A build is told by what goes into it, so one that would change nothing is left out; an
image with a changed byte is built again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from image import intact

NOTE = "image.json"
# Below the repository: what comes into an image and what makes it; no README does.
SOURCES = (
    "firmware",
    "models",
    "requirements",
    "hatch_build.py",
    "pyproject.toml",
)
LEFT_OUT = ("__pycache__", ".egg-info")  # parts of a path: what tools leave there


def digest(root: Path, others: Sequence[Path] = ()) -> str:
    """Of SOURCES below ``root`` and of ``others``, such as packages that were given."""
    whole = hashlib.sha256()
    for name, path in [*_sources(root), *((each.name, each) for each in others)]:
        whole.update(f"{name}\0{intact.digest(path)}\n".encode())
    return whole.hexdigest()


def _sources(root: Path) -> Iterator[tuple[str, Path]]:
    for name in SOURCES:
        source = root / name
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            inside = str(path.relative_to(root))
            if path.is_file() and not any(each in inside for each in LEFT_OUT):
                yield inside, path


def note(out: Path, names: Iterable[str], made_of: str) -> None:
    """Add to the note in ``out`` what the files ``names`` there were made of."""
    said = json.loads((out / NOTE).read_text("utf-8"))
    said["made_of"] = made_of
    said["files"] = {name: intact.digest(out / name) for name in names}
    (out / NOTE).write_text(json.dumps(said, indent=1) + "\n")


def is_current(out: Path, made_of: str) -> bool:
    """Whether all that :func:`note` wrote is still so, and of ``made_of``."""
    try:
        said = json.loads((out / NOTE).read_text("utf-8"))
        files = dict(said["files"])
        return said["made_of"] == made_of and all(
            intact.digest(out / name) == held for name, held in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False
