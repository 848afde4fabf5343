"""The version says from which commit it was built and which models came with it."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from limits import PROGRAM_S
from places import ROOT

from doorsill import __version__
from doorsill.device import version
from doorsill.models.manifest import shipped


def test_the_line_names_version_commit_and_models() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "doorsill", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=PROGRAM_S,
    )
    assert done.stdout == version.version_line() + "\n"
    assert done.stdout.startswith(f"doorsill {__version__} (")
    for name in ("detector", "attributes"):
        assert f"{name} {shipped(name).version}" in done.stdout


def test_a_source_tree_asks_git() -> None:
    head = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
        timeout=PROGRAM_S,
    ).stdout
    assert re.fullmatch(r"[0-9a-f]{12,}", version.commit())
    assert head.startswith(version.commit())


def test_what_was_built_says_what_it_was_built_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "commit.txt"
    written.write_text("0123456789ab\n", encoding="ascii")
    monkeypatch.setattr(version, "BUILT_FROM", written)
    assert version.commit() == "0123456789ab"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/nonexistent", id="no git on the machine"),
        pytest.param(None, id="no repository"),
    ],
)
def test_where_git_cannot_answer_it_says_so(
    path: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "firmware" / "doorsill"
    package.mkdir(parents=True)
    monkeypatch.setattr(version, "PACKAGE", package)
    monkeypatch.setattr(version, "BUILT_FROM", package / "commit.txt")
    if path is not None:
        (tmp_path / ".git").mkdir()
        monkeypatch.setenv("PATH", path)
    assert version.commit() == version.UNKNOWN
    assert version.models() == ("no models",)


def test_a_damaged_manifest_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "detector.toml").write_text("[model", encoding="ascii")
    monkeypatch.setattr(version, "PACKAGE", tmp_path)
    assert version.models() == ("detector unreadable",)


def _build(tree: Path, target: str, into: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(into)],
        cwd=tree,
        check=True,
        capture_output=True,
        timeout=PROGRAM_S,
    )
    (made,) = into.iterdir()
    return made


def test_the_wheel_carries_the_commit_and_is_the_same_from_the_source_archive(
    tmp_path: Path,
) -> None:
    direct = _build(ROOT, "wheel", tmp_path / "direct")
    with zipfile.ZipFile(direct) as wheel:
        said = wheel.read("doorsill/commit.txt").decode().strip()
    assert said == version.commit()
    archive = _build(ROOT, "sdist", tmp_path / "archive")
    subprocess.run(
        ["tar", "-xf", archive, "-C", tmp_path], check=True, timeout=PROGRAM_S
    )
    (tree,) = tmp_path.glob("doorsill-*/")
    again = _build(tree, "wheel", tmp_path / "again")
    assert again.read_bytes() == direct.read_bytes()
