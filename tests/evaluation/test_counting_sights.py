"""What is said of a picture in which counting goes badly, and of a good one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from doorsill.evaluation.sights import LEAST_HEAD, LOOK_AT, Sights, remarks
from doorsill.values import Detections, Frame, Tracks
from doorsill.vision.pipeline import EMPTY, NOBODY, Seen

SIZE = (180, 320)  # rows and columns


def frame(bars: int = 0, across: bool = True) -> Frame:
    """Noise, with ``bars`` rows (or columns) of black on either side."""
    pixels = np.random.default_rng(1).integers(0, 255, (*SIZE, 3), np.uint8)
    if bars and across:
        pixels[:bars] = pixels[-bars:] = 0
    elif bars:
        pixels[:, :bars] = pixels[:, -bars:] = 0
    return Frame(pixels, 0.0)


def seen(*people: tuple[int, float, float], confirmed: bool = True) -> Seen:
    """People as (id, height of the head in the picture, y of the feet)."""
    count = len(people)
    heads = np.array([[0.5, 0.1, 0.52, 0.1 + each[1]] for each in people], np.float32)
    feet = np.array([[0.5, each[2]] for each in people], np.float32)
    found = Detections(heads, np.ones(count, np.float32), heads, feet)
    rows = np.arange(count)
    who = np.array([each[0] for each in people], np.int64)
    tracks = Tracks(who, heads, feet, rows, np.full(count, confirmed))
    return Seen(found, tracks if confirmed else EMPTY, [], True)


def said(sights: Sights) -> str:
    return " | ".join(remarks(sights))


def at_times(*steps: float) -> Sights:
    """Frames that came so many seconds after each other."""
    sights = Sights()
    for time in np.cumsum([0.0, *steps]):
        sights.steps.note(float(time))
    return sights


def test_a_good_picture_is_not_worth_a_word() -> None:
    sights = Sights()
    sights.look_for_bars(frame())
    sights.note(seen((1, 0.2, 0.9), (2, 0.15, 0.8)))
    assert said(sights) == ""
    assert sights.people == 2


@pytest.mark.parametrize(
    ("people", "sentence"),
    [
        pytest.param(
            [(1, 0.2, 1.4), (2, 0.2, 1.6), (3, 0.2, 0.9)],
            "3 people seen, the feet of 2 below the picture",
            id="a camera that looks too level",
        ),
        pytest.param(
            [(1, LEAST_HEAD / SIZE[0] * 0.7, 0.9)], "heads are 6 pixels high", id="far"
        ),
    ],
)
def test_a_fault_of_the_camera_is_named(
    people: list[tuple[int, float, float]], sentence: str
) -> None:
    sights = Sights()
    sights.look_for_bars(frame())
    sights.note(seen(*people))
    assert sentence in said(sights)


def test_who_was_once_seen_whole_is_no_fault() -> None:
    sights = Sights()
    sights.note(seen((1, 0.2, 1.3)))
    sights.note(seen((1, 0.2, 0.9)))
    assert sights.feet_outside == 0


def test_people_who_are_never_followed_are_told_from_nobody() -> None:
    sights = Sights()
    sights.note(Seen(NOBODY, EMPTY, [], True))
    assert said(sights) == ""
    sights.note(seen((1, 0.2, 0.9), confirmed=False))
    assert "nobody long enough" in said(sights)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        pytest.param(1.0, True, id="one a second"),
        pytest.param(2.9, True, id="just below"),
        pytest.param(3.0, False, id="three"),
        pytest.param(25.0, False, id="a film"),
    ],
)
def test_below_three_frames_a_second_people_cannot_be_followed(
    rate: float, expected: bool
) -> None:
    found = said(at_times(*[1 / rate] * 30))
    assert ("cannot be followed below 3" in found) == expected


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        pytest.param((64, 36), True, id="a thumbnail"),
        pytest.param((96, 54), False, id="the smallest that counts right"),
        pytest.param((54, 96), False, id="and upright"),
        pytest.param(None, False, id="a live source"),
    ],
)
def test_a_picture_of_few_pixels_is_named(
    stored: tuple[int, int] | None, expected: bool
) -> None:
    assert ("64 x 36 pixels" in said(Sights(stored=stored))) == expected


FAST = [0.1] * 200


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        pytest.param([*FAST, 600.0, *FAST, 3600.0, *FAST], "", id="breaks between"),
        pytest.param([*FAST, 1000.0, *FAST], "", id="one stamp that is wild"),
        pytest.param([*FAST, 0.5, 0.5, *FAST], "", id="a hiccup"),
        pytest.param([*FAST, *[1.0] * 9], "for 9 of 29 s", id="slow at the end"),
        pytest.param([*[1.0] * 9, *FAST], "for 9 of 29 s", id="slow at first"),
        pytest.param([*FAST, *[5.0] * 2], "for 10 of 30 s", id="a picture that stalls"),
        pytest.param([300.0] * 9, "0.0033 frames a second", id="a time lapse"),
        pytest.param([0.333, 0.334] * 9, "", id="three, with rounded stamps"),
        pytest.param(
            [0.001] * 60, "1000 frames a second: no camera", id="a false rate"
        ),
        pytest.param([1 / 240] * 60, "", id="slow motion"),
        pytest.param([*FAST, 0.0001, 0.0001], "", id="two that came at once"),
        pytest.param([], "", id="one frame"),
    ],
)
def test_a_part_that_is_slow_is_named_and_a_break_is_none(
    steps: list[float], sentence: str
) -> None:
    found = said(at_times(*steps))
    assert sentence in found and bool(sentence) == bool(found)


@pytest.mark.parametrize(
    ("bars", "across", "share"),
    [
        pytest.param(0, True, 0.0, id="none"),
        pytest.param(40, True, 80 / 180, id="letterboxed"),
        pytest.param(70, False, 140 / 320, id="pillarboxed"),
    ],
)
def test_bars_are_found(bars: int, across: bool, share: float) -> None:
    sights = Sights()
    for _ in range(2 * LOOK_AT):
        sights.look_for_bars(frame(bars, across))
    assert sights.bars == pytest.approx(share, abs=0.02)
    assert ("bars without a picture" in said(sights)) == (share > 0.25)


def test_a_night_that_becomes_day_has_no_bars() -> None:
    sights = Sights()
    sights.look_for_bars(Frame(np.zeros((*SIZE, 3), np.uint8), 0.0))
    assert sights.bars == 1.0
    sights.look_for_bars(frame())
    assert sights.bars < 0.01


def test_no_pixel_is_kept(tmp_path: Path) -> None:
    sights = Sights()
    sights.look_for_bars(frame(20))
    kept = [value for value in vars_of(sights) if isinstance(value, np.ndarray)]
    assert all(value.dtype == bool and value.ndim == 1 for value in kept)


def vars_of(sights: Sights) -> list[object]:
    return [getattr(sights, name) for name in sights.__slots__]
