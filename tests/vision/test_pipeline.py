"""The pipeline looks where something moves and counts what it saw."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field

import numpy as np
import pytest

from doorsill.values import Detections, Direction, Frame
from doorsill.vision.detect.detector import Stages
from doorsill.vision.pipeline import (
    Pipeline,
    extend_area,
    extend_line,
    pipeline,
)
from doorsill.vision.timing import RECENT, Timing

LINE = ((0.5, 0.0), (0.5, 1.0))
RATE = 12.5


def person(x: float, y: float = 0.8) -> Detections:
    box = np.array([[x - 0.05, y - 0.5, x + 0.05, y]], np.float32)
    head = np.array([[x - 0.02, y - 0.5, x + 0.02, y - 0.42]], np.float32)
    feet = np.array([[x, y]], np.float32)
    return Detections(box, np.array([0.9], np.float32), head, feet)


@dataclass
class Walker:
    """A detector that sees one person walk from the right to the left."""

    fit: tuple[int, int] = (320, 256)
    stages: Stages = field(default_factory=lambda: Stages(20, 1000, 80))
    born: float = 0.5
    asked: int = 0
    first: int = 10
    last: int = 60

    def detect(self, frame: Frame) -> Detections:
        self.asked += 1
        step = round(frame.time * RATE)
        if not self.first <= step <= self.last:
            return Detections.none()
        return person(0.9 - 0.8 * (step - self.first) / (self.last - self.first))


@dataclass
class Asleep:
    """A gate that lets nothing pass unless somebody is being followed."""

    opens_at: int
    followed: list[bool] = field(default_factory=list)

    def wants(self, frame: Frame, *, following: bool) -> bool:
        self.followed.append(following)
        return following or round(frame.time * RATE) >= self.opens_at


def frame(step: int) -> Frame:
    return Frame(np.zeros((180, 320, 3), np.uint8), step / RATE)


def run(steps: Pipeline, frames: int) -> list[Direction]:
    found = []
    for number in range(frames):
        found += steps.step(frame(number)).crossings
        steps.timing.end_frame()
    found += steps.finish(frames / RATE)
    return [crossing.direction for crossing in found]


def test_a_walk_from_left_of_the_line_to_its_right_is_one_in() -> None:
    steps = pipeline(Walker(), [LINE], aspect=16 / 9)
    assert run(steps, 120) == [Direction.IN]


def test_who_is_still_in_the_picture_at_the_end_is_counted() -> None:
    steps = pipeline(Walker(), [LINE], aspect=16 / 9)
    assert run(steps, 45) == [Direction.IN]


def test_an_empty_recording_counts_nobody() -> None:
    steps = pipeline(Walker(first=1000), [LINE], aspect=16 / 9)
    assert run(steps, 30) == []
    assert len(steps.tracker) == 0


def test_nothing_is_inferred_while_the_gate_is_shut() -> None:
    detector, gate = Walker(first=40, last=90), Asleep(opens_at=40)
    steps = pipeline(detector, [LINE], aspect=16 / 9, gate=gate)
    assert run(steps, 130) == [Direction.IN]
    assert detector.asked == 130 - 40


def test_the_gate_is_told_whether_somebody_is_followed() -> None:
    gate = Asleep(opens_at=0)
    run(pipeline(Walker(), [LINE], aspect=16 / 9, gate=gate), 120)
    assert gate.followed[0] is False
    assert gate.followed[30] is True
    assert gate.followed[-1] is False


def test_a_foot_below_the_picture_does_not_go_around_the_line() -> None:
    """A person cut off by the lower edge: the foot is supposed at 1.1."""

    class CutOff(Walker):
        def detect(self, frame: Frame) -> Detections:
            found = Walker.detect(self, frame)
            return person(float(found.feet[0, 0]), 1.1) if len(found) else found

    assert run(pipeline(CutOff(), [LINE], aspect=16 / 9), 120) == [Direction.IN]
    short = ((0.5, 0.0), (0.5, 0.9))
    assert run(pipeline(CutOff(), [short], aspect=16 / 9), 120) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            ((0.5, 0.0), (0.5, 1.0)),
            ((0.5, -1.0), (0.5, 0.0), (0.5, 1.0), (0.5, 2.0)),
            id="both ends at an edge",
        ),
        pytest.param(
            ((0.0, 0.6), (0.7, 0.6)),
            ((-1.0, 0.6), (0.0, 0.6), (0.7, 0.6)),
            id="one end at an edge",
        ),
        pytest.param(
            ((0.2, 0.5), (0.7, 0.5)), ((0.2, 0.5), (0.7, 0.5)), id="ends inside"
        ),
    ],
)
def test_a_line_goes_on_beyond_the_edge_it_reaches(
    line: tuple[tuple[float, float], ...], expected: tuple[tuple[float, float], ...]
) -> None:
    assert extend_line(line) == expected


@pytest.mark.parametrize(
    ("area", "expected"),
    [
        pytest.param(
            ((0.2, 0.3), (0.6, 0.3), (0.6, 0.8)),
            ((0.2, 0.3), (0.6, 0.3), (0.6, 0.8)),
            id="inside",
        ),
        pytest.param(
            ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.02, 0.99)),
            ((-1.0, 0.5), (2.0, 0.5), (2.0, 2.0), (-0.98, 1.99)),
            id="the lower half",
        ),
    ],
)
def test_an_area_goes_on_beyond_the_edge_it_reaches(
    area: tuple[tuple[float, float], ...], expected: tuple[tuple[float, float], ...]
) -> None:
    found = extend_area(area)
    assert [each for point in found for each in point] == pytest.approx(
        [each for point in expected for each in point]
    )


def test_the_time_is_booked_by_stage() -> None:
    steps = pipeline(Walker(), [LINE], aspect=16 / 9)
    run(steps, 100)
    assert steps.timing.total_us["invoke"] == 100 * 1000
    assert steps.timing.invoke_us == 1000
    assert steps.timing.overhead_us >= 100


@pytest.mark.parametrize("frames", [0, 1, RECENT * 3])
def test_timing_is_bounded_and_its_median_is_of_the_last_minute(frames: int) -> None:
    timing = Timing()
    for number in range(frames):
        timing.add("capture", 5000)
        timing.add("invoke", 1000 if number < frames - RECENT else 2000)
        timing.add("track", 100)
        timing.end_frame()
    assert timing.invoke_us == (2000 if frames else 0)
    assert timing.overhead_us == (100 if frames else 0)
    assert len(pickle.dumps(timing)) < 8 * RECENT  # bytes: two numbers for a frame
