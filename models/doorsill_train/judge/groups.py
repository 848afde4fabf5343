"""Whom a detector finds.

``python -m doorsill_train.judge.groups --worlds W --out FILE MANIFEST``

Recall of heads (IoU 0.5, at the manifest's sure score) on held-out worlds, by the
conditions of the picture and by who the rendered people are, with Wilson intervals;
and the score with the best F1, which is what ``publish.publish --sure`` wants.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from doorsill.evaluation.measure import Share, match_boxes
from doorsill.models import manifest as registry
from doorsill_train import labels
from doorsill_train.judge.held_out import int8_detector
from doorsill_train.learn import samples
from doorsill_train.people.people import BANDS
from doorsill_train.shards import HEIGHT, WIDTH, Shards

# name -> column, bounds, words
GROUPS = {
    "head in pixels": ("head", (0, 18, 26, 40, 999), ("9-18", "18-26", "26-40", "40+")),
    "contrast": ("head_contrast", (0, 25, 60, 999), ("faint", "middle", "clear")),
    "body seen": (
        "body_seen",
        (0, 0.5, 0.8, 1.1),
        ("under 50 %", "50 to 80 %", "over 80 %"),
    ),
    "apparent age": ("band", (0, 1, 2, 3, 4), BANDS),
    "skin": ("tone", (0, 1.67, 3.33, 6), ("light", "middle", "dark")),
    "shape": ("weight", (-2, -0.2, 0.4, 2), ("slim", "average", "heavy")),
    "expression": ("masculinity", (-1, 0.5, 2), ("feminine", "masculine")),
}


def found_rows(
    manifest: registry.Manifest, held: Shards
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Label rows (n, 23), view (n,), the score that found each, and false scores."""
    detect = int8_detector(manifest)
    size = np.array([WIDTH, HEIGHT] * 2, np.float32)
    rows, views, scores, false = [], [], [], []
    for at in range(len(held.index)):
        planes, table, view = held.get(at)
        good = labels.usable(table)
        found = detect(samples.encode(planes, manifest.encoding))
        truth, loose = table[good][:, labels.HEAD], labels.ignored(table)
        verdict, _ = match_boxes(found.heads * size, truth, loose, 0.5)
        for row, box in zip(table[good], truth, strict=True):
            hit, _ = match_boxes(found.heads * size, box[None], truth[:0], 0.5)
            mine = found.scores[(hit == 1) & (verdict == 1)]
            rows.append(row)
            views.append(view)
            scores.append(mine.max(initial=0))
        false += found.scores[verdict == 0].tolist()
    return np.array(rows), np.array(views), np.array(scores), np.array(false)


def best_f1(scores: np.ndarray, false: np.ndarray) -> tuple[float, float]:
    """The threshold with the best F1, in steps of 0.05, and that F1."""
    steps = np.arange(0.15, 0.75, 0.05)
    hits = np.array([(scores >= step).sum() for step in steps])
    wrong = np.array([(false >= step).sum() for step in steps])
    f1 = 2 * hits / (hits + wrong + len(scores))
    return round(float(steps[f1.argmax()]), 2), round(float(f1.max()), 3)


def table(rows: np.ndarray, found: np.ndarray) -> dict[str, dict[str, str]]:
    """Recall with its interval for each group of each kind."""
    out: dict[str, dict[str, str]] = {}
    for name, (column, bounds, words) in GROUPS.items():
        if column == "head":
            value = np.maximum(rows[:, 2] - rows[:, 0], rows[:, 3] - rows[:, 1])
        else:
            value = rows[:, labels.COLUMN[column]]
        for (low, high), word in zip(pairwise(bounds), words, strict=True):
            mine = found[(value >= low) & (value < high)]
            share = str(Share(int(mine.sum()), len(mine)))
            out.setdefault(name, {})[word] = share
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--worlds", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="a JSON file")
    args = parser.parse_args()
    manifest = registry.load_manifest(args.manifest)
    held = Shards(args.worlds, held_out=True)
    rows, views, scores, false = found_rows(manifest, held)
    assert manifest.decode is not None  # a detector of ours
    sure = manifest.decode.sure
    threshold, f1 = best_f1(scores, false)
    result: dict[str, object] = {
        "model": f"{manifest.name} {manifest.version}",
        "score": sure,
        "best_f1": {"score": threshold, "f1": f1},
        "recall": table(rows, scores >= sure),
    }
    for view in sorted(set(views)):
        mine = views == view
        result[f"recall, {view}"] = table(rows[mine], scores[mine] >= sure)
    text = json.dumps(result, indent=1) + "\n"
    print(text)
    if args.out:
        args.out.write_text(text)


if __name__ == "__main__":
    main()
