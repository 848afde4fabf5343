"""A canary that was written is found in the log, whatever the disk shows at the end."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from .writes import DISCARD, ENTRY, FLUSH, HEAD, MAGIC, Found, search, writes

CANARY = b"a face that must not rest here.."
FILLER = random.Random(1).randbytes(512)


def log_of(path: Path, *entries: tuple[int, bytes, int], sector: int = 512) -> Path:
    """A log as QEMU writes it: (first sector, data, flags) each."""
    text = HEAD.pack(MAGIC, 1, len(entries), sector).ljust(sector, b"\0")
    for first, data, flags in entries:
        count = len(data) // sector
        text += ENTRY.pack(first, count, flags, 0).ljust(sector, b"\0") + data
    path.write_bytes(text)
    return path


def sector_with(text: bytes, at: int) -> bytes:
    return FILLER[:at] + text + FILLER[at + len(text) :]


def test_the_control_is_caught_though_it_was_overwritten(tmp_path: Path) -> None:
    """Written, flushed, overwritten: the disk's last state is clean."""
    log = log_of(
        tmp_path / "log",
        (9, sector_with(CANARY, 40), 0),
        (0, b"", FLUSH),
        (9, bytes(512), 0),
    )
    found = search(log, [("face", CANARY)])
    assert found == Found(3, 1024, (("face", 9 * 512 + 40),))


def test_a_canary_across_two_writes_is_caught(tmp_path: Path) -> None:
    log = log_of(
        tmp_path / "log",
        (4, FILLER[:500] + CANARY[:12], 0),
        (5, CANARY[12:] + FILLER[len(CANARY) - 12 :], 0),
    )
    assert search(log, [("face", CANARY)]).hits == (("face", 4 * 512 + 500),)


@pytest.mark.parametrize("sector", [512, 4096])
def test_nothing_is_found_where_nothing_is(tmp_path: Path, sector: int) -> None:
    data = random.Random(2).randbytes(sector * 3)
    log = log_of(tmp_path / "log", (0, data, 0), (8, b"", DISCARD), sector=sector)
    assert search(log, [("face", CANARY)]) == Found(2, len(data), ())


def test_a_log_that_was_cut_is_read_to_its_end(tmp_path: Path) -> None:
    """Its guest was killed: the head still says 0 entries."""
    log = log_of(tmp_path / "log", (1, FILLER, 0), (2, FILLER, 0))
    text = bytearray(log.read_bytes())
    struct.pack_into("<Q", text, 16, 0)
    log.write_bytes(text + bytes(4096))
    assert [each.at for each in writes(log)] == [512, 1024]


def test_another_file_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(bytes(1024))
    with pytest.raises(ValueError, match="is no log of writes"):
        search(tmp_path / "log", [])
