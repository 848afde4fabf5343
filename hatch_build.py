"""Write the commit into what is built, so that ``doorsill --version`` can say it.

A source archive has no git: there the file that came with it is passed on, so a wheel
made from it is the same to the byte.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILE = Path("firmware", "doorsill", "commit.txt")
GIT_S = 10.0


class CommitHook(BuildHookInterface[Any]):
    """Adds ``commit.txt`` to wheel and source archive; an editable install has git."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it gathers the files."""
        if version == "editable":
            return
        root = Path(self.root)
        found = root / FILE
        if not found.exists():
            self._folder = tempfile.TemporaryDirectory()  # gone with this object
            found = Path(self._folder.name) / FILE.name
            found.write_text(_commit(root) + "\n", encoding="ascii")
        inside = "doorsill/commit.txt" if self.target_name == "wheel" else str(FILE)
        build_data["force_include"][str(found)] = inside


def _commit(root: Path) -> str:
    if not (root / ".git").exists():
        return "unknown commit"
    answer = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        timeout=GIT_S,
    )
    return answer.stdout.strip() or "unknown commit"
