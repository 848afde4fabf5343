"""Makes a recording of the matrix with FFmpeg's own tool, and shows it with the same.

What is filmed is the first nine seconds of our rendered street, so nobody's picture
is needed. Nothing of doorsill's decoding is used here.
"""

from __future__ import annotations

import struct
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
from matrix.combinations import Combination
from numpy.typing import NDArray
from places import ROOT

STREET = ROOT / "firmware/doorsill/assets/street.mp4"
FRAMES = 112  # of the street: three people cross in them, one by one
SIZE = (480, 360)  # width and height as shown
# How a picture is stored so that it is upright once a player has turned it clockwise.
TURNED_BACK = {
    0: [],
    90: ["transpose=cclock"],
    180: ["hflip,vflip"],
    270: ["transpose=clock"],
}
MIRRORED = {"no": [], "left-right": ["hflip"], "top-bottom": ["vflip"]}
HELD_S = 4.0  # how long the last picture is held
LATE_S = 7.0  # the time of the first picture
LIMIT_S = 900.0  # a run of FFmpeg is over by then, on a busy machine as well
ENCODERS = {
    "h264": ["libx264", "-preset", "veryfast", "-crf", "16"],
    "hevc": ["libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"],
    "mpeg4": ["mpeg4", "-q:v", "2"],
    "mpeg2": ["mpeg2video", "-q:v", "2"],
    "mjpeg": ["mjpeg", "-q:v", "2"],
    "vp9": ["libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "2M"],
}


def film(it: Combination, folder: Path) -> Path:
    """The recording, in ``folder``."""
    suffix = it.codec if it.container == "raw" else it.container
    made = folder / f"filmed.{suffix}"
    _ffmpeg("-i", STREET, *_encoding(it), *_format(it), made)
    if it.aspect == "in the container" or it.end != "whole":
        made = _remuxed(it, made)
    if it.start == "between key frames":
        _cut_the_first_key_frame(made)
    if it.turn or it.mirror != "no":
        _write_matrix(it, made)
    return made


def stored_times(it: Combination) -> NDArray[np.float64]:
    """The frames' times by construction, in seconds from the first."""
    count = FRAMES // 2 if it.interlaced else FRAMES
    return np.arange(count) / float(it.rate)


def shown(it: Combination, path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The pictures that FFmpeg shows, (n, height, width, 3) uint8 R, G, B.

    ``size`` is (width, height) as shown. Scaled first, then turned and mirrored by
    FFmpeg itself: the other way round colour would be halved along the other side.
    """
    stored = _stored(it, size)
    field = "field=type=top," if it.interlaced else ""
    steps = f"{field}scale={stored[0]}:{stored[1]}:flags=area,format=rgb24,setsar=1"
    keep = ["-fps_mode", "passthrough"] if _knows_fps_mode() else ["-vsync", "0"]
    scaled = path.with_name("scaled.mov")
    raw = ["-c:v", "rawvideo", "-pix_fmt", "rgb24", scaled]
    _ffmpeg("-noautorotate", "-i", path, "-an", *keep, "-vf", steps, *raw)
    data = _ffmpeg("-i", scaled, *keep, "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    return np.frombuffer(data, np.uint8).reshape(-1, size[1], size[0], 3)


def _stored(it: Combination, size: tuple[int, int]) -> tuple[int, int]:
    return size[::-1] if it.turn in (90, 270) else size


def _encoding(it: Combination) -> list[str]:
    steps = [f"trim=end_frame={FRAMES}", *TURNED_BACK[it.turn], *MIRRORED[it.mirror]]
    if it.aspect != "square":  # a pixel is 4:3
        steps.append("scale=iw*3/4:ih")
    rate = it.rate
    if it.interlaced:
        first = "top" if it.fields == "top first" else "bottom"
        steps += [f"tinterlace=interleave_{first}", f"setfield={first[0]}ff"]
    steps.append(f"scale=out_range={it.span}")
    steps.append(f"setpts=N/({rate})/TB")
    steps.append("setsar=4/3" if it.aspect == "in the codec" else "setsar=1")
    options = ["-vf", ",".join(steps), "-r", str(rate), "-an", "-g", "30", "-bf", "0"]
    options += ["-c:v", *ENCODERS[it.codec], "-pix_fmt", it.depth]
    options += ["-color_range", it.span]
    if it.interlaced:
        options += ["-flags", "+ilme+ildct"]
        if it.codec == "h264":
            word = "tff" if it.fields == "top first" else "bff"
            options += ["-x264opts", f"{word}=1"]
    return options


def _format(it: Combination) -> list[str]:
    late = ["-output_ts_offset", str(LATE_S)] if it.start == "late" else []
    if it.container != "raw":
        return late
    return ["-f", "mpeg2video" if it.codec == "mpeg2" else it.codec]


def _remuxed(it: Combination, made: Path) -> Path:
    again = made.with_stem("again")
    aspect = []
    if it.aspect == "in the container":
        width, height = _stored(it, SIZE)
        aspect = ["-aspect", f"{width}:{height}"]
    held = []
    if it.end != "whole":
        last = len(stored_times(it)) - 1
        held = ["-bsf:v", f"setts=duration=if(eq(N\\,{last})\\,{HELD_S}/TB\\,DURATION)"]
    _ffmpeg("-i", made, "-c", "copy", *aspect, *held, again)
    return again


def _cut_the_first_key_frame(path: Path) -> None:
    """Leave a transport stream from a packet on that lies inside the first group."""
    data = path.read_bytes()
    at = len(data) // 40 // 188 * 188
    path.write_bytes(data[at:])


def _write_matrix(it: Combination, path: Path) -> None:
    """Write a display matrix into the track's header: mirrored first, then turned."""
    flip_x = -1 if it.mirror == "left-right" else 1
    flip_y = -1 if it.mirror == "top-bottom" else 1
    turned = {
        0: ((1, 0), (0, 1)),
        90: ((0, 1), (-1, 0)),
        180: ((-1, 0), (0, -1)),
        270: ((0, -1), (1, 0)),
    }[it.turn]
    (a, b), (c, d) = (
        tuple(each * flip_x for each in turned[0]),
        tuple(each * flip_y for each in turned[1]),
    )
    one = 0x10000
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix starts there
    values = (a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", data, at, *values)
    path.write_bytes(data)


@cache
def _knows_fps_mode() -> bool:
    words = _ffmpeg("-version").split()
    return int(words[2].lstrip(b"n").split(b".")[0]) >= 6


def _ffmpeg(*arguments: object) -> bytes:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=LIMIT_S)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode()[-400:]}")
    return done.stdout
