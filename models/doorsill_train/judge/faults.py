"""Measure a detector's faults for the simulated street.

``python -m doorsill_train.judge.faults --doors FOLDER``

Writes ``models/doorsill_street/measured.json``, which ``doorsill_street.measured``
describes, and prints the shares behind it. The folder is ``film.doors --held-out``'s:
the street's own walkers, rendered as its camera sees them, in rooms and clothes that no
detector of ours was trained on. Lengths are in heads, as tall as the truth's.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist

import numpy as np

from doorsill.evaluation.measure import Share
from doorsill.models import manifest as registry
from doorsill.vision.detect.heads import BIRTH_SCORE
from doorsill_street.measured import FILE, FRAME_S
from doorsill_train.judge.watched import (
    HEAD_PX,
    PLACES,
    Invented,
    Look,
    Watched,
    watched,
)
from doorsill_train.shards import DOOR

SIZES = (
    HEAD_PX[0],
    12,
    16,
    22,
    HEAD_PX[1],
)  # pixels of a head in plain view, a class between two
COVERS = (0.1, 0.25, 0.5, 0.75, 0.99, 2.0)  # hidden share of a head
CLEAR, HALF = 0.1, 0.5  # hidden share of a body: hardly, half
KNOTS = np.linspace(0, 100, 41)
LEAST = 20  # frames of one person whose changes are looked at
SHOWN = 120  # invented boxes whose places the street draws from


def spread(values: np.ndarray) -> float:
    """One standard deviation about 0, without the wildest two in a hundred."""
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, [1, 99])
    return float(np.sqrt(np.mean(values[(values >= low) & (values <= high)] ** 2)))


def changes(
    looks: Iterable[Look], value: Callable[[Look], float]
) -> tuple[float, float]:
    """Share of a variance that is a person's own, and memory of the rest."""
    people: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for each in looks:
        if np.isfinite(number := value(each)):
            people.setdefault(each.who, []).append((each.frame, number))
    own, rest, both = [], [], []
    for seen in people.values():
        if len(seen) < LEAST:
            continue
        mean = float(np.mean([number for _, number in seen]))
        own.append(mean)
        rest += [(number - mean) ** 2 for _, number in seen]
        both += [
            (a - mean) * (b - mean) for (f, a), (g, b) in pairwise(seen) if g - f == 1
        ]
    steady, passing = float(np.var(own)), float(np.mean(rest))
    return steady / (steady + passing), max(0.0, float(np.mean(both)) / passing)


def normal_scores(looks: Sequence[Look]) -> dict[int, float]:
    """By id of the look, the normal number of its score's place among all."""
    scores = np.array([each.score for each in looks])
    ranked = np.sort(scores)  # who was not found has a place in the middle of those
    places = np.searchsorted(ranked, scores) + np.searchsorted(ranked, scores, "right")
    numbers = map(NormalDist().inv_cdf, (places / 2 / len(scores)).tolist())
    return dict(zip(map(id, looks), numbers, strict=True))


def _off(column: int, look: Look) -> float:
    return float(look.off[column])


def wobbles(looks: Sequence[Look]) -> dict[str, object]:
    table: dict[str, object] = {}
    found = [each for each in looks if each.score]
    clear = [each for each in found if each.behind < CLEAR]
    half = [each.off[3] for each in found if each.behind >= HALF]
    offs = np.array([each.off for each in clear])
    for column, name in enumerate(PLACES):
        steady, memory = changes(clear, partial(_off, column))
        size = spread(offs[:, column])
        table[name] = {"size": size, "steady": steady, "memory": memory}
    numbers: dict[int, float] = {}
    for part in by_size(looks):
        numbers |= normal_scores(part)
    in_view = [each for each in looks if id(each) in numbers]
    steady, memory = changes(in_view, lambda each: numbers[id(each)])
    table["seen"] = {"size": 1.0, "steady": steady, "memory": memory}
    table["blur"] = max(1.0, spread(np.array(half)) / spread(offs[:, 3]))
    return table


def by_size(looks: Iterable[Look]) -> list[list[Look]]:
    """Those in plain view."""
    clear = [each for each in looks if each.cover < COVERS[0]]
    return [
        [e for e in clear if low <= e.head_px < high] for low, high in pairwise(SIZES)
    ]


def by_cover(looks: Sequence[Look]) -> list[list[Look]]:
    return [
        [e for e in looks if low <= e.cover < high] for low, high in pairwise(COVERS)
    ]


def scores(looks: Sequence[Look]) -> dict[str, object]:
    """At KNOTS, 0 where not found; of each class its median size or cover."""
    sizes, covers = by_size(looks), by_cover(looks)
    return {
        "sizes": [
            float(np.median([e.head_px for e in part])) / DOOR[1] for part in sizes
        ],
        "scores": [
            np.percentile([e.score for e in part], KNOTS).tolist() for part in sizes
        ],
        "covers": [float(np.median([e.cover for e in part])) for part in covers],
        "scores_hidden": [
            np.percentile([e.score for e in part], KNOTS).tolist() for part in covers
        ],
    }


def inventions(made: Sequence[Invented], looked: int, on: bool) -> dict[str, object]:
    """Of all ``looked`` at, frames or people in frames."""
    mine = [each for each in made if (each.off is not None) == on]
    all_scores = [score for each in mine for score in each.scores]
    table: dict[str, object] = {
        "rate": len(all_scores) / looked,
        "scores": np.percentile(all_scores, KNOTS).tolist(),
        "stays_s": np.percentile([each.seconds for each in mine], KNOTS).tolist(),
    }
    if on:
        offs = np.array([each.off for each in mine])
        table["off"] = np.stack([offs.mean(0), offs.std(0)], axis=1).tolist()
    else:
        some = np.linspace(0, len(mine) - 1, min(SHOWN, len(mine))).astype(int)
        table["places"] = [mine[row].place.tolist() for row in some]
    return table


def missed_in_a_row(looks: Iterable[Look]) -> str:
    """How long people in plain view were missed between two answers."""
    last: dict[tuple[int, int], int] = {}
    runs: Counter[int] = Counter()
    for each in looks:
        if each.score:
            gap = each.frame - last.get(each.who, each.frame) - 1
            runs.update([gap] * (gap > 0))
            last[each.who] = each.frame
    return ", ".join(f"{n} x {k}" for k, n in sorted(runs.items()))


def report(seen: Watched) -> None:
    """Print what stands behind the numbers."""
    print(f"{len(seen.looks)} looks at people in {seen.frames} frames of {seen.shops}")
    for (low, high), part in zip(pairwise(SIZES), by_size(seen.looks), strict=True):
        found, sure = (
            Share(sum(e.score >= s for e in part), len(part))
            for s in (0.01, BIRTH_SCORE)
        )
        print(f"  clear heads of {low} to {high} px: found {found}, sure {sure}")
    for cover, part in zip(COVERS[:-1], by_cover(seen.looks), strict=True):
        found = Share(sum(each.score > 0 for each in part), len(part))
        print(f"  heads hidden from {cover}: found {found}")
    clear = [each for each in seen.looks if each.cover < COVERS[0]]
    print(f"  in plain view missed in a row: {missed_in_a_row(clear)}")
    made = [score for each in seen.invented for score in each.scores]
    born, frames = sum(score >= BIRTH_SCORE for score in made), seen.frames
    print(f"  invented: {len(made) / frames:.2f} a frame, {born / frames:.2f} sure")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--doors", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, default=Path("models/detector.toml"))
    parser.add_argument("--out", type=Path, default=FILE)
    args = parser.parse_args()
    manifest = registry.load_manifest(args.manifest)
    assert manifest.decode is not None
    seen = watched(args.doors, manifest)
    report(seen)
    table = {
        "detector": manifest.version,
        "shops": seen.shops,
        "frames": seen.frames,
        "looks": len(seen.looks),
        "frame_s": FRAME_S,
        "threshold": manifest.decode.threshold,
        **scores(seen.looks),
        **wobbles(seen.looks),
        "elsewhere": inventions(seen.invented, seen.frames, on=False),
        "on_people": inventions(seen.invented, seen.people, on=True),
    }
    text = json.dumps(rounded(table), indent=1)
    args.out.write_text(text + "\n", encoding="utf-8")


def rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
