"""A word from one process to another, of a fixed length, from a list."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from doorsill.channels.note import AGAIN_S, FRESH_S, LENGTH, Note, read_note
from doorsill.errors import ConfigError

WORDS = ("ready", "missing")


def test_the_word_arrives_and_the_file_never_grows(tmp_path: Path) -> None:
    path = tmp_path / "reader"
    note = Note(path)
    for now, word in enumerate(("ready", "missing", "x" * 99, "ready")):
        note.say(word, float(now))
    assert read_note(path, WORDS) == "ready"
    assert path.stat().st_size == LENGTH
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    note.close()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        pytest.param(b"missing", "missing", id="a word"),
        pytest.param(b"happy", "", id="a strange word"),
        pytest.param(b"", "", id="empty"),
        pytest.param(b"\xff" * 99, "", id="rubbish"),
    ],
)
def test_only_a_word_of_the_list_is_heard(
    tmp_path: Path, text: bytes, word: str
) -> None:
    (tmp_path / "reader").write_bytes(text)
    assert read_note(tmp_path / "reader", WORDS) == word


def test_an_old_word_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "reader"
    note = Note(path)
    note.say("ready", 0.0)
    written = path.stat().st_mtime
    assert read_note(path, WORDS, written + FRESH_S - 1) == "ready"
    assert read_note(path, WORDS, written + FRESH_S + 1) == ""
    assert AGAIN_S < FRESH_S / 2  # it is written again before that
    note.close()


def test_nothing_is_heard_where_nothing_is(tmp_path: Path) -> None:
    assert read_note(tmp_path / "reader", WORDS) == ""
    with pytest.raises(ConfigError, match="No such file"):
        Note(tmp_path / "nowhere" / "reader")
