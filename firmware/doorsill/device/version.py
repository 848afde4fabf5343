"""Which doorsill this is: its version, the commit that it was built from, its models.

A wheel carries the commit in a file that the build writes (``hatch_build.py``); a
source tree asks git. Nothing here loads more than the standard library, so that
``doorsill --version`` answers at once.
"""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

from doorsill import __version__

PACKAGE = Path(__file__).parent.parent
BUILT_FROM = PACKAGE / "commit.txt"  # only in a wheel
BUILT_AT = PACKAGE / "committed.txt"  # beside it: when the commit was made, UTC s
GIT_S = 2.0  # a git that takes longer is treated as none, in seconds
UNKNOWN = "unknown commit"
COMMIT = ("rev-parse", "--short=12", "HEAD")
WHEN = ("log", "-1", "--format=%ct")


def version_line() -> str:
    """One line for people, such as ``doorsill 0.1.0 (9f3c…, detector 0.9.0)``."""
    return f"doorsill {__version__} ({', '.join((commit(), *models()))})"


def commit() -> str:
    """The first twelve digits of the commit, or that it is not known."""
    try:
        return BUILT_FROM.read_text(encoding="ascii").strip()
    except OSError:
        return _ask_git(PACKAGE.parent.parent, *COMMIT) or UNKNOWN


def built_at() -> float:
    """When that commit was made, UTC s; 0 where it is not known."""
    try:
        text = BUILT_AT.read_text(encoding="ascii").strip()
    except OSError:
        text = _ask_git(PACKAGE.parent.parent, *WHEN)
    return float(text) if text.isdecimal() else 0.0


def models() -> tuple[str, ...]:
    """Name and version of each model that came with this installation."""
    for folder in (PACKAGE / "models", PACKAGE.parent.parent / "models"):
        if found := sorted(folder.glob("*.toml")):
            return tuple(_name_of(path) for path in found)
    return ("no models",)


def _name_of(manifest: Path) -> str:
    try:
        model = tomllib.loads(manifest.read_text(encoding="utf-8"))["model"]
        return f"{model['name']} {model['version']}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"{manifest.stem} unreadable"


def _ask_git(tree: Path, *words: str) -> str:
    if not (tree / ".git").exists():
        return ""
    try:
        answer = subprocess.run(
            ["git", "-C", str(tree), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=GIT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()
