"""The simulated street: a door with known truth, hours of it in seconds.

    for now, detections in street:      what the detector says, 12.5 times a second
        ...
    street.truth                        what really happened

Everything comes from one seed. ``HOUR`` holds all behaviours and light changes;
``HARD`` is a dense two-way crowd with a quarter of the boxes dropped, 6 cm jitter and
false boxes; ``day`` follows a shop's hours. The hour's detector has the faults that
ours was measured to have (``measured``); those of the hard crowd are given
(:class:`~doorsill_street.camera.Noise`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from doorsill.values import Detections
from doorsill.vision.detect import heads
from doorsill.vision.follow import tracker
from doorsill_street.camera import MOUNTED, Detector, Eye, Noise
from doorsill_street.measured import in_weak_light, read_measured
from doorsill_street.measured_detector import MeasuredDetector
from doorsill_street.people import DOOR_M, Arrivals, Behaviour, Floor, TrueCrossing

Detect = Callable[[Floor, float, bool], Detections]  # at a time (s), if it is dark
FRAME_S = 0.08  # time from frame to frame
HOUR_MIX = {
    Behaviour.SINGLE: 0.45,
    Behaviour.PAIR: 0.16,
    Behaviour.GROUP: 0.08,
    Behaviour.U_TURN: 0.09,
    Behaviour.TURN_AWAY: 0.05,
    Behaviour.LOITER: 0.05,
    Behaviour.CART: 0.08,
    Behaviour.RUNNER: 0.04,
}
# Arrivals of a shop from midnight, relative to its busiest hour.
DAY_PROFILE = (
    (0.0,) * 8
    + (0.1, 0.3, 0.5, 0.7, 0.9, 0.8, 0.7, 0.7, 0.9, 1.0, 0.9, 0.6, 0.2)
    + (0.0,) * 3
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Who comes to the door and how often, and how they are seen."""

    seconds: float = 3600.0  # length of the scene
    per_minute: float = 9.0  # parties that come in a minute
    mix: tuple[tuple[Behaviour, float], ...] = tuple(HOUR_MIX.items())
    crowd_every_s: float = 900.0  # from one crowd to the next; 0: none comes
    crowd_s: float = 25.0  # for which a crowd comes
    crowd_per_s: float = 1.2  # people of a crowd a second, both ways together
    dark_every_s: float = 400.0  # from one time of weak light to the next; 0: none
    dark_s: float = 4.0  # for which the light is weak
    noise: Noise | None = None  # the detector's faults; None: as measured
    eye: Eye = MOUNTED
    frame_s: float = FRAME_S  # time from frame to frame


HOUR = Scene()
HARD = Scene(
    seconds=600.0,
    per_minute=96.0,
    mix=((Behaviour.CROWD, 1.0),),
    crowd_every_s=0.0,
    dark_every_s=0.0,
    noise=Noise(missed=0.25, jitter=0.06, memory=0.0, false=0.3),
)


def day(hour: int, busiest_per_minute: float = 9.0) -> Scene:
    """One hour of a shop's day, by the clock: 0 is midnight."""
    return replace(HOUR, per_minute=busiest_per_minute * DAY_PROFILE[hour])


class Street:
    """Iterate for (monotonic s, detections); ``truth`` grows meanwhile."""

    def __init__(self, seed: int, scene: Scene = HOUR) -> None:
        self.scene = scene
        self.line = scene.eye.line(DOOR_M / 2)
        self._random = np.random.default_rng(seed)
        self.floor = Floor(self._random)
        self._arrivals = Arrivals(self._random)
        self._detect = _make_detector(scene, self._random)
        self.at_the_line: list[tuple[float, Behaviour]] = []  # a sample, for blame

    @property
    def born(self) -> float:
        """The score from which a detection begins a track."""
        given = self.scene.noise is not None
        return tracker.BIRTH_SCORE if given else heads.BIRTH_SCORE

    @property
    def truth(self) -> list[TrueCrossing]:
        """Everybody who had gone over the line and left by now, in order of time."""
        return sorted(self.floor.truth, key=lambda each: each.time)

    def __iter__(self) -> Iterator[tuple[float, Detections]]:
        scene = self.scene
        for frame in range(round(scene.seconds / scene.frame_s)):
            now = frame * scene.frame_s
            # Nobody sets out so late that they would be cut off by the end.
            if now < scene.seconds - 20.0:
                self._arrive(now)
            self.floor.step(now, scene.frame_s)
            if frame % 5 == 0:
                self._sample(now)
            dark = _within(now, scene.dark_every_s, scene.dark_s)
            yield now, self._detect(self.floor, now, dark)
        self.floor.finish()

    def _arrive(self, now: float) -> None:
        scene = self.scene
        if self._random.random() < scene.per_minute / 60 * scene.frame_s:
            kinds, weights = zip(*scene.mix, strict=True)
            chances = np.array(weights) / sum(weights)
            kind = kinds[int(self._random.choice(len(kinds), p=chances))]
            # Nobody begins to linger so late that they would be cut off by the end.
            late = kind is Behaviour.LOITER and now > scene.seconds - 90.0
            self._admit(Behaviour.SINGLE if late else kind)
        crowded = _within(now, scene.crowd_every_s, scene.crowd_s)
        if crowded and self._random.random() < scene.crowd_per_s * scene.frame_s:
            self._admit(Behaviour.CROWD)

    def _admit(self, behaviour: Behaviour) -> None:
        for person, start in self._arrivals.party(behaviour):
            self.floor.enter(person, start)

    def _sample(self, now: float) -> None:
        for row in np.flatnonzero(np.abs(self.floor.at[:, 1]) < 1.0).tolist():
            self.at_the_line.append((now, self.floor.people[row].behaviour))


def _make_detector(scene: Scene, random: np.random.Generator) -> Detect:
    """The detector that watches the floor, in good light and in weak."""
    if (noise := scene.noise) is not None:
        given = Detector(scene.eye, random)
        return lambda floor, now, dark: given.detect(floor, noise, now)
    light = read_measured()
    weak = in_weak_light(light)
    detector = MeasuredDetector(scene.eye, random)
    return lambda floor, now, dark: detector.detect(floor, weak if dark else light, now)


def _within(now: float, every: float, lasts: float) -> bool:
    """Whether ``now`` is in the episode that ends each period of ``every`` seconds."""
    return every > 0 and now % every >= every - lasts
