"""A recording without its index is known by its boxes, and nothing else is."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from recordings import cut, record

from doorsill.drivers.camera.opening import open_camera
from doorsill.drivers.camera.unfinished import is_unfinished
from doorsill.errors import CameraError

FTYP = struct.pack(">I4s8s", 16, b"ftyp", b"isom\0\0\0\0")


def box(kind: bytes, content: bytes = b"", *, wide: bool = False) -> bytes:
    if wide:
        return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content
    return struct.pack(">I4s", 8 + len(content), kind) + content


@pytest.mark.parametrize(
    ("data", "unfinished"),
    [
        pytest.param(FTYP + box(b"mdat", bytes(99)), True, id="pictures alone"),
        pytest.param(FTYP + box(b"mdat", bytes(99))[:50], True, id="and cut"),
        pytest.param(FTYP + box(b"mdat", bytes(9), wide=True), True, id="64 bits"),
        pytest.param(FTYP + struct.pack(">I4s", 0, b"mdat"), True, id="to the end"),
        pytest.param(FTYP + box(b"mdat") + box(b"moov"), False, id="whole"),
        pytest.param(FTYP + box(b"moof") + box(b"mdat"), False, id="a fragment"),
        pytest.param(b"\x1aE\xdf\xa3" + bytes(99), False, id="matroska"),
        pytest.param(b"no video at all", False, id="text"),
        pytest.param(b"", False, id="empty"),
        pytest.param(bytes(99), False, id="zeros"),
    ],
)
def test_boxes_tell_what_is_missing(
    data: bytes, unfinished: bool, tmp_path: Path
) -> None:
    path = tmp_path / "door.mp4"
    path.write_bytes(data)
    assert is_unfinished(path) == unfinished


def test_what_cannot_be_read_is_nothing_of_ours(tmp_path: Path) -> None:
    assert not is_unfinished(tmp_path / "none.mp4")


@pytest.mark.parametrize("name", ["door.mp4", "door.mov"])
def test_a_recording_whose_power_went_says_so(name: str, tmp_path: Path) -> None:
    path = cut(record(tmp_path / name), 0.6)
    with pytest.raises(CameraError, match=r"it was never finished: it has no index"):
        open_camera("video", str(path), (320, 256), live=False)
