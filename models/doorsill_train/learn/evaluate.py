"""Measure a detector with the device's own decode: average precision and the like.

Everything goes through ``doorsill.vision.detect.heads``: what is measured is what
counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from doorsill.evaluation.measure import match_boxes
from doorsill.models.manifest import HeadsDecode, Quantisation
from doorsill.values import Detections
from doorsill.vision.detect.heads import HeadDecoder
from doorsill_train import labels
from doorsill_train.learn import samples
from doorsill_train.shards import COLUMNS, HEIGHT, ROWS, WIDTH, Shards

HEAT, REG = Quantisation(1 / 256, -128), Quantisation(1 / 28, 0)
FLOOR = 0.05  # lowest score that enters an average precision
Detect = Callable[[np.ndarray], Detections]
Model = Callable[..., tuple[Any, Any]]  # of Keras: heat and reg of a batch


def stored(values: np.ndarray, q: Quantisation) -> np.ndarray:
    return np.clip(np.rint(values / q.scale + q.zero), -128, 127).astype(np.int8)


def float_detector(model: Model, threshold: float = FLOOR) -> Detect:
    """The float network behind the int8 decode (rounding outputs only)."""
    shape = (ROWS, COLUMNS)
    decoder = HeadDecoder(shape, HEAT, REG, HeadsDecode(threshold))

    def detect(image: np.ndarray) -> Detections:
        x = (image.astype(np.float32) - 128) / 128
        heat, reg = model(x[None], training=False)
        return decoder.decode(
            stored(np.asarray(heat), HEAT), stored(np.asarray(reg), REG)
        )

    return detect


def average_precision(scores: np.ndarray, verdicts: np.ndarray, total: int) -> float:
    """Area under the precision envelope (all points)."""
    keep = verdicts >= 0
    order = np.argsort(-scores[keep], kind="stable")
    hits = np.cumsum(verdicts[keep][order])
    if not len(hits) or not total:
        return 0.0
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(np.concatenate([[0], hits / total]))
    return float((envelope * steps).sum())


def measure(
    detect: Detect, shards: Shards, encoding: str, limit: int, threshold: float
) -> dict[str, float]:
    """AP50 of heads and people per view, and precision and recall at a threshold.

    ``invented`` is the share of pictures without anybody that get an answer there.
    """
    size = np.array([WIDTH, HEIGHT] * 2, np.float32)
    table: dict[str, list[Any]] = {}
    invented: list[bool] = []
    for at in np.linspace(0, len(shards.index) - 1, min(limit, len(shards.index))):
        planes, rows, view = shards.get(int(at))
        good = labels.usable(rows)
        found = detect(samples.encode(planes, encoding))
        if not len(rows):
            invented.append(bool((found.scores >= threshold).any()))
        sure, loose = rows[good], rows[~good]
        heads = match_boxes(
            found.heads * size, sure[:, labels.HEAD], labels.ignored(rows), 0.5
        )
        people = match_boxes(
            found.boxes * size, sure[:, labels.BODY], loose[:, labels.BODY], 0.5
        )
        entry = (found.scores, heads, people, good.sum())
        for name in (view, "all"):
            table.setdefault(name, []).append(entry)
    out = {
        "empty": float(len(invented)),
        "invented": float(np.mean(invented or [False])),
    }
    for name, entries in table.items():
        scores = np.concatenate([e[0] for e in entries])
        verdict = np.concatenate([e[1][0] for e in entries])
        of_people = np.concatenate([e[2][0] for e in entries])
        total = int(sum(e[3] for e in entries))
        tail = "" if name == "all" else f"_{name}"
        out["head_ap50" + tail] = average_precision(scores, verdict, total)
        out["person_ap50" + tail] = average_precision(scores, of_people, total)
        sure = (scores >= threshold) & (verdict >= 0)
        out["precision" + tail] = float(verdict[sure].mean()) if sure.any() else 0.0
        out["recall" + tail] = float(verdict[sure].sum() / max(total, 1))
    return {k: round(float(v), 3) for k, v in out.items()}


def measure_model(
    model: Model, shards: Shards, encoding: str, limit: int = 200
) -> dict[str, float]:
    return measure(float_detector(model), shards, encoding, limit, threshold=0.35)
