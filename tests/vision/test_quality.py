"""Quality: faults of the picture are told, real scenes are left in peace."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest
from places import SHARED

from doorsill.drivers.camera.video import open_video
from doorsill.values import Frame, Pixels, Quality
from doorsill.vision.quality import FROZEN_S, HOLD_S, LEARN_S, MOVED_S, QualityWatch

CLIPS = SHARED / "clips"
NAMES = ("one-by-one-person-detection.mp4", "car-detection.mp4")
Change = Callable[[Pixels], Pixels]


Shown = list[tuple[Pixels, float]]  # pictures and their times, s
Recorded = Callable[[str], Shown]


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    """The beginning of a clip, which is decoded once."""
    return functools.cache(lambda name: list(frames(name, 300)))


def frames(name: str, most: int) -> Iterator[tuple[Pixels, float]]:
    path = CLIPS / name
    if not path.exists():
        pytest.skip(f"no recording {path.name} beside the project")
    camera = open_video(str(path), (300, 300), live=False)
    for _ in range(most):
        frame = camera.read()
        if frame is None:
            break
        yield frame.pixels.copy(), frame.time
        frame.release()
    camera.close()


def watched(
    clip: Iterable[tuple[Pixels, float]], change: Change, after: float
) -> list[Quality]:
    """What is said of each frame of a clip that is changed ``after`` some seconds."""
    watch = QualityWatch()
    told = []
    for pixels, now in clip:
        shown = change(pixels) if now >= after else pixels
        told.append(watch.judge(Frame(np.ascontiguousarray(shown), now)))
    return told


def alive(pixels: Pixels, row: int) -> Pixels:
    """As a sensor gives it: one level more or less somewhere, in each frame."""
    shown = pixels.copy()
    shown[0, 0] ^= row & 1
    shown[0, 0] ^= (row // 10) & 1
    return shown


def same(pixels: Pixels) -> Pixels:
    return pixels


def scaled(share: float) -> Change:
    return lambda pixels: (pixels * share).astype(np.uint8)


def shifted(down: int, right: int) -> Change:
    return lambda pixels: np.roll(pixels, (down, right), axis=(0, 1))


def hand(pixels: Pixels) -> Pixels:
    """Something soft right in front of the lens."""
    rows = np.linspace(70, 85, pixels.shape[0]).astype(np.uint8)
    return np.broadcast_to(rows[:, None, None], pixels.shape)


@pytest.mark.parametrize("name", NAMES)
def test_a_real_scene_is_good_all_the_time(name: str) -> None:
    assert set(watched(frames(name, 700), same, 0.0)) == {Quality.GOOD}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param(scaled(0.08), Quality.DARK, id="the light is switched off"),
        pytest.param(
            lambda pixels: np.maximum(pixels, 246), Quality.BRIGHT, id="sun in the lens"
        ),
        pytest.param(hand, Quality.COVERED, id="something in front of the lens"),
        pytest.param(
            lambda pixels: np.full_like(pixels, 128), Quality.COVERED, id="taped over"
        ),
        pytest.param(shifted(17, 30), Quality.MOVED, id="the camera was turned"),
        pytest.param(
            lambda pixels: pixels[::-1], Quality.MOVED, id="mounted upside down"
        ),
    ],
)
def test_a_fault_is_told_and_only_that(
    recorded: Recorded, name: str, change: Change, fault: Quality
) -> None:
    start = LEARN_S + 3.0
    told = watched(recorded(name), change, start)
    assert set(told) == {Quality.GOOD, fault}
    rate = 10.0 if name == NAMES[0] else 12.5
    wait = (MOVED_S + 5.0) if fault is Quality.MOVED else HOLD_S + 2.0
    assert told[-1] == fault
    assert told.index(fault) <= (start + wait) * rate + 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(scaled(0.5), id="a cloud"),
        pytest.param(lambda pixels: np.minimum(pixels, 205) + np.uint8(50), id="lamps"),
        pytest.param(shifted(0, 1), id="the mount trembles"),
    ],
)
def test_light_and_trembling_are_no_fault(recorded: Recorded, change: Change) -> None:
    assert set(watched(recorded(NAMES[0]), change, LEARN_S + 3.0)) == {Quality.GOOD}


def noise(seed: int = 1) -> Pixels:
    return np.random.default_rng(seed).integers(40, 200, (90, 160, 3), np.uint8)


def test_a_fault_that_ends_is_told_no_longer() -> None:
    watch, scene = QualityWatch(), noise()
    black = np.zeros_like(scene)
    told = [
        watch.judge(Frame(black if 100 <= row < 200 else scene, row * 0.1))
        for row in range(300)
    ]
    assert Quality.DARK in told[100:200] and set(told[240:]) == {Quality.GOOD}


def test_a_moved_camera_stays_moved() -> None:
    watch, scene, other = QualityWatch(), noise(1), noise(2)
    told = [
        watch.judge(Frame(alive(scene if row < 100 else other, row), row * 0.1))
        for row in range(2000)
    ]
    assert told[99] == Quality.GOOD and set(told[300:]) == {Quality.MOVED}


@pytest.mark.parametrize(
    ("rate", "slow"),
    [
        pytest.param(5.0, True, id="five a second are too few"),
        pytest.param(8.0, False, id="eight will do"),
        pytest.param(30.0, False, id="thirty"),
    ],
)
def test_the_frame_rate(rate: float, slow: bool) -> None:
    watch, scene = QualityWatch(), noise()
    told = [watch.judge(Frame(alive(scene, row), row / rate)) for row in range(100)]
    assert (told[-1] == Quality.LOW_FRAME_RATE) is slow


def test_another_picture_size_begins_anew() -> None:
    watch, scene = QualityWatch(), noise()
    for row in range(100):
        watch.judge(Frame(alive(scene, row), row * 0.1))
    small = np.ascontiguousarray(noise(2)[:60, :80])
    told = [watch.judge(Frame(alive(small, row), 10 + row * 0.1)) for row in range(200)]
    assert set(told) == {Quality.GOOD}


def test_a_picture_that_stays_the_same_to_the_last_bit_is_frozen() -> None:
    watch, scene = QualityWatch(), noise()
    told = [watch.judge(Frame(scene, row * 0.1)) for row in range(300)]
    first = told.index(Quality.FROZEN) * 0.1
    assert FROZEN_S <= first <= FROZEN_S + 2
    assert set(told[200:]) == {Quality.FROZEN}
    again = [watch.judge(Frame(alive(scene, row), 30 + row * 0.1)) for row in range(99)]
    assert set(again[20:]) == {Quality.GOOD}  # it is over with the first other one


def test_no_picture_is_kept() -> None:
    watch = QualityWatch()
    for row in range(100):
        watch.judge(Frame(noise(), row * 0.1))
    kept = [each.size for each in arrays_of(watch)]
    assert 0 < sum(kept) < 0.07 * noise().size  # numbers, not the picture


def arrays_of(root: object) -> Iterator[np.ndarray]:
    if isinstance(root, np.ndarray):
        yield root
        return
    for name in getattr(type(root), "__slots__", ()) or vars(root):
        each = getattr(root, name)
        ours = type(each).__module__ == QualityWatch.__module__
        if isinstance(each, np.ndarray) or ours:
            yield from arrays_of(each)


@pytest.mark.alone
def test_it_costs_next_to_nothing() -> None:
    watch = QualityWatch()
    pixels = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
    spent = []
    for row in range(250):
        start = time.perf_counter()
        watch.judge(Frame(pixels, row * 0.08))
        spent.append(time.perf_counter() - start)
    looks = sorted(spent)[-20:]
    assert (sum(spent) - sum(looks) + 20 * looks[0]) / len(spent) < 200e-6
