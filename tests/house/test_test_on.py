"""``make test-on``: what it refuses, in a sentence each (a run would take too long)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from places import ROOT

SCRIPT = ROOT / "scripts" / "test-on"
WITHIN_S = 20.0


def refused(*words: str, **environment: str) -> str:
    done = subprocess.run(
        ["bash", str(SCRIPT), *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([], id="no-release"),
        pytest.param(["sid"], id="a-release-that-we-do-not-support"),
        pytest.param(["../bookworm"], id="a-path"),
    ],
)
def test_a_release_that_is_none_is_refused(words: list[str]) -> None:
    assert "RELEASE must be bookworm or trixie" in refused(*words)


@pytest.mark.skipif(os.geteuid() != 0, reason="as a user it asks for root first")
def test_what_is_missing_is_named(tmp_path: Path) -> None:
    for name in ("bash", "dirname", "id"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    assert "mmdebstrap is missing: apt-get install mmdebstrap" in refused(
        "trixie", PATH=str(tmp_path)
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
def test_a_user_is_told_to_use_sudo() -> None:
    assert "sudo make test-on RELEASE=trixie" in refused("trixie")
