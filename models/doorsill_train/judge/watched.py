"""What a detector says of held-out doors, frame by frame, beside who was there.

``watched(folder, manifest)`` goes over the shops that ``film.doors`` filmed. Of each
person whom at most others hide it keeps whether and how surely they were found and how
far off the answer was; of each answer that speaks of nobody, or a second time of
somebody, where it was and for how long one stayed there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from doorsill.models.manifest import Manifest
from doorsill.values import Detections
from doorsill.vision.detect.heads import HeadDecoder
from doorsill.vision.detect.letterbox import Letterbox
from doorsill_street.camera import hidden
from doorsill_street.measured import FRAME_S
from doorsill_train import labels
from doorsill_train.judge.held_out import EveryPeak, int8_detector
from doorsill_train.learn import samples
from doorsill_train.shards import DOOR, HEIGHT, WIDTH

SIZE = np.array(DOOR * 2, np.float32)
PLACE = Letterbox((WIDTH, HEIGHT), DOOR)
DOWN = [1, 3, 5, 7, 9]  # the columns of a row that lie below the upper bar
NEAR = 0.75  # heads between an answer and the head that it speaks of
HEAD_PX = (labels.SMALLEST_HEAD_PX, 32)  # as a mounted camera shows heads near a line
INSIDE = 0.95  # of a head, from which it is looked at
GAP = 6  # frames for which an invented box may be away
SAME = 0.6  # head sizes between two answers of which one stayed from the other
PLACES = ("head_x", "head_y", "foot_x", "foot_y", "left", "right")


@dataclass(frozen=True, slots=True)
class Look:
    """One person in one frame, and the answer that speaks of them, if any."""

    who: tuple[int, int]  # shop and serial
    frame: int
    cover: float  # share of the head's box behind nearer people's boxes
    behind: float  # the same of the whole box
    head_px: float
    score: float  # 0: not found
    off: np.ndarray  # (6,) of PLACES, heads


@dataclass(slots=True)
class Invented:
    """An answer that speaks of nobody, or a second time of somebody, as it stays."""

    place: np.ndarray  # (10,) box, head and foot when it came, fractions of the picture
    off: np.ndarray | None  # (4,) from that somebody's head and foot, heads
    scores: list[float]
    last: int  # frame

    @property
    def seconds(self) -> float:
        """In which it was answered, without the gaps."""
        return len(self.scores) * FRAME_S


@dataclass(slots=True)
class Watched:
    looks: list[Look] = field(default_factory=list)
    invented: list[Invented] = field(default_factory=list)
    frames: int = 0
    people: int = 0  # in all frames together
    shops: int = 0


def watched(folder: Path, manifest: Manifest) -> Watched:
    """Everything of all held-out shops in ``folder``."""
    assert manifest.decode is not None
    lowest, seen = manifest.decode.threshold, Watched()
    tells = int8_detector(manifest, lowest, HeadDecoder, PLACE)
    # Whom the decoder takes for one, the street decides by the decoder's own rule.
    answers = int8_detector(manifest, lowest, EveryPeak, PLACE)
    for path in sorted(folder.glob("9*.frames.npy")):
        table = np.load(folder / f"{path.name[:6]}.labels.npz")
        ends = np.cumsum(table["counts"])[:-1]
        people = table["rows"].astype(np.float64)
        people[:, DOWN] -= PLACE.rows.start
        rows = np.split(people, ends)
        serials = np.split(table["serials"], ends)
        open_runs: list[Invented] = []
        for frame, planes in enumerate(np.load(path, mmap_mode="r")):
            image = samples.encode(planes, manifest.encoding)
            who = [(int(path.name[:6]), int(each)) for each in serials[frame]]
            seen.looks += looks(who, frame, rows[frame], answers(image))
            made = extras(frame, rows[frame], tells(image))
            open_runs = joined(open_runs, made, frame, seen.invented)
            seen.frames += 1
            seen.people += len(who)
        seen.invented += open_runs
        seen.shops += 1
    return seen


def pairs(heads: np.ndarray, found: Detections) -> list[int]:
    """For each true head (n, 4) the row of its answer or -1, the strongest first."""
    partner = np.full(len(heads), -1)
    middle, size = middles(heads), head_size(heads)
    for row in np.argsort(-found.scores, kind="stable"):
        far = np.hypot(*(middle - middles(found.heads[row, None] * SIZE)[0]).T) / size
        far[partner >= 0] = np.inf
        if len(far) and far.min() < NEAR:
            partner[far.argmin()] = row
    return partner.tolist()


def looks(
    who: Sequence[tuple[int, int]], frame: int, rows: np.ndarray, found: Detections
) -> Iterator[Look]:
    """Everybody in one picture whom at most others hide."""
    heads, bodies = rows[:, labels.HEAD], rows[:, labels.BODY]
    feet, size = rows[:, labels.FOOT], head_size(rows[:, labels.HEAD])
    partner = pairs(heads, found)
    cover = hidden(heads, bodies, feet[:, 1])
    behind = hidden(bodies, bodies, feet[:, 1])
    for i in np.flatnonzero(in_view(rows)).tolist():
        row, off = partner[i], np.full(6, np.nan)
        if row >= 0:
            off = away(rows[i], found, row)
            inside = (feet[i] >= 0).all() and (feet[i] < SIZE[:2]).all()
            off[2:] = off[2:] if inside else np.nan
        score = float(found.scores[row]) if row >= 0 else 0.0
        yield Look(who[i], frame, cover[i], behind[i], size[i], score, off)


def in_view(rows: np.ndarray) -> np.ndarray:
    """(n,) True where the picture holds the whole head, in a size that is asked for."""
    size = head_size(rows[:, labels.HEAD])
    inside = rows[:, labels.COLUMN["head_inside"]] > INSIDE
    return inside & (size >= HEAD_PX[0]) & (size <= HEAD_PX[1])


def away(person: np.ndarray, found: Detections, row: int) -> np.ndarray:
    """(6,) of PLACES in heads: what the answer says, less what is so."""
    head, body = person[labels.HEAD], person[labels.BODY]
    said_head, said_box = found.heads[row] * SIZE, found.boxes[row] * SIZE
    middle = middles(said_head[None])[0] - middles(head[None])[0]
    foot = found.feet[row] * SIZE[:2] - person[labels.FOOT]
    sides = said_box[[0, 2]] - body[[0, 2]]
    off: np.ndarray = np.concatenate([middle, foot, sides]) / head_size(head[None])[0]
    return off


def extras(frame: int, rows: np.ndarray, answers: Detections) -> Iterator[Invented]:
    """The answers of one frame that speak of nobody, or of somebody a second time.

    Left out are those on a body whose head lies beyond the picture's edge, and those
    whose own head does: the street shows nobody there.
    """
    heads = rows[:, labels.HEAD]
    partner = pairs(heads, answers)
    cut = rows[:, labels.COLUMN["head_inside"]] <= INSIDE
    for k in sorted(set(range(len(answers))) - set(partner)):
        middle = middles(answers.heads[k, None])[0]
        if not ((middle > 0) & (middle < 1)).all():
            continue
        host, off = host_of(rows, answers, k), None
        if host is not None:
            if cut[host] and partner[host] < 0:
                continue
            foot = answers.feet[k] * SIZE[:2] - rows[host, labels.FOOT]
            head = middle * SIZE[:2] - middles(heads)[host]
            off = np.concatenate([head, foot]) / head_size(heads)[host]
        place = np.concatenate([answers.boxes[k], answers.heads[k], answers.feet[k]])
        yield Invented(place, off, [float(answers.scores[k])], frame)


def host_of(rows: np.ndarray, found: Detections, k: int) -> int | None:
    """The row of whom an answer lies on, the one with the nearest head."""
    at = middles(found.heads[k, None] * SIZE)[0]
    bodies, heads = rows[:, labels.BODY], rows[:, labels.HEAD]
    low = np.minimum(bodies[:, :2], heads[:, :2])  # a body ends where the picture does
    high = np.maximum(bodies[:, 2:], heads[:, 2:])
    on = ((low < at) & (at < high)).all(axis=1)
    if not on.any():
        return None
    far = np.hypot(*(at - middles(heads)).T) / head_size(heads)
    return int(np.where(on, far, np.inf).argmin())


def joined(
    runs: list[Invented], fresh: Iterator[Invented], frame: int, ended: list[Invented]
) -> list[Invented]:
    """The runs that may still go on; those that cannot are put to ``ended``."""
    for one in fresh:
        at, tall = middles(one.place[None, 4:8])[0], one.place[7] - one.place[5]
        for run in runs:
            then = middles(run.place[None, 4:8])[0]
            near = np.hypot(*((at - then) * [SIZE[0] / SIZE[1], 1])) < SAME * tall
            if run.last < frame and near and (run.off is None) == (one.off is None):
                run.scores += one.scores
                run.last, run.place = one.last, one.place
                break
        else:
            runs.append(one)
    ended += [run for run in runs if frame - run.last > GAP]
    return [run for run in runs if frame - run.last <= GAP]


def middles(boxes: np.ndarray) -> np.ndarray:
    """(n, 2) of boxes (n, 4)."""
    centres: np.ndarray = (boxes[:, :2] + boxes[:, 2:]) / 2
    return centres


def head_size(heads: np.ndarray) -> np.ndarray:
    sizes: np.ndarray = np.maximum(heads[:, 2] - heads[:, 0], heads[:, 3] - heads[:, 1])
    return sizes
