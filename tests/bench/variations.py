"""Thirty easy variations of the one-by-one clip: ours and the SSD in one run.

Six people walk out over the line in each of them, and a counter that is good for a real
door says 6. The clip is decoded once; each variation changes its pixels as a camera, a
recorder or a screen may, and goes through the product's own count. Nothing is written
but numbers; the pictures lie in a temporary file while this runs.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from bench.rows import Row
from places import SHARED

from doorsill.config import ModelSection
from doorsill.drivers.camera.camera import content_size
from doorsill.evaluation.counting import Wanted, count
from doorsill.services.detectors import open_detector
from doorsill.values import Frame, Pixels

CLIP = SHARED / "clips" / "one-by-one-person-detection.mp4"
PEER = SHARED / "models" / "ssd_mobilenet_v1_coco_uint8.tflite"
WIDTH, HEIGHT, FPS = 384, 216, 10.0  # of the clip as it is varied
LINE_X = 0.72  # where the line stands, in the clip as it is
PEOPLE = 6  # who walk out
LEAST_RIGHT = 29  # variations with 6 of 6

Change = Callable[[Pixels, np.random.Generator], Any]


@dataclass(frozen=True, slots=True)
class Variation:
    """What is done to each picture, and where the line's x lies then."""

    name: str
    change: Change
    scale: float = 1.0  # the line's x is scale * x + shift, in fractions
    shift: float = 0.0
    rate: int = 0  # of a codec that squeezes the whole clip, bits a second
    mirrored: bool = False

    @property
    def line(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The line, directed so that who leaves goes out."""
        x = self.scale * LINE_X + self.shift
        return ((x, 1.0), (x, 0.0)) if self.mirrored else ((x, 0.0), (x, 1.0))


def _bars(top: int, side: int, level: int = 0) -> Change:
    """Bars above and below, and at both sides, pixels."""
    around = ((top, top), (side, side), (0, 0))
    return lambda p, _: np.pad(p, around, constant_values=level)


def _barred(name: str, top: int, side: int, level: int = 0) -> Variation:
    wide = WIDTH + 2 * side
    return Variation(name, _bars(top, side, level), WIDTH / wide, side / wide)


def _grey(p: Pixels, _: np.random.Generator) -> Any:
    return np.repeat((p @ np.array([0.299, 0.587, 0.114]))[..., None], 3, axis=2)


def _noise(size: float, change: Change = lambda p, _: p) -> Change:
    return lambda p, random: change(p, random) + random.normal(0, size, p.shape)


def _gain(*factors: float) -> Change:
    return lambda p, _: p * np.array(factors)


def _stops(stops: float) -> Change:
    """Another exposure: light is linear, what is stored is not."""
    return lambda p, _: 255 * ((p / 255) ** 2.2 * 2.0**stops) ** (1 / 2.2)


def _sepia(p: Pixels, _: np.random.Generator) -> Any:
    rows = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]
    return p @ np.array(rows).T


def _colour(share: float) -> Change:
    """More colour, less, or its opposite where ``share`` is below 0."""
    return lambda p, random: (grey := _grey(p, random)) + share * (p - grey)


def _smear(kernel: tuple[float, ...], down: bool) -> Change:
    """Each picture, smeared along the rows and, with ``down``, along the columns."""

    def change(p: Pixels, _: np.random.Generator) -> Any:
        found, half = p.astype(np.float32), len(kernel) // 2
        for axis in (1, 0) if down else (1,):
            parts = [
                k * np.roll(found, row - half, axis) for row, k in enumerate(kernel)
            ]
            found = sum(parts, np.zeros_like(found))
        return found

    return change


SOFT = _smear((0.06, 0.24, 0.4, 0.24, 0.06), down=True)


def _cut(share: float) -> Change:
    top, side = (round(n * (1 - share) / 2) for n in (HEIGHT, WIDTH))
    return lambda p, _: p[top : HEIGHT - top, side : WIDTH - side]


def _cropped(share: float) -> Variation:
    shift = (1 - 1 / share) / 2
    return Variation(f"cut to {share:.0%}", _cut(share), 1 / share, shift)


def _smaller(share: float) -> Variation:
    """The picture in the middle of a black one, as a player on a screen shows it."""
    top, side = (round(n * (1 / share - 1) / 2) for n in (HEIGHT, WIDTH))
    return _barred(f"at {share:.0%} amid black", top, side)


def _same(p: Pixels, _: np.random.Generator) -> Any:
    return p


VARIATIONS = (
    _barred("letterbox in a square", (WIDTH - HEIGHT) // 2, 0),
    _barred("letterbox in 4:3", 36, 0),
    _barred("white bars above and below", 36, 0, 255),
    _barred("pillarbox in 21:9", 0, 60),
    _barred("pillarbox in 3:1", 0, 132),
    Variation("grey", _grey),
    Variation("grey, noise of 12", _noise(12, _grey)),
    Variation("noise of 8", _noise(8)),
    Variation("noise of 16", _noise(16)),
    Variation("1 stop more light", _stops(1)),
    Variation("1.5 stops more light", _stops(1.5)),
    Variation("1 stop less light", _stops(-1)),
    Variation("1.5 stops less light", _stops(-1.5)),
    Variation("51 levels brighter", lambda p, _: p + 51.0),
    Variation("low contrast", lambda p, _: 64 + 0.5 * p),
    Variation("sepia", _sepia),
    Variation("red and blue swapped", lambda p, _: p[..., ::-1]),
    Variation("warm light", _gain(1.2, 1.0, 0.75)),
    Variation("cold light", _gain(0.8, 1.0, 1.25)),
    Variation("strong colours", _colour(1.8)),
    Variation("opposite colours", _colour(-1.0)),
    Variation("soft", SOFT),
    Variation("smeared by 7 pixels", _smear((1 / 7,) * 7, down=False)),
    Variation("sharpened", lambda p, r: p + 1.5 * (p - SOFT(p, r))),
    Variation("60 kbit/s", _same, rate=60_000),
    Variation("30 kbit/s", _same, rate=30_000),
    _cropped(0.9),
    _smaller(0.8),
    _smaller(0.64),
    Variation("mirrored", lambda p, _: p[:, ::-1], -1.0, 1.0, mirrored=True),
)


@dataclass(slots=True)
class Player:
    """In the place of a camera: varied pictures, as large as a detector takes them."""

    pictures: Any  # (n, HEIGHT, WIDTH, 3)
    variation: Variation
    fit: tuple[int, int]
    random: np.random.Generator = field(
        default_factory=lambda: np.random.default_rng(1)
    )
    number: int = 0
    scaler: VideoReformatter = field(default_factory=VideoReformatter)

    def read(self) -> Frame | None:
        """The next picture; None at the end."""
        if self.number == len(self.pictures):
            return None
        changed = self.variation.change(self.pictures[self.number], self.random)
        pixels = np.ascontiguousarray(np.clip(changed, 0, 255).astype(np.uint8))
        size = content_size((pixels.shape[1], pixels.shape[0]), self.fit)
        shown = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        scaled = self.scaler.reformat(
            shown, *size, "rgb24", interpolation=Interpolation.AREA
        )
        now, self.number = self.number / FPS, self.number + 1
        return Frame(scaled.to_ndarray(), now)

    def close(self) -> None:
        """Nothing is held."""


def rows() -> Iterator[Row]:
    """How many variations are right, and those that are not."""
    if not (CLIP.exists() and PEER.exists()):
        yield Row("easy variations of a real clip", "the shared data is absent")
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.npy"
        np.save(file, np.stack(list(_decode(CLIP))))
        tasks = [(file, row, m) for m in ("detector", str(PEER)) for row in _numbers()]
        with Pool(os.cpu_count()) as pool:
            found = pool.starmap(count_varied, tasks, chunksize=1)
    ours, peer = found[: len(VARIATIONS)], found[len(VARIATIONS) :]
    yield Row(
        f"{len(VARIATIONS)} easy variations of a clip with {PEOPLE} people: right",
        _tell(ours),
        {"SSD MobileNet v1": _tell(peer)},
        f">= {LEAST_RIGHT}, never {PEOPLE + 1}",
        ours.count((0, PEOPLE)) >= LEAST_RIGHT and not _more(ours),
    )
    for variation, one, other in zip(VARIATIONS, ours, peer, strict=True):
        if one != (0, PEOPLE) or other != (0, PEOPLE):
            yield Row(
                f"  {variation.name}, in and out",
                "{} and {}".format(*one),
                {"SSD MobileNet v1": "{} and {}".format(*other)},
                ok=None,
            )


def count_varied(file: Path, number: int, model: str) -> tuple[int, int]:
    """In and out of one variation of the pictures in ``file``, through ``model``."""
    variation, pictures = VARIATIONS[number], np.load(file, mmap_mode="r")
    if variation.rate:
        pictures = np.stack(list(_decode(_squeeze(pictures, variation.rate))))
    detector = open_detector(ModelSection(detector=model))
    player = Player(pictures, variation, detector.fit)
    (found,) = count(player, detector, Wanted([variation.line])).lines
    return found[0], found[1]


def _numbers() -> range:
    return range(len(VARIATIONS))


def _tell(found: list[tuple[int, int]]) -> str:
    right = found.count((0, PEOPLE))
    return f"{right} of {len(found)}, {_more(found)} with somebody too many"


def _more(found: list[tuple[int, int]]) -> int:
    return sum(inward > 0 or out > PEOPLE for inward, out in found)


def _decode(source: Path | io.BytesIO) -> Iterator[Pixels]:
    with av.open(source if isinstance(source, io.BytesIO) else str(source)) as clip:
        for frame in clip.decode(video=0):
            small = frame.reformat(
                WIDTH, HEIGHT, "rgb24", interpolation=Interpolation.AREA
            )
            yield small.to_ndarray()


def _squeeze(pictures: Any, rate: int) -> io.BytesIO:
    """The pictures through a codec at ``rate`` bits a second."""
    held = io.BytesIO()
    with av.open(held, "w", format="mp4") as clip:
        stream: Any = clip.add_stream("libx264", rate=round(FPS))
        stream.width, stream.height, stream.bit_rate = WIDTH, HEIGHT, rate
        stream.pix_fmt = "yuv420p"
        for each in pictures:
            shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(each), "rgb24")
            clip.mux(stream.encode(shown))
        clip.mux(stream.encode(None))
    held.seek(0)
    return held
