"""Where everybody is on ``street.mp4``, what a detector says of it, and for how long.

The walkers' paths are those of ``street.py``. How tall each was drawn is found on the
clip itself, as the height at which most answers lie: the people of ``people.py`` change
with its code, the clip does not. So a head that is always too high or too low does not
show here. Who is off or not found in one frame is likely so in the next; ``Walk`` holds
what follows from that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from street import EPISODES, FPS, HEIGHT, WIDTH, door_camera, path_for

from doorsill.drivers.clip import STREET
from doorsill.drivers.street.eye import HEAD_M
from doorsill.drivers.video import open_recording
from doorsill.registry import Manifest, heads_decoder, opened
from doorsill.values import Detections
from doorsill.vision.detector import NetDetector

COLUMNS = ("head_x", "head_y", "foot_x", "foot_y", "left", "right", "score")
NEAR = 1.0  # heads
GAP = 6  # frames for which an invented box may be away
LEAST = 20  # frames of one person who is looked at
ASPECT = WIDTH / HEIGHT
HEIGHTS_M = np.arange(0.9, 2.1, 0.02)  # of the middle of a head
FITS = 0.4  # heads from a place to an answer that speaks for a height
Frame = dict[int, np.ndarray]  # walker -> (6,) foot x y, head x y, head sizes there


def walked(answers: Sequence[Detections]) -> list[Frame]:
    """Everybody's foot and head in each frame, in picture heights."""
    paths = [
        path_for(behaviour, start, lane, way, speed)
        for start, behaviour, people in EPISODES
        for lane, way, speed in people
    ]
    frames: list[Frame] = [{} for _ in answers]
    for row, path in enumerate(paths):
        tall = _height(path, answers)
        for number in range(len(frames)):
            place = _place(path, number / FPS, tall)
            if place is not None:
                frames[number][row] = place
    return frames


def _place(path: np.ndarray, t: float, tall: float) -> np.ndarray | None:
    """(6,) as in a Frame at a time, or None where the head is not in the picture."""
    if not path[0, 0] <= t <= path[-1, 0]:
        return None
    x, z = (np.interp(t, path[:, 0], path[:, column]) for column in (1, 2))
    camera = door_camera()
    pixels, depth = camera.project(np.array([[x, 0.0, z], [x, tall, z]]))
    sizes = HEAD_M * camera.focal / np.maximum(depth, 0.1) / HEIGHT
    (_, _), (head_x, head_y) = pixels
    inside = 0 < head_x < WIDTH and 0 < head_y < HEIGHT and depth.min() > 0.3
    return np.concatenate([*(pixels / HEIGHT), sizes]) if inside else None


def _height(path: np.ndarray, answers: Sequence[Detections]) -> float:
    """Metres to the middle of the head: where most answers lie."""
    votes = np.zeros(len(HEIGHTS_M))
    for number, found in enumerate(answers):
        at = _middles(found)
        for row, tall in enumerate(HEIGHTS_M.tolist()):
            place = _place(path, number / FPS, tall) if len(at) else None
            if place is not None:
                far = np.hypot(*(at - place[2:4]).T) / place[5]
                votes[row] += max(0.0, 1.0 - far.min() / FITS)
    return float(HEIGHTS_M[votes.argmax()])


def _middles(found: Detections) -> np.ndarray:
    """(n, 2) of the heads, in picture heights."""
    heads = found.heads * [ASPECT, 1, ASPECT, 1]
    return (heads[:, :2] + heads[:, 2:]) / 2


@dataclass(slots=True)
class Walk:
    """What the clip says of time."""

    people: list[np.ndarray]  # of each (n, 8): frame, COLUMNS in heads
    runs: list[tuple[float, bool]]  # s an invented box stayed, whether on somebody
    missed: Counter[int]  # frames for which somebody between two answers was missed
    share: float  # of everybody in all frames who was found

    def changes(self, name: str) -> tuple[float, float]:
        """Share of the variance that is a person's own, and memory of the rest."""
        column = 1 + COLUMNS.index(name)
        own = [float(each[:, column].mean()) for each in self.people]
        rest = [each[:, column] - each[:, column].mean() for each in self.people]
        passing = float(np.mean(np.concatenate(rest) ** 2))
        pairs = [
            (values[:-1] * values[1:])[np.diff(each[:, 0]) == 1]
            for values, each in zip(rest, self.people, strict=True)
        ]
        memory = float(np.mean(np.concatenate(pairs))) / passing
        steady = float(np.var(own))
        return steady / (steady + passing), max(0.0, memory)

    def stays(self, on_somebody: bool) -> list[float]:
        return [seconds for seconds, on in self.runs if on is on_somebody]

    def __str__(self) -> str:
        runs = ", ".join(f"{n} x {k}" for k, n in sorted(self.missed.items()))
        return f"found {self.share:.3f} of all in the clip; missed in a row: {runs}"


def seen_on_clip(manifest: Manifest) -> Walk:
    """Run the detector over the clip and hold its answers against the walkers."""
    answers = _answers(manifest)
    seen: dict[int, list[np.ndarray]] = {}
    invented = Invented()
    missed: Counter[int] = Counter()
    last: dict[int, int] = {}
    there = 0
    for number, frame in enumerate(walked(answers)):
        found = answers[number]
        partner = _partners(frame, found)
        there += len(frame)
        for walker, row in partner.items():
            gap = number - last.get(walker, number) - 1
            missed.update([gap] * (gap > 0))
            last[walker] = number
            off = _off(frame[walker], found, row)
            seen.setdefault(walker, []).append(np.append(number, off))
        invented.add(number, frame, found, set(partner.values()))
    people = [np.array(each) for each in seen.values() if len(each) >= LEAST]
    share = sum(map(len, seen.values())) / there
    return Walk(people, invented.runs(), missed, share)


def _answers(manifest: Manifest) -> list[Detections]:
    """What the detector says in each frame."""
    net = NetDetector(opened(manifest), heads_decoder(manifest))
    camera, found = open_recording(str(STREET), net.fit), []
    while (picture := camera.read()) is not None:
        found.append(net.detect(picture))
        picture.release()
    camera.close()
    return found


def _partners(frame: Frame, found: Detections) -> dict[int, int]:
    """Walker -> row of the answer, the nearest first."""
    at = _middles(found)
    near = sorted(
        (float(np.hypot(*(at[row] - place[2:4])) / place[5]), walker, row)
        for walker, place in frame.items()
        for row in range(len(found))
    )
    partner: dict[int, int] = {}
    for far, walker, row in near:
        if far < NEAR and walker not in partner and row not in partner.values():
            partner[walker] = row
    return partner


def _off(place: np.ndarray, found: Detections, row: int) -> np.ndarray:
    """(7,) of COLUMNS; the box's sides against the foot, for their change alone."""
    x0, y0, x1, y1 = found.heads[row] * [ASPECT, 1, ASPECT, 1]
    foot = found.feet[row] * [ASPECT, 1]
    sides = found.boxes[row, [0, 2]] * ASPECT
    off = [(x0 + x1) / 2 - place[2], (y0 + y1) / 2 - place[3]]
    own = np.array(off) / place[5]
    rest = np.array([*(foot - place[:2]), *(sides - place[0])]) / place[4]
    return np.concatenate([own, rest, [found.scores[row]]])


class Invented:
    """Joins invented boxes from frame to frame by where they are."""

    def __init__(self) -> None:
        self._all: list[list[tuple[int, float, float, bool]]] = []

    def add(self, number: int, frame: Frame, found: Detections, used: set[int]) -> None:
        for row in set(range(len(found))) - used:
            x0, y0, x1, y1 = found.heads[row] * [ASPECT, 1, ASPECT, 1]
            x, y, size = (x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0)
            on = any(
                abs(x - (place[0] + place[2]) / 2) < 1.2 * place[4]
                and place[3] - place[5] < y < place[1]
                for place in frame.values()
            )
            self._join((number, x, y, on), size)

    def _join(self, spot: tuple[int, float, float, bool], size: float) -> None:
        number, x, y, _ = spot
        for run in reversed(self._all):
            then, last_x, last_y, _ = run[-1]
            near = np.hypot(x - last_x, y - last_y) < 0.6 * size
            if near and 0 < number - then <= GAP:
                run.append(spot)
                return
        self._all.append([spot])

    def runs(self) -> list[tuple[float, bool]]:
        """Seconds that each stayed, and whether on somebody for most of the time."""
        return [
            (
                (run[-1][0] - run[0][0] + 1) / FPS,
                2 * sum(on for *_, on in run) > len(run),
            )
            for run in self._all
        ]
