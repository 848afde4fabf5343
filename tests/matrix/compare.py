"""Our picture beside FFmpeg's own, and our count beside that of FFmpeg's own frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from matrix.combinations import Combination
from matrix.recording import SIZE, film, shown, stored_times
from numpy.typing import NDArray

from doorsill.config import ModelSection
from doorsill.drivers.camera.camera import Size, content_size
from doorsill.drivers.camera.clip import street_truth
from doorsill.drivers.camera.opening import open_camera
from doorsill.errors import DoorsillError
from doorsill.evaluation.counting import Wanted, count
from doorsill.services.detectors import open_detector
from doorsill.values import Frame
from doorsill.vision.detect.detector import Detector

# Where colour has fewer samples than light, FFmpeg's versions, and its tool and its
# library, differ by a dozen levels at sharp edges of colour: there light is compared
# (ITU-R BT.601), but for one pixel in a thousand; elsewhere every value of every pixel.
LIGHT = np.array([0.299, 0.587, 0.114])
SHARE = 0.999
SAME_TIME_S = 0.003  # half a step of the coarsest time base, and rounding


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of one recording; ``wrong`` is empty where all is well."""

    it: Combination
    frames: int = 0
    levels: float = 0.0  # the largest difference of a pixel, of 255
    ours: tuple[int, int] = (0, 0)  # in, out
    theirs: tuple[int, int] = (0, 0)
    wrong: str = ""


def compare(it: Combination, folder: Path) -> Compared:
    """Make the recording, show it twice and count it twice."""
    path = film(it, folder)
    try:
        times, pictures = _ours(path, SIZE)
        reference = shown(it, path, SIZE)
        if pictures[0].shape != reference[0].shape:
            return Compared(it, wrong=f"the picture is {pictures[0].shape[:2]}")
        both = min(len(pictures), len(reference))
        difference = _of_light if it.chroma_resampled else _of_every_value
        levels = max(difference(pictures[n], reference[n]) for n in range(both))
        wrong = _wrong_frames(it, times, len(reference))
        if not wrong and levels > (2 if it.chroma_resampled else 1):
            wrong = f"pixels differ by {levels:.1f}"
        if wrong:
            return Compared(it, len(pictures), levels, wrong=wrong)
        ours = _count(_camera(path, detector().fit))
    except DoorsillError as error:
        return Compared(it, wrong=f"refused: {error}")
    theirs = _count(Shown(shown(it, path, content_size(SIZE, detector().fit)), times))
    wrong = "" if ours == theirs else f"counted {ours}, FFmpeg's frames {theirs}"
    return Compared(it, len(pictures), levels, ours, theirs, wrong)


def _of_every_value(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> float:
    return float(np.abs(ours.astype(np.int16) - theirs).max())


def _of_light(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> float:
    return float(np.quantile(np.abs(ours @ LIGHT - theirs @ LIGHT), SHARE))


@cache
def detector() -> Detector:
    """The shipped detector, loaded once."""
    return open_detector(ModelSection())


class Shown:
    """FFmpeg's own pictures as a camera."""

    def __init__(self, pictures: NDArray[np.uint8], times: NDArray[np.float64]) -> None:
        self._frames: Iterator[Frame] = (
            Frame(picture, float(time))
            for picture, time in zip(pictures, times, strict=False)
        )

    def read(self) -> Frame | None:
        return next(self._frames, None)

    def close(self) -> None:
        pass


def _camera(path: Path, fit: Size):
    return open_camera("video", str(path), fit, live=False)


def _ours(
    path: Path, size: Size
) -> tuple[NDArray[np.float64], list[NDArray[np.uint8]]]:
    camera, times, pictures = _camera(path, size), [], []
    while (frame := camera.read()) is not None:
        times.append(frame.time)
        pictures.append(frame.pixels.copy())
        frame.release()
    camera.close()
    return np.array(times), pictures


def _count(camera) -> tuple[int, int]:
    points = street_truth()["line"]
    wanted = Wanted([(tuple(points[:2]), tuple(points[2:]))])
    (into, out) = count(camera, detector(), wanted).lines[0]
    camera.close()
    return into, out


def _wrong_frames(it: Combination, times: NDArray[np.float64], theirs: int) -> str:
    truth = stored_times(it)
    if len(times) != theirs:
        return f"{len(times)} frames, FFmpeg has {theirs}"
    # FFmpeg's MPEG-2 encoder may keep its last picture back.
    if it.start != "between key frames" and not 0 <= len(truth) - len(times) <= 1:
        return f"{len(times)} frames, {len(truth)} were filmed"
    error = np.abs(times - truth[: len(times)]).max() if len(times) else 0.0
    return f"times are wrong by {error:.3f} s" if error > SAME_TIME_S else ""
