"""The gate never misses an entrance, and rests where nothing happens."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from doorsill.config import ModelSection
from doorsill.drivers.camera.clip import STREET
from doorsill.drivers.camera.video import open_recording
from doorsill.services.detectors import open_detector
from doorsill.values import Detections, Frame
from doorsill.vision.detect.detector import Stages
from doorsill.vision.motion import LEARNING_S, LONGEST_REST_S, Coarse, MotionGate
from doorsill.vision.pipeline import pipeline

CLIPS = Path("../shared/data/clips")
RATE = 12.5


class Scene:
    """A still room with sensor noise, light and a person who can be put into it."""

    def __init__(self, noise=2.0, size=(320, 180), seed=7):
        self._rng = np.random.default_rng(seed)
        width, height = size
        room = self._rng.integers(60, 190, (height // 20, width // 20, 3))
        self.room = np.repeat(np.repeat(room, 20, 0), 20, 1).astype(np.float32)
        shape = (8, *self.room.shape)
        self.noise = self._rng.normal(0, noise, shape).astype(np.float32)
        self.gate = MotionGate()
        self.number = 0
        self.light = 0.0
        self.person: tuple[int, int] | None = None  # left, top
        self.contrast = 30.0
        self._state: object = None
        self._shown: dict[int, np.ndarray] = {}

    def look(self, following=False) -> bool:
        """Show the next frame to the gate."""
        self.number += 1
        state = (self.light, self.person, self.contrast, self.room.shape)
        if state != self._state:
            self._state, self._shown = state, {}
        which = int(self._rng.integers(8))
        if which not in self._shown:
            self._shown[which] = self._picture(self.noise[which])
        frame = Frame(self._shown[which], self.number / RATE)
        return self.gate.wants(frame, following=following)

    def _picture(self, noise) -> np.ndarray:
        picture = self.room + noise + self.light
        if self.person is not None:
            left, top = self.person
            body = picture[max(0, top) : max(0, top + 48), max(0, left) : left + 20]
            body += self.contrast
        return np.clip(picture, 0, 255).astype(np.uint8)

    def rest(self, seconds: float, following=False) -> float:
        """Let time pass; the share of frames that were worth a look."""
        frames = int(seconds * RATE)
        return sum(self.look(following) for _ in range(frames)) / frames


@pytest.mark.parametrize(
    ("noise", "share"),
    [
        pytest.param(0.0, 0.05, id="no noise"),
        pytest.param(2.0, 0.05, id="daylight"),
        pytest.param(6.0, 0.08, id="dusk"),
        pytest.param(12.0, 0.20, id="nearly dark"),
    ],
)
def test_an_idle_door_is_hardly_looked_at(noise, share):
    scene = Scene(noise)
    scene.rest(10)
    assert scene.rest(60) <= share


def test_it_looks_at_least_every_two_seconds():
    scene = Scene()
    looked = [scene.look() for _ in range(500)]
    assert np.diff(np.flatnonzero(looked)).max() <= np.ceil(LONGEST_REST_S * RATE)


def test_a_new_scene_is_watched_until_it_is_known():
    scene = Scene()
    looked = [scene.look() for _ in range(int(LEARNING_S * RATE) + 20)]
    assert all(looked[: int(LEARNING_S * RATE)])
    assert not all(looked)


@pytest.mark.parametrize("noise", [0.0, 2.0, 6.0])
@pytest.mark.parametrize("contrast", [40.0, 20.0, -20.0, -40.0])
@pytest.mark.parametrize(
    ("start", "step"),
    [
        pytest.param((-20, 60), (4, 0), id="from the left"),
        pytest.param((320, 60), (-4, 0), id="from the right"),
        pytest.param((150, -48), (0, 6), id="from the top"),
        pytest.param((150, 180), (0, -6), id="from the bottom"),
        pytest.param((147, 77), (0, 0), id="through a door in the middle"),
    ],
)
def test_whoever_comes_in_is_seen_before_half_of_them_is_there(
    noise, contrast, start, step
):
    scene = Scene(noise)
    scene.contrast = contrast
    scene.rest(8)
    left, top = start
    half_way = 24 // 6 if step[1] else 10 // 4 + 1
    looked = []
    for number in range(1, half_way + 1):
        scene.person = (left + number * step[0], top + number * step[1])
        looked.append(scene.look())
    assert any(looked)


def test_the_entrance_test_sees_an_invisible_person_as_a_miss():
    """Negative control for the test above."""
    scene = Scene(2.0)
    scene.contrast = 0.0
    scene.rest(8.05)
    scene.person = (150, 60)
    assert not scene.look()


def test_everything_is_looked_at_while_somebody_is_followed():
    scene = Scene()
    scene.rest(10)
    assert scene.rest(30, following=True) == 1.0


def test_whoever_stands_still_while_followed_never_becomes_background():
    scene = Scene()
    scene.rest(5)
    scene.person = (150, 60)
    scene.rest(120, following=True)
    assert scene.look(following=False), "the track is lost, the person is still seen"


def test_a_cart_that_is_left_behind_becomes_background():
    scene = Scene()
    scene.rest(5)
    scene.person = (150, 60)
    scene.rest(3)
    assert scene.rest(30) <= 0.05
    scene.person = (150, 66)
    assert scene.look(), "and is seen again as soon as it moves"


def test_what_was_hidden_is_seen_when_it_is_uncovered():
    scene = Scene()
    scene.rest(5)
    scene.person = (150, 60)
    scene.rest(5)
    scene.person = None
    assert scene.look()


@pytest.mark.parametrize("per_second", [1.0, -1.5])
def test_daylight_that_comes_and_goes_slowly_wakes_nobody(per_second):
    scene = Scene()
    scene.rest(5)
    looked = []
    for _ in range(int(30 * RATE)):
        scene.light += per_second / RATE
        looked.append(scene.look())
    assert np.mean(looked) <= 0.06


@pytest.mark.parametrize("jump", [30.0, -30.0, 8.0])
def test_a_light_that_is_switched_is_looked_at_and_soon_forgotten(jump):
    scene = Scene()
    scene.rest(5.05)
    scene.light = jump
    assert scene.look()
    scene.rest(4)
    assert scene.rest(20) <= 0.05


def test_after_a_gap_and_in_another_form_the_scene_is_new():
    scene = Scene()
    scene.rest(10)
    scene.number += int(5 * RATE)
    assert scene.rest(LEARNING_S) == 1.0
    scene.rest(5)
    scene.room = scene.room[:160]
    scene.noise = scene.noise[:, :160]
    assert scene.rest(LEARNING_S) == 1.0


def test_time_that_goes_back_is_a_new_scene_too():
    scene = Scene()
    scene.rest(10)
    scene.number = 0
    assert scene.look()


def test_what_is_kept_is_no_picture():
    scene = Scene()
    scene.rest(5)
    kept = [getattr(scene.gate, name) for name in vars(scene.gate)]
    sizes = [value.size for value in kept if isinstance(value, np.ndarray)]
    assert sum(sizes) <= 2 * 20 * 11


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 320), (17, 19), (256, 320)])
def test_cells_are_means_of_the_green_channel(size):
    height, width = size
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    cells = Coarse(height, width).cells(pixels)
    samples = pixels[2::4, 2::4, 1].astype(float)
    rows, columns = samples.shape
    assert cells.shape == tuple(max(1, n // 4) if n else 0 for n in (rows, columns))
    if rows % 4 == columns % 4 == 0 and samples.size:
        blocks = samples.reshape(rows // 4, 4, columns // 4, 4).mean((1, 3))
        assert np.allclose(cells, blocks, atol=1e-3)


def test_pictures_of_a_few_pixels_do_no_harm():
    gate = MotionGate()
    for number, size in enumerate([(1, 1, 3), (2, 2, 3), (3, 9, 3)]):
        pixels = np.zeros(size, np.uint8)
        for step in range(3):
            time_s = number * 10 + step / 10
            assert gate.wants(Frame(pixels, time_s), following=False)


@pytest.mark.alone
def test_a_decision_costs_next_to_nothing():
    scene, costs = Scene(), []
    pixels = scene.room.astype(np.uint8)
    for number in range(400):
        frame = Frame(pixels, number / RATE)
        begun = time.perf_counter()
        scene.gate.wants(frame, following=False)
        costs.append(time.perf_counter() - begun)
    assert min(costs) < 100e-6, "about 18 µs on an idle machine"


def looked_at(path: Path, followed=()) -> tuple[np.ndarray, np.ndarray]:
    """Which frames the gate wants: alone, and where somebody is followed."""
    if not path.exists():
        pytest.skip(f"{path} is not here")
    camera, wanted = open_recording(str(path), (320, 256)), []
    alone, told = MotionGate(), MotionGate()
    while (frame := camera.read()) is not None:
        following = len(wanted) in followed
        both = (
            alone.wants(frame, following=False),
            told.wants(frame, following=following),
        )
        wanted.append(both)
    camera.close()
    first, second = np.array(wanted).T
    return first, second


def test_no_frame_with_a_real_person_is_gated():
    path = CLIPS / "one-by-one-person-detection.mp4"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    visible = np.zeros(1394, bool)
    entrances = json.loads(path.with_suffix(".truth.json").read_text())[
        "visible_frames"
    ]
    for first, last in entrances:
        visible[first : last + 1] = True
    alone, told = looked_at(path, set(np.flatnonzero(visible).tolist()))
    assert all(alone[first] for first, _ in entrances), "from the first frame on"
    assert (visible & ~alone).sum() / visible.sum() <= 0.1, "standing, not followed"
    assert not (visible & ~told).any()
    assert told[~visible].mean() < 0.75


def test_no_crossing_of_the_street_is_gated():
    wanted, _ = looked_at(STREET)
    truth = json.loads(STREET.with_suffix(".truth.json").read_text())
    for crossing in truth["crossings"]:
        at = int(crossing["t"] * truth["fps"])
        assert wanted[max(0, at - 6) : at + 7].all(), crossing


class Shared:
    """One detector for two pipelines that look at the same frames."""

    def __init__(self) -> None:
        self._detector = open_detector(ModelSection())
        self._frame: Frame | None = None
        self._found = Detections.none()
        self.fit, self.stages = self._detector.fit, Stages()
        self.born = self._detector.born

    def detect(self, frame: Frame) -> Detections:
        if frame is not self._frame:
            self._frame, self._found = frame, self._detector.detect(frame)
        return self._found


def after_a_still_start(camera, frames=50):
    """The recording, and before it the empty door that it begins with."""
    first = camera.read()
    for number in range(-frames, 0):
        yield Frame(first.pixels.copy(), first.time + number * 0.08)
    yield first
    while (frame := camera.read()) is not None:
        yield frame


def test_the_gate_changes_no_crossing_of_the_street():
    """Our model, four lines, every crossing at the same time in the same direction."""
    detector, counted = Shared(), ([], [])
    lines = [((0.02, y), (0.98, y)) for y in (0.3, 0.659, 0.85)] + [
        ((0.5, 0), (0.5, 1))
    ]
    pipelines = [
        pipeline(detector, lines, aspect=4 / 3, gate=gate)
        for gate in (None, MotionGate())
    ]
    camera, rested = open_recording(str(STREET), detector.fit), 0
    for frame in after_a_still_start(camera):
        for steps, crossings in zip(pipelines, counted, strict=True):
            seen = steps.step(frame)
            rested += not seen.inferred
            crossings += [(c.line, c.direction, c.time) for c in seen.crossings]
    camera.close()
    assert rested > 0
    assert len(counted[0]) > 30
    assert counted[0] == counted[1]
