"""Write the commit and its time into what is built: the version, and a time floor.

A source archive has no git: there the file that came with it is passed on, so a wheel
made from it is the same to the byte.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("firmware", "doorsill")
# What is written beside the package, and what git is asked for it.
FILES = {
    "commit.txt": ("rev-parse", "--short=12", "HEAD"),
    "committed.txt": ("log", "-1", "--format=%ct"),
}
GIT_S = 10.0


class CommitHook(BuildHookInterface[Any]):
    """Adds FILES to wheel and source archive; an editable install has git."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it gathers the files."""
        if version == "editable":
            return
        root = Path(self.root)
        self._folder = tempfile.TemporaryDirectory()  # gone with this object
        inside = Path("doorsill") if self.target_name == "wheel" else FOLDER
        for name, words in FILES.items():
            found = root / FOLDER / name
            if not found.exists():
                found = Path(self._folder.name) / name
                found.write_text(_asked(root, *words) + "\n", encoding="ascii")
            build_data["force_include"][str(found)] = str(inside / name)


def _asked(root: Path, *words: str) -> str:
    if not (root / ".git").exists():
        return "unknown commit"
    answer = subprocess.run(
        ["git", "-C", str(root), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=GIT_S,
    )
    return answer.stdout.strip() or "unknown commit"
