"""What a file says of its pictures, in the ways of containers and codecs."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pytest
from limits import PROGRAM_S

from doorsill.drivers.camera.opening import open_camera
from doorsill.errors import CameraError, ConfigError
from doorsill.values import Pixels

FIT = (320, 256)
SCENE = ("-f", "lavfi", "-i", "testsrc=s=320x192:r=10:d=4")
LONGER_SOUND = ("-f", "lavfi", "-i", "sine=d=6")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "100")
X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params")
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8")
ONCE_TURNED = ("-bsf:v", "h264_metadata=display_orientation=insert:rotate=90")


def made(path: Path, *options: str) -> Path:
    """A recording of four seconds, 320 x 192, by FFmpeg's own tool."""
    command = ["ffmpeg", "-v", "error", "-nostdin", *SCENE, *options, str(path)]
    subprocess.run(command, check=True, timeout=PROGRAM_S)
    return path


def seen(path: Path) -> list[Pixels]:
    """All pictures of a recording; raises what its camera raises."""
    camera = open_camera("video", str(path), FIT, live=False)
    pictures = []
    try:
        while (frame := camera.read()) is not None:
            pictures.append(frame.pixels.copy())
            frame.release()
    finally:
        camera.close()
    return pictures


SOUNDING = [
    pytest.param("door.mkv", (*X264, "-c:a", "flac"), id="matroska"),
    pytest.param("door.webm", (*VP8, "-c:a", "libvorbis"), id="webm"),
    pytest.param("door.flv", (*X264, "-c:a", "aac"), id="flash video"),
    pytest.param("door.mov", (*X264, "-c:a", "aac"), id="quicktime"),
]


@pytest.mark.parametrize(("name", "options"), SOUNDING)
def test_sound_that_goes_on_is_no_cut(
    tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    assert len(seen(made(tmp_path / name, *LONGER_SOUND, *options))) == 40


@pytest.mark.parametrize(("name", "options"), SOUNDING[:3])
@pytest.mark.parametrize("share", [0.4, 0.6])
def test_a_cut_shows_where_one_end_is_declared_for_picture_and_sound(
    tmp_path: Path, name: str, options: tuple[str, ...], share: float
) -> None:
    path = made(tmp_path / name, *LONGER_SOUND, *options)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(CameraError, match=rf"{name} is (cut short|damaged) after fra"):
        seen(path)


def test_a_packet_without_a_byte_is_no_damage(tmp_path: Path) -> None:
    """Theora's way to say that the picture is still the same."""
    still = ("-vf", "trim=end_frame=1,loop=39:1,setpts=N/10/TB", "-c:v", "libtheora")
    path = made(tmp_path / "door.ogv", *still)
    assert 0 < len(seen(path)) <= 40


def test_a_field_that_comes_alone_is_as_high_as_its_picture(tmp_path: Path) -> None:
    """HEVC stores the two fields apart, so each frame is half as high."""
    fields = ("-vf", "tinterlace=interleave_bottom,setfield=bff,separatefields")
    coded = (*fields, *X265, "log-level=none:interlace=bff")
    pictures = seen(made(tmp_path / "door.mkv", *coded))
    assert pictures[0].shape == (192, 320, 3)
    woven = seen(made(tmp_path / "whole.mkv", *X265, "log-level=none"))
    difference = np.abs(pictures[0].astype(int) - woven[0]).mean()
    assert difference < 6  # the same picture, of half the rows


def test_who_is_turned_once_stays_turned(tmp_path: Path) -> None:
    """An H.264 stream says at its key frame alone how it is to be shown."""
    path = made(tmp_path / "door.h264", "-r", "10", *X264, *ONCE_TURNED)
    assert {each.shape for each in seen(path)} == {(256, 154, 3)}


@pytest.mark.parametrize(
    ("size", "same"),
    [
        pytest.param("160x96", True, id="half as large"),
        pytest.param("320x196", True, id="a few rows more"),
        pytest.param("160x120", False, id="four to three"),
        pytest.param("192x320", False, id="upright"),
    ],
)
def test_a_picture_may_change_its_size_and_not_its_shape(
    tmp_path: Path, size: str, same: bool
) -> None:
    """A line lies at shares of the picture, so of another view it says nothing."""
    whole = tmp_path / "door.ts"
    first = made(tmp_path / "first.ts", *X264, "-frames:v", "10").read_bytes()
    other = ("-vf", f"scale={size.replace('x', ':')}", "-frames:v", "10")
    whole.write_bytes(first + made(tmp_path / "other.ts", *other, *X264).read_bytes())
    if same:
        assert [each.shape for each in seen(whole)] == [(192, 320, 3)] * 20
    else:
        with pytest.raises(
            CameraError, match=r"changes its shape on the way, from 1\.6"
        ):
            seen(whole)


def with_exif(jpegs: bytes, orientation: int) -> bytes:
    """The JPEGs of a stream, each with Exif data as a camera writes it."""
    entry = struct.pack("<HHIHH", 0x112, 3, 1, orientation, 0)
    data = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)
    segment = b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data
    start = b"\xff\xd8"
    return b"".join(start + segment + each for each in jpegs.split(start)[1:])


@pytest.mark.parametrize(
    ("orientation", "shape"),
    [
        pytest.param(1, (192, 320, 3), id="upright"),
        pytest.param(3, (192, 320, 3), id="upside down"),
        pytest.param(6, (256, 154, 3), id="a quarter clockwise"),
        pytest.param(8, (256, 154, 3), id="and the other way"),
    ],
)
def test_the_exif_data_of_a_jpeg_turns_it(
    tmp_path: Path, orientation: int, shape: tuple[int, ...]
) -> None:
    options = ("-c:v", "mjpeg", "-q:v", "3", "-frames:v", "3", "-f", "mjpeg")
    plain = made(tmp_path / "plain.mjpeg", *options)
    turned = tmp_path / "turned.mjpeg"
    turned.write_bytes(with_exif(plain.read_bytes(), orientation))
    camera = open_camera("video", str(turned), FIT, live=False, declared_rate=10.0)
    frame = camera.read()
    assert frame is not None and frame.pixels.shape == shape
    corner = {1: (0, 0), 3: (-1, -1), 6: (0, -1), 8: (-1, 0)}[orientation]
    source = open_camera("video", str(plain), FIT, live=False, declared_rate=10.0)
    first = source.read()
    assert first is not None
    assert np.abs(frame.pixels[corner].astype(int) - first.pixels[0, 0]).max() < 24
    for each in (frame, first):
        each.release()
    camera.close()
    source.close()


def test_colours_that_cannot_be_converted_are_one_sentence(tmp_path: Path) -> None:
    stored = (
        "-pix_fmt",
        "yuv444p",
        "-c:v",
        "ffv1",
        "-vf",
        "format=yuv444p,setparams=colorspace=ycgco",
    )
    with pytest.raises(CameraError, match=r"yuv444p, colour space 8 .* converted here"):
        seen(made(tmp_path / "door.mkv", *stored))


def test_a_stream_without_its_parameters_is_one_sentence(tmp_path: Path) -> None:
    """None come before the first of its pictures, nor later."""
    path = tmp_path / "door.ts"
    whole = made(path, *X264).read_bytes()
    path.write_bytes(whole[: 3 * 188] + whole[len(whole) // 2 // 188 * 188 :])
    with pytest.raises(CameraError, match=r"door.ts holds no picture that can be read"):
        seen(path)


def test_a_picture_that_moves_is_read_or_said(tmp_path: Path) -> None:
    """PyAV 19 (Python 3.12 and later) knows animated WebP, PyAV 18 does not."""
    path = made(tmp_path / "door.webp", "-c:v", "libwebp_anim")
    if int(av.__version__.split(".")[0]) >= 19:
        assert len(seen(path)) == 40
    else:
        with pytest.raises(
            CameraError, match=r"webp holds no picture that can be read"
        ):
            seen(path)


def test_a_recording_may_lie_in_the_memory_that_looks_like_a_device(
    tmp_path: Path,
) -> None:
    """A path is a file at a desk; in service only a camera is opened below /dev."""
    with TemporaryDirectory(dir="/dev/shm") as folder:
        path = made(Path(folder) / "a:b.mp4", *X264, "-frames:v", "5")
        assert len(seen(path)) == 5
        with pytest.raises(ConfigError, match="is no camera but a file"):
            open_camera("video", str(path), FIT)
