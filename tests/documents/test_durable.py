"""A file is put whole, with the mode that it needs, and a secret is overwritten."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from doorsill.documents.durable import FOR_ALL, OWNER_ALONE, put, wipe
from doorsill.errors import ConfigError


@pytest.fixture(
    params=[
        pytest.param(0o022, id="Debian's umask"),
        pytest.param(0o077, id="of a unit that is shut"),
        pytest.param(0o000, id="none"),
        pytest.param(0o777, id="which takes all away"),
    ]
)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("mode", [FOR_ALL, OWNER_ALONE, None])
def test_a_mode_that_is_asked_for_does_not_hang_on_the_umask(
    tmp_path: Path, umask: int, mode: int | None
) -> None:
    path = tmp_path / "device.crt"
    put(path, b"old", mode)
    put(path, b"new", mode)
    wanted = FOR_ALL & ~umask | OWNER_ALONE if mode is None else mode
    assert path.stat().st_mode & 0o777 == wanted
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_power_cut_left_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a.new").write_bytes(b"half")
    put(tmp_path / "a", b"whole")
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_it_is_synced_under_its_own_name_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A FAT writes an entry of no bytes at a rename, and the length with the file.

    That a power cut then leaves it whole is seen on a virtual Pi (tests/hil).
    """
    path, named, real = tmp_path / "status", list[bool](), os.fsync

    def noted(handle: int) -> None:
        here = path.exists() and path.stat().st_ino == os.fstat(handle).st_ino
        named.append(here)
        real(handle)

    monkeypatch.setattr(os, "fsync", noted)
    put(path, b"it counts")
    assert named == [False, True, False], "before the rename, after it, the folder"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"untouched")
    (tmp_path / "a").symlink_to(other)
    put(tmp_path / "a", b"new")
    assert other.read_bytes() == b"untouched" and not (tmp_path / "a").is_symlink()


def test_where_it_cannot_be_written_the_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot write .*/gone/a: No such file"):
        put(tmp_path / "gone" / "a", b"")


def test_a_secret_is_overwritten_before_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "voucher"
    path.write_bytes(b"secret")
    with path.open("rb") as still_open:
        wipe(path)
        assert not path.exists() and still_open.read() == bytes(6)
    wipe(path)  # nothing is there, and that is no error
