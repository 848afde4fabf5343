"""What is made when a wheel or a source archive is built.

The commit and its time go into the package: the version, and a time floor. The manual
page and the completion for bash and zsh go beside it, made from the program's parser.

A source archive has no git: there the file that came with it is passed on, so a wheel
made from it is the same to the byte.
"""

from __future__ import annotations

import subprocess
import sys
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
PAGES_S = 60.0
PROGRAM = "doorsill"
# Where pip puts them, below the environment.
PAGES = {
    "doorsill.1": "share/man/man1/doorsill.1",
    "doorsill.bash": "share/bash-completion/completions/doorsill",
    "doorsill.zsh": "share/zsh/site-functions/_doorsill",
}


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
        if self.target_name == "wheel":
            self._add_pages(root, build_data)

    def _add_pages(self, root: Path, build_data: dict[str, Any]) -> None:
        """In a process of its own, which needs the standard library alone."""
        out = self._folder.name
        subprocess.run(
            [sys.executable, "-m", "deb.pages", PROGRAM, out],
            cwd=root / "firmware",
            check=True,
            timeout=PAGES_S,
        )
        for name, target in PAGES.items():
            build_data["shared_data"][str(Path(out, name))] = target


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
