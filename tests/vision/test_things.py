"""What stands and never came is not counted; who walked there is, however long."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from walks import TALL, WIDE, tally

from doorsill.values import Crossing, Detections, Tracks
from doorsill.vision.count.line import LineCounter
from doorsill.vision.count.zone import ZoneCounter
from doorsill.vision.follow import things
from doorsill.vision.follow.person import Below, Person
from doorsill.vision.follow.tracker import Tracker

Place = tuple[float, float]  # of a foot, in fractions of the picture
ASPECT, FRAME_S, SCORE = 4 / 3, 0.1, 0.55
PLANT = (0.5, 0.5)
LINE = ((0.0, 0.5), (1.0, 0.5))  # through the plant's foot; IN is downwards
ZONE = ((0.3, 0.3), (0.7, 0.3), (0.7, 0.7), (0.3, 0.7))  # around it


def seen(at: list[Place], off: float = 0.0, seed: int = 1) -> Detections:
    """Somebody at each place, the whole box off by so many body widths."""
    if not at:
        return Detections.none()
    feet = np.array(at) + np.random.default_rng(seed).normal(
        0, off * WIDE, (len(at), 2)
    )
    feet = feet.astype(np.float32)
    half = np.array([WIDE / ASPECT / 2, 0.0], np.float32)
    head = np.array([WIDE / ASPECT / 4, 0.02], np.float32)
    top = feet - np.array([0.0, TALL], np.float32)
    return Detections(
        boxes=np.concatenate([top - half, feet + half], axis=1),
        scores=np.full(len(at), SCORE, np.float32),
        heads=np.concatenate([top, top], axis=1) + np.concatenate([-head, head]),
        feet=feet,
    )


@dataclass
class Door:
    """One camera, picture after picture."""

    tracker: Tracker = field(default_factory=lambda: Tracker(ASPECT, born=0.45))
    lines: LineCounter = field(
        default_factory=lambda: LineCounter([LINE], aspect=ASPECT)
    )
    zones: ZoneCounter = field(default_factory=lambda: ZoneCounter([ZONE], ASPECT))
    found: list[Crossing] = field(default_factory=list)
    frame: int = 0

    def show(self, at: list[Place], off: float = 0.0) -> Tracks:
        now = 10.0 + self.frame * FRAME_S
        tracks = self.tracker.update(seen(at, off, self.frame), now)
        self.found += self.lines.update(tracks, now)
        self.zones.update(tracks, now)
        self.frame += 1
        return tracks

    def stand(self, minutes: float, share: float = 0.9, off: float = 0.05) -> None:
        """The plant alone, found in ``share`` of the pictures."""
        random = np.random.default_rng(7)
        for _ in range(round(minutes * 600)):
            self.show([PLANT] if random.random() < share else [], off)

    def walk(self, start: Place, end: Place, others: list[Place], s: float) -> Tracks:
        for part in np.linspace(0, 1, round(s / FRAME_S)):
            at = tuple(a + part * (b - a) for a, b in zip(start, end, strict=True))
            tracks = self.show([(at[0], at[1]), *others], 0.05)
        return tracks

    @property
    def people(self) -> int:
        """Who is in the zone now."""
        return self.zones.totals(closing=True)[0].occupancy_max


@pytest.mark.parametrize("off", [0.12, 0.3])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_plant_on_the_line_crosses_it_in_the_first_minute_at_most(
    share: float, off: float
) -> None:
    door = Door()
    door.stand(2, share, off)
    first = len(door.found)
    door.stand(10, share, off)
    assert first <= 4 and len(door.found) <= first + 2


def test_a_tracker_that_learns_nothing_counts_it_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The negative control of the test above."""
    monkeypatch.setattr(things, "KNOWN_S", float("inf"))
    door = Door()
    door.stand(12, 0.9, 0.3)
    assert len(door.found) > 20


def test_a_plant_is_nobody_in_a_zone_once_it_is_known() -> None:
    door = Door()
    door.stand(1)
    assert door.people == 1
    door.stand(1)
    assert door.people == 1  # known within this minute
    door.stand(1)
    assert door.people == 0


def test_who_walked_in_stays_somebody_however_long_they_stand() -> None:
    door = Door()
    door.walk((0.5, 0.02), (0.5, 0.6), [], 4.0)
    for _ in range(5):
        door.walk((0.5, 0.6), (0.5, 0.6), [], 60.0)
        assert door.people == 1
    door.walk((0.5, 0.6), (0.5, 1.2), [], 4.0)
    assert tally(door.found) == (1, 0)


def test_who_walked_in_and_is_lost_for_a_moment_stays_somebody() -> None:
    door = Door()
    door.walk((0.5, 0.02), (0.5, 0.6), [], 4.0)
    for _ in range(4):
        door.walk((0.5, 0.6), (0.5, 0.6), [], 40.0)
        for _ in range(18):
            door.show([])  # longer than a track lives unseen
        assert len(door.tracker) == 0
    door.walk((0.5, 0.6), (0.5, 0.6), [], 3.0)
    assert door.people == 1


@pytest.mark.parametrize("sign", [1, -1], ids=["in", "out"])
def test_who_passes_a_known_plant_is_counted_and_the_plant_is_not(sign: int) -> None:
    door = Door()
    door.stand(3)
    before = len(door.found)
    x, y = PLANT
    tracks = door.walk(
        (x + 0.06, y - sign * 0.48), (x + 0.06, y + sign * 0.45), [PLANT], 4
    )
    assert len(tracks.ids) == 2 and tracks.confirmed.sum() == 1
    door.stand(0.5)
    assert tally(door.found[before:]) == ((1, 0) if sign > 0 else (0, 1))


def test_who_is_first_seen_at_a_known_place_is_counted_when_they_walk() -> None:
    door = Door()
    door.stand(3)
    before = len(door.found)
    for _ in range(20):
        door.show([])
    x, y = PLANT
    door.walk((x, y - 0.06), (x, y + 0.6), [], 4.0)
    for _ in range(60):
        door.show([])
    assert tally(door.found[before:]) == (1, 0)


def test_a_place_where_nothing_stands_any_more_is_forgotten() -> None:
    door = Door()
    door.stand(3)
    door.stand(6, share=0.0)
    door.stand(0.1)
    assert door.people == 1


def test_a_night_without_pictures_forgets_no_place() -> None:
    door = Door()
    door.stand(3)
    door.frame += 8 * 36_000
    door.stand(0.1)
    assert door.people == 1  # the last moments before the night
    door.stand(0.5)
    assert door.people == 0


def test_false_boxes_here_and_there_are_no_place() -> None:
    door, random = Door(), np.random.default_rng(3)
    for _ in range(6000):
        door.show([(float(x), float(y)) for x, y in random.uniform(0.1, 0.9, (1, 2))])
    assert door.people == 0
    door.stand(0.2)
    assert door.people == 1  # who begins here is somebody


def test_nothing_is_kept_of_who_was_lost_after_the_seconds_of_a_hand_over() -> None:
    known = things.Things()
    known.update([], [], 10.0)
    walked = Person(1, 0.5, 0.5, Below(*(0.0,) * 6), WIDE, 9.0, walked=True)
    for _ in range(200):
        known.end(walked, left=False)
    assert len(known) == things.PLACES_LIMIT
    known.update([], [], 10.0 + things.HANDOVER_S + 0.1)
    assert len(known) == 0
