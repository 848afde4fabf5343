"""Measure a detector's faults for the simulated street.

``noise.py --worlds W`` writes ``firmware/doorsill/assets/noise.json``,
which ``doorsill.drivers.street.faults`` describes, and prints the shares behind it.

Single pictures say how often and how much, the clip of the street how long: whom the
shipped int8 file finds in held-out worlds and with what score, how far off it is, what
it invents there; then how fast each of these changes on ``street.mp4``, whose walkers'
places are known. Lengths are in heads, as tall as the truth's.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import labels
import numpy as np
import samples
from held_out import int8_detector

from doorsill import registry
from doorsill.drivers.street.eye import hidden
from doorsill.drivers.street.faults import FILE
from doorsill.models_measure import Share
from doorsill.values import Detections

if TYPE_CHECKING:
    from clip_truth import Walk

VIEWS = ("low", "oblique", "overhead")
SIZE = np.array([samples.WIDTH, samples.HEIGHT] * 2, np.float32)
NEAR = 0.75  # heads between an answer and the head that it speaks of
HEAD_PX = (labels.SMALLEST_HEAD_PX, 32)  # as a mounted camera shows heads
COVERS = (0.0, 0.25, 0.5, 0.75, 0.99)  # hidden share of a head from which a class is
KNOTS = np.linspace(0, 100, 41)
PLACES = ("head_x", "head_y", "foot_x", "foot_y", "left", "right")
SURE = 0.5  # from which the tracker begins a track


@dataclass(frozen=True, slots=True)
class Look:
    """One person of the truth and the answer that speaks of them, if any."""

    view: str
    cover: float  # share of the head's box behind nearer people's boxes
    behind: float  # the same of the whole box
    head_px: float
    score: float  # 0: not found
    off: np.ndarray  # (6,) of PLACES, heads


@dataclass(frozen=True, slots=True)
class Extra:
    """An answer that speaks of nobody, or a second time of somebody."""

    view: str
    score: float
    off: np.ndarray | None  # (4,) from that somebody's head and foot, heads


def pairs(heads: np.ndarray, found: np.ndarray, scores: np.ndarray) -> list[int]:
    """For each true head (n, 4) the row of its answer or -1, the strongest first."""
    partner = np.full(len(heads), -1)
    middle, size = (heads[:, :2] + heads[:, 2:]) / 2, head_size(heads)
    for row in np.argsort(-scores):
        at = (found[row, :2] + found[row, 2:]) / 2
        far = np.hypot(*(middle - at).T) / size
        far[partner >= 0] = np.inf
        if len(far) and far.min() < NEAR:
            partner[far.argmin()] = row
    return partner.tolist()


def head_size(heads: np.ndarray) -> np.ndarray:
    return np.maximum(heads[:, 2] - heads[:, 0], heads[:, 3] - heads[:, 1])


def off(head, body, foot, row: int, found: Detections, size: float) -> np.ndarray:
    """(6,) of PLACES in heads: what the answer says, less what is so."""
    said_head = found.heads[row] * SIZE
    said_box, said_foot = found.boxes[row] * SIZE, found.feet[row] * SIZE[:2]
    middle = (said_head[:2] + said_head[2:] - head[:2] - head[2:]) / 2
    sides = said_box[[0, 2]] - body[[0, 2]]
    return np.concatenate([middle, said_foot - foot, sides]) / size


def looks(
    view: str, rows: np.ndarray, found: Detections
) -> tuple[list[Look], list[Extra]]:
    """Everybody in one held-out picture, and what was invented there."""
    rows = rows.astype(np.float64)
    heads, bodies = rows[:, labels.HEAD], rows[:, labels.BODY]
    feet, size = rows[:, labels.FOOT], head_size(rows[:, labels.HEAD])
    partner = pairs(heads, found.heads * SIZE, found.scores)
    cover = hidden(heads, bodies, feet[:, 1])
    behind = hidden(bodies, bodies, feet[:, 1])
    whole = []
    for i in np.flatnonzero(visible(rows)).tolist():
        row, nothing = partner[i], np.full(6, np.nan)
        score = float(found.scores[row]) if row >= 0 else 0.0
        if row >= 0:
            nothing = off(heads[i], bodies[i], feet[i], row, found, size[i])
            inside = (feet[i] >= 0).all() and (feet[i] < SIZE[:2]).all()
            nothing[2:] = nothing[2:] if inside else np.nan
        whole.append(Look(view, cover[i], behind[i], size[i], score, nothing))
    extra = [
        Extra(view, float(found.scores[k]), on_somebody(rows, size, found, k))
        for k in set(range(len(found))) - set(partner)
    ]
    return whole, extra


def visible(rows: np.ndarray) -> np.ndarray:
    """(n,) True for whom only others hide, if anything does."""
    column = labels.COLUMN
    size = head_size(rows[:, labels.HEAD])
    clear = (rows[:, column["head_contrast"]] >= 8) | (
        rows[:, column["head_seen"]] < 0.2
    )
    clear &= (rows[:, column["body_contrast"]] >= 9) | (
        rows[:, column["body_seen"]] < 0.1
    )
    return (
        clear & (rows[:, column["head_inside"]] > 0.95) & (size >= HEAD_PX[0])
        & (size <= HEAD_PX[1])
    )  # fmt: skip


def on_somebody(rows, size, found: Detections, k: int) -> np.ndarray | None:
    """(4,) heads from the head and the foot of whom the answer lies on, or None."""
    head = found.heads[k] * SIZE
    at, foot = (head[:2] + head[2:]) / 2, found.feet[k] * SIZE[:2]
    bodies, heads = rows[:, labels.BODY], rows[:, labels.HEAD]
    on = ((bodies[:, :2] < at) & (at < bodies[:, 2:])).all(axis=1)
    if not on.any():
        return None
    middles = (heads[:, :2] + heads[:, 2:]) / 2
    far = np.where(on, np.hypot(*(middles - at).T) / size, np.inf)
    host = int(far.argmin())
    both = np.concatenate([at - middles[host], foot - rows[host, labels.FOOT]])
    return both / size[host]


def spread(values: np.ndarray) -> float:
    """One standard deviation about nought, without the wildest two in a hundred."""
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, [1, 99])
    return float(np.sqrt(np.mean(values[(values >= low) & (values <= high)] ** 2)))


def wobbles(whole: list[Look], walk: Walk) -> dict[str, object]:
    """Sizes from the pictures, how they change from the clip."""
    table: dict[str, object] = {}
    clear = np.array([each.off for each in whole if each.score and each.behind < 0.1])
    half = np.array([each.off for each in whole if each.score and each.behind >= 0.5])
    for column, name in enumerate(PLACES):
        steady, memory = walk.changes(name)
        size = spread(clear[:, column])
        table[name] = {"size": size, "steady": steady, "memory": memory}
    steady, memory = walk.changes("score")
    table["seen"] = {"size": 1.0, "steady": steady, "memory": memory}
    table["blur"] = max(1.0, spread(half[:, 3]) / spread(clear[:, 3]))
    return table


def score_table(view: str, whole: list[Look]) -> list[list[float]]:
    """Scores at KNOTS for each class of COVERS; 0 is not found.

    Few heads are hidden, so those are pooled: low with oblique, overhead by itself.
    """
    own = [each for each in whole if each.view == view]
    alike = [
        each for each in whole if (each.view == "overhead") == (view == "overhead")
    ]
    rows = []
    for low, high in zip(COVERS, [*COVERS[1:], 2.0], strict=True):
        some = own if low == 0.0 else alike
        part = [each.score for each in some if low <= each.cover < high]
        rows.append(np.percentile(part, KNOTS).tolist())
    return rows


def inventions(
    view: str, extra: list[Extra], frames: int, people: int, walk: Walk
) -> dict[str, object]:
    """Elsewhere by the frame, on people by the person; how long from the clip."""
    mine = [each for each in extra if each.view == view]
    on = [each for each in mine if each.off is not None]
    elsewhere = [each for each in mine if each.off is None]
    offs = np.array([each.off for each in on])
    return {
        "elsewhere": {
            "rate": len(elsewhere) / frames,
            "scores": np.percentile([e.score for e in elsewhere], KNOTS).tolist(),
            "stays_s": np.percentile(walk.stays(False), KNOTS).tolist(),
        },
        "on_people": {
            "rate": len(on) / people,
            "scores": np.percentile([e.score for e in on], KNOTS).tolist(),
            "stays_s": np.percentile(walk.stays(True), KNOTS).tolist(),
            "off": np.stack([offs.mean(0), offs.std(0)], axis=1).tolist(),
        },
    }


def told(view: str, whole: list[Look], extra: list[Extra], frames: int) -> None:
    """Print what stands behind the numbers of one view."""
    print(f"== {view}: {len(whole)} people in {frames} pictures")
    for low, high in ((9, 12), (12, 16), (16, 22), (22, 32)):
        part = [e for e in whole if low <= e.head_px < high and e.cover < 0.01]
        shares = [
            Share(sum(e.score >= s for e in part), len(part)) for s in (0.01, SURE)
        ]
        print(
            f"  clear heads of {low} to {high} px: found {shares[0]}, sure {shares[1]}"
        )
    for low, high in zip(COVERS, [*COVERS[1:], 2.0], strict=True):
        part = [e for e in whole if low <= e.cover < high]
        found = Share(sum(e.score > 0 for e in part), len(part))
        print(f"  heads hidden from {low}: found {found}")
    sure = sum(e.score >= SURE for e in extra)
    print(f"  invented: {len(extra) / frames:.2f} a picture, {sure / frames:.2f} sure")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, default=Path("models/detector.toml"))
    parser.add_argument("--out", type=Path, default=FILE)
    args = parser.parse_args()
    from clip_truth import seen_on_clip  # it imports the renderer

    manifest = registry.load_manifest(args.manifest)
    detect = int8_detector(manifest, manifest.decode.threshold)
    shards = samples.Shards(args.worlds, held_out=True)
    walk = seen_on_clip(manifest)
    print(walk)
    whole: list[Look] = []
    extra: list[Extra] = []
    frames, people = dict.fromkeys(VIEWS, 0), dict.fromkeys(VIEWS, 0)
    for at in range(len(shards.index)):
        planes, rows, view = shards.get(at)
        frames[view] += 1
        people[view] += len(rows)
        seen, made = looks(
            view, rows, detect(samples.encode(planes, manifest.encoding))
        )
        whole += seen
        extra += made
    table = {}
    for view in VIEWS:
        mine = [each for each in whole if each.view == view]
        made = [each for each in extra if each.view == view]
        told(view, mine, made, frames[view])
        table[view] = {
            "threshold": manifest.decode.threshold,
            "covers": COVERS,
            "scores": score_table(view, whole),
            **wobbles(mine, walk),
            **inventions(view, extra, frames[view], people[view], walk),
        }
    note = {"detector": manifest.version, "pictures": frames, "clip": str(walk)}
    text = json.dumps({**note, "views": rounded(table)}, indent=1)
    args.out.write_text(text + "\n", encoding="utf-8")


def rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return round(float(value), 3)


if __name__ == "__main__":
    main()
