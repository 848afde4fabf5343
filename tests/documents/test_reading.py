"""A file that somebody else put there is read only where it is one, and not too big."""

from __future__ import annotations

import os
import socket
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from doorsill.documents.reading import (
    LARGEST_BYTES,
    PIECE_BYTES,
    read_file,
    read_if_there,
)
from doorsill.errors import ConfigError


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)  # of no blocks at all


def one_too_many(path: Path) -> None:
    path.write_bytes(bytes(LARGEST_BYTES + 1))


def loop(path: Path) -> None:
    path.symlink_to(path)


def local_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


KINDS: list[tuple[str, Callable[[Path], object], str]] = [
    ("a pipe that nobody writes to", os.mkfifo, "is a pipe, and no file"),
    ("a folder", Path.mkdir, "is a folder, and no file"),
    ("a device", lambda path: path.symlink_to("/dev/zero"), "is a device, and no file"),
    ("a socket", local_socket, "No such device"),
    ("2 GiB", huge, "has 2147483648 bytes; the limit is 1048576"),
    ("one byte too many", one_too_many, "has 1048577 bytes; the limit is 1048576"),
    ("a link to itself", loop, "Too many levels of symbolic links"),
    ("nothing", lambda path: None, "No such file"),
]


@pytest.mark.parametrize(
    ("make", "sentence"), [k[1:] for k in KINDS], ids=[k[0] for k in KINDS]
)
def test_anything_but_a_small_file_is_a_sentence(
    tmp_path: Path, make: Callable[[Path], object], sentence: str
) -> None:
    path = tmp_path / "it"
    make(path)
    with pytest.raises(ConfigError, match=f"{path}.*{sentence}"):
        read_file(path)


@pytest.mark.parametrize("name", ["zero\0byte", "half \ud800 pair", "long" * 100])
def test_a_name_that_no_file_can_have_is_a_sentence(tmp_path: Path, name: str) -> None:
    for read in (read_file, read_if_there):
        with pytest.raises(ConfigError, match="cannot read"):
            read(tmp_path / name)


def test_what_calls_itself_a_file_and_waits_for_something_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the kernel's log in /proc: it has the mode of a file and is read as a pipe."""
    path = tmp_path / "it"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)  # who has something to say, later
    (tmp_path / "file").write_bytes(b"")
    file = (tmp_path / "file").stat()
    monkeypatch.setattr(os, "fstat", lambda handle: file)
    try:
        with pytest.raises(ConfigError, match=f"{path} has nothing to read now"):
            read_file(path)
    finally:
        os.close(writer)


def test_a_file_of_the_limit_is_read_whole_through_a_link(tmp_path: Path) -> None:
    data = os.urandom(LARGEST_BYTES)
    (tmp_path / "data").write_bytes(data)
    (tmp_path / "link").symlink_to("data")
    assert read_file(tmp_path / "link") == data


def test_only_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    assert read_if_there(tmp_path / "no" / "folder") is None
    loop(tmp_path / "loop")
    with pytest.raises(ConfigError, match="Too many levels"):
        read_if_there(tmp_path / "loop")
    (tmp_path / "empty").touch()
    assert read_if_there(tmp_path / "empty") == b""


def test_a_small_file_costs_little_memory_whatever_the_limit(tmp_path: Path) -> None:
    """A limit of 256 MB, as for a model, took 256 MB for each model of 3."""
    path = tmp_path / "small"
    path.write_bytes(bytes(3 << 20))
    tracemalloc.start()
    try:
        assert len(read_file(path, 1 << 28)) == 3 << 20
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES])
def test_a_file_is_read_whole(tmp_path: Path, size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    (tmp_path / "file").write_bytes(data)
    assert read_file(tmp_path / "file", 4 * PIECE_BYTES) == data
    if size:
        with pytest.raises(ConfigError, match="limit"):
            read_file(tmp_path / "file", size - 1)
