"""A verdict is one line; whatever else lies there is no verdict."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorsill.policy.verdict import (
    IN_FORCE,
    LONGEST,
    Verdict,
    digest_of,
    read_verdict,
)
from doorsill.wire.messages import REFUSALS

DIGEST = "ab" * 32


@pytest.mark.parametrize("word", [IN_FORCE, *REFUSALS])
def test_what_is_written_is_read(tmp_path: Path, word: str) -> None:
    said = Verdict(word, digest_of(b"a policy"), 1_800_000_000)
    path = tmp_path / "verdict"
    path.write_bytes(said.spell())
    assert read_verdict(path) == said
    assert said.refused == (word != IN_FORCE)
    assert len(said.spell()) <= LONGEST


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"fine " + DIGEST.encode() + b" 1\n", id="another word"),
        pytest.param(b"rollback " + DIGEST.encode() + b" 1", id="cut"),
        pytest.param(b"rollback " + DIGEST.upper().encode() + b" 1\n", id="capitals"),
        pytest.param(b"rollback " + DIGEST.encode() + b" -1\n", id="before 1970"),
        pytest.param(b"rollback " + DIGEST.encode() + b" 1\n" * 60, id="more"),
        pytest.param(bytes(1 << 20), id="a megabyte"),
    ],
)
def test_what_is_no_verdict_is_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "verdict"
    path.write_bytes(data)
    assert read_verdict(path) is None


def test_a_pipe_in_its_place_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "verdict")
    assert read_verdict(tmp_path / "verdict") is None
    assert read_verdict(tmp_path / "nowhere") is None


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "verdict"
    path.write_bytes(data)
    found = read_verdict(path)
    assert found is None or found.spell() == data
