"""Which recordings the matrix makes: all pairs of properties, then more at random.

A property is one thing that a recorder, a phone or an editor decides. Pairs that cannot
be (a raw stream has no container to say an aspect) are left out by ``possible``.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction

HOLDS = {
    "mp4": {"h264", "hevc", "mpeg4", "mjpeg", "mpeg2"},
    "mov": {"h264", "hevc", "mpeg4", "mjpeg", "mpeg2"},
    "mkv": {"h264", "hevc", "mpeg4", "mjpeg", "mpeg2", "vp9"},
    "webm": {"vp9"},
    "avi": {"h264", "mpeg4", "mjpeg", "mpeg2"},
    "ts": {"h264", "hevc", "mpeg2"},
    "flv": {"h264"},
    "raw": {"h264", "hevc", "mpeg2"},
}
DEPTHS = {
    "h264": {"yuv420p", "yuv422p", "yuv444p", "yuv420p10le"},
    "hevc": {"yuv420p", "yuv422p", "yuv444p", "yuv420p10le"},
    "mpeg4": {"yuv420p"},
    "mpeg2": {"yuv420p", "yuv422p"},
    "mjpeg": {"yuvj420p", "yuvj422p", "yuvj444p"},
    "vp9": {"yuv420p", "yuv444p", "yuv420p10le"},
}
MATRICES = {"mp4", "mov"}  # whose header holds a display matrix
MPEG2_RATES = {Fraction(25), Fraction(30000, 1001)}
PROPERTIES: dict[str, tuple[object, ...]] = {
    "container": tuple(HOLDS),
    "codec": tuple(DEPTHS),
    "rate": (
        Fraction(25, 2),
        Fraction(25),
        Fraction(30000, 1001),
        Fraction(10, 3),
        Fraction(60),
    ),
    "turn": (0, 90, 180, 270),
    "mirror": ("no", "left-right", "top-bottom"),
    "aspect": ("square", "in the container", "in the codec"),
    "fields": ("progressive", "top first", "bottom first"),
    "span": ("tv", "pc"),
    "depth": tuple(sorted({each for depths in DEPTHS.values() for each in depths})),
    "start": ("zero", "late", "between key frames"),
    "end": ("whole", "last picture held"),
}


@dataclass(frozen=True, slots=True)
class Combination:
    """One recording of the matrix."""

    container: str
    codec: str
    rate: Fraction  # frames a second
    turn: int  # degrees clockwise that a player has to turn it
    mirror: str
    aspect: str
    fields: str
    span: str
    depth: str
    start: str
    end: str

    def __str__(self) -> str:
        return " ".join(str(each) for each in asdict(self).values())

    @property
    def interlaced(self) -> bool:
        """Whether two moments are woven into each frame."""
        return self.fields != "progressive"

    @property
    def chroma_resampled(self) -> bool:
        """Whether colour has fewer samples than light."""
        return "444" not in self.depth


def possible(it: Combination) -> bool:
    """Whether FFmpeg can make such a recording, and it means what it says."""
    return all(
        (
            it.codec in HOLDS[it.container],
            it.depth in DEPTHS[it.codec],
            (it.span == "pc") == it.depth.startswith("yuvj") or it.codec == "h264",
            it.span == "tv"
            or it.depth in ("yuv420p", "yuv422p", "yuv444p")
            or it.codec == "mjpeg",
            it.container in MATRICES or (it.turn == 0 and it.mirror == "no"),
            it.codec != "mpeg2" or it.rate in MPEG2_RATES,
            it.aspect != "in the container" or it.container in ("mp4", "mov", "mkv"),
            it.aspect != "in the codec" or it.codec in ("h264", "mpeg4", "mpeg2"),
            # FFmpeg's tool turns before it takes a field, which no player does.
            not it.interlaced or (it.turn == 0 and it.mirror != "top-bottom"),
            not it.interlaced or it.codec in ("h264", "mpeg2"),
            not it.interlaced or it.depth in ("yuv420p", "yuv422p"),
            it.start != "late" or it.container in ("ts", "mkv", "mp4"),
            it.start != "between key frames"
            or (it.container == "ts" and it.codec in ("h264", "mpeg2")),
            # Matroska says how long the last picture is held nowhere but in the whole.
            it.end == "whole" or it.container in MATRICES,
        )
    )


def all_pairs(least: int, seed: int = 1) -> list[Combination]:
    """At least ``least`` combinations that hold every possible pair of values."""
    draw = random.Random(seed)
    everything = [each for each in _every() if possible(each)]
    wanted = {pair for each in everything for pair in _pairs(each)}
    chosen: list[Combination] = []
    while wanted:
        some = draw.sample(everything, min(120, len(everything)))
        best = max(some, key=lambda each: len(wanted & _pairs(each)))
        gained = wanted & _pairs(best)
        if not gained:  # rare pairs: look through all
            best = next(each for each in everything if wanted & _pairs(each))
            gained = wanted & _pairs(best)
        wanted -= gained
        chosen.append(best)
    taken = set(chosen)
    rest = [each for each in everything if each not in taken]
    return chosen + draw.sample(rest, max(0, least - len(chosen)))


def _every() -> Iterator[Combination]:
    rest = list(PROPERTIES)[2:]
    for container, codecs in HOLDS.items():
        for codec in sorted(codecs):
            values = {name: PROPERTIES[name] for name in rest}
            values["depth"] = tuple(sorted(DEPTHS[codec]))
            if container not in MATRICES:
                values["turn"], values["mirror"] = (0,), ("no",)
            for each in itertools.product(*values.values()):
                yield Combination(container, codec, *each)  # type: ignore[arg-type]


# Of each value of a property, by its name: a fraction takes long to hash.
NUMBERS = {
    name: {value: f"{name} {number}" for number, value in enumerate(values)}
    for name, values in PROPERTIES.items()
}


def _pairs(it: Combination) -> set[tuple[str, ...]]:
    values = [NUMBERS[name][getattr(it, name)] for name in PROPERTIES]
    return set(itertools.combinations(values, 2))
