"""The tray: fixed records, one writer; a torn record counts as none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorsill.channels.tray import MESSAGE_MOST, PLACES, RECORD, Tray, read_tray
from doorsill.errors import ConfigError


def test_what_is_put_is_read(tmp_path: Path) -> None:
    tray = Tray(tmp_path / "tray")
    tray.put(1, b"one")
    tray.put(2, b"x" * MESSAGE_MOST)
    assert sorted(read_tray(tmp_path / "tray")) == [b"one", b"x" * MESSAGE_MOST]
    tray.close()


def test_the_newest_takes_the_place_of_the_oldest(tmp_path: Path) -> None:
    tray = Tray(tmp_path / "tray")
    for number in range(PLACES + 3):
        tray.put(number, b"%d" % number)
    found = {int(each) for each in read_tray(tmp_path / "tray")}
    assert found == set(range(3, PLACES + 3))
    assert (tmp_path / "tray").stat().st_size == PLACES * RECORD
    tray.close()


def test_a_longer_message_is_not_written(tmp_path: Path) -> None:
    tray = Tray(tmp_path / "tray")
    with pytest.raises(ValueError, match="over 4096"):
        tray.put(1, bytes(MESSAGE_MOST + 1))
    assert read_tray(tmp_path / "tray") == []
    tray.close()


@pytest.mark.parametrize("at", [0, 31, 32, 33, 40, RECORD - 1])
def test_a_record_with_one_bit_turned_counts_as_none(tmp_path: Path, at: int) -> None:
    path = tmp_path / "tray"
    tray = Tray(path)
    tray.put(0, b"certificate")
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    assert read_tray(path) == []
    tray.close()


def test_only_the_group_may_read_and_nobody_else(tmp_path: Path) -> None:
    before = os.umask(0)
    Tray(tmp_path / "tray").close()
    os.umask(before)
    assert (tmp_path / "tray").stat().st_mode & 0o777 == 0o640


def test_what_is_no_tray_is_empty(tmp_path: Path) -> None:
    assert read_tray(tmp_path / "none") == []
    assert read_tray(tmp_path) == []
    (tmp_path / "link").symlink_to(tmp_path / "tray")
    assert read_tray(tmp_path / "link") == []
    with pytest.raises(ConfigError, match="cannot write"):
        Tray(tmp_path / "no" / "folder")


@given(st.binary(max_size=3 * RECORD))
def test_any_bytes_are_a_tray_of_short_messages(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "tray"
    path.write_bytes(data)
    assert all(len(each) <= MESSAGE_MOST for each in read_tray(path))
