"""Calibrate and measure the attributes network, and write it with its manifest.

Half of the held-out people fixes the temperatures and the least confidences; the other
half gives the numbers, which go to ``eval/attributes.json``. All of it through the int8
file, for a person seen a few times on a walk, as the firmware averages a track's
readings; and beside it for one crop alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from doorsill.evaluation.measure import Share
from doorsill.models.manifest import ALLOWED_ATTRIBUTES
from doorsill.vision.attributes.tracks import READINGS
from doorsill_train.learn import attributes
from doorsill_train.learn.crops import (
    COLUMN,
    HEIGHT,
    WIDTH,
    Crops,
    as_seen,
    calibrating,
    one_each,
)
from doorsill_train.publish.export import converted
from doorsill_train.publish.operators import operations
from doorsill_train.publish.publish import (
    input_section,
    model_section,
    output_sections,
)
from doorsill_train.shipped import MODELS

UNKNOWN, RIGHT_AT_LEAST, FEWEST = 0.185, 0.65, 40  # of the calibrating half
CONFUSION = "confusion_truth_by_answer_then_unknown"
TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(4), 80))
TONE_GROUPS = ("light", "middle", "dark")  # of the rendered skin
SHAPE_GROUPS = ("slim", "average", "heavy")
VIEW_GROUPS = ("low", "oblique", "steep")


def logits(model: bytes, images: np.ndarray) -> dict[str, np.ndarray]:
    """Dequantised outputs of the int8 file: age (n, 4), expression (n, 2)."""
    net = Interpreter(model_content=model)
    net.allocate_tensors()
    place = net.get_input_details()[0]["index"]
    out: dict[str, list[np.ndarray]] = {"age": [], "expression": []}
    for image in images:
        net.set_tensor(place, (image[None].astype(np.int16) - 128).astype(np.int8))
        net.invoke()
        for detail in net.get_output_details():
            scale, zero = detail["quantization"]
            name = "age" if detail["shape"][-1] == attributes.AGES else "expression"
            stored = net.get_tensor(detail["index"])[0].astype(np.float32)
            out[name].append((stored - zero) * scale)
    return {name: np.array(rows) for name, rows in out.items()}


def shares(values: np.ndarray, temperature: float) -> np.ndarray:
    """(people, readings, labels) logits -> (people, labels), averaged as on a device"""
    raised = np.exp((values - values.max(axis=2, keepdims=True)) / temperature)
    return (raised / raised.sum(axis=2, keepdims=True)).mean(axis=1)


def calibrate(values: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Temperature of the least surprise, and the least confidence.

    Nearly a fifth is left out; more, where those that remain are right too seldom:
    then nearly all, or all, is unknown.
    """
    rows = np.arange(len(truth))
    surprise = [
        -np.log(shares(values, t)[rows, truth] + 1e-9).mean() for t in TEMPERATURES
    ]
    temperature = float(TEMPERATURES[int(np.argmin(surprise))])
    sure = shares(values, temperature)
    confidence, right = sure.max(axis=1), sure.argmax(axis=1) == truth
    for least in np.linspace(np.quantile(confidence, UNKNOWN), 1, 80):
        known = confidence >= least
        if known.sum() >= FEWEST and right[known].mean() >= RIGHT_AT_LEAST:
            return temperature, float(least)
    return temperature, 1.0


def groups(rows: np.ndarray) -> dict[str, np.ndarray]:
    """Membership of each skin-tone and shape group, and of each condition."""
    tone = np.minimum(rows[:, COLUMN["tone"]] // (5 / 3), 2).astype(int)
    shape = np.digitize(rows[:, COLUMN["weight"]], (-0.25, 0.45))
    view, cut = rows[:, COLUMN["view"]], rows[:, COLUMN["cut"]] > 0
    covered = rows[:, COLUMN["covered"]] > 0
    out = {f"skin {name}": tone == k for k, name in enumerate(TONE_GROUPS)}
    out |= {f"shape {name}": shape == k for k, name in enumerate(SHAPE_GROUPS)}
    out |= {f"view {name}": view == k for k, name in enumerate(VIEW_GROUPS)}
    return out | {"whole": ~cut & ~covered, "cut": cut, "covered": covered}


def gap(right: np.ndarray, rows: np.ndarray, kind: str) -> float:
    """Largest difference between groups of a kind, in points."""
    members = [m for name, m in groups(rows).items() if name.startswith(kind)]
    parts = [float(right[m].mean()) for m in members if m.any()]
    return round(100 * (max(parts) - min(parts)), 1) if parts else 0.0


def measured(
    values: np.ndarray, truth: np.ndarray, rows: np.ndarray, rule: tuple[float, float]
) -> dict[str, object]:
    """Accuracy among the known, unknown share, calibration, confusion, groups."""
    temperature, least = rule
    sure = shares(values, temperature)
    best, confidence = sure.argmax(axis=1), sure.max(axis=1)
    known = confidence >= least
    right = best == truth
    confusion = confusions(
        truth, np.where(known, best, values.shape[2]), values.shape[2]
    )
    table = {}
    for name, member in groups(rows).items():
        mine = member & known
        share = Share(int(right[mine].sum()), int(mine.sum()))
        unknown = 1 - mine.sum() / max(member.sum(), 1)
        table[name] = f"{share}, unknown {unknown:.3f}"
    return {
        "accuracy": str(Share(int(right[known].sum()), int(known.sum()))),
        "accuracy_without_unknown": str(Share(int(right.sum()), len(right))),
        "unknown": round(1 - float(known.mean()), 3),
        "calibration_error": round(calibration_error(confidence, right), 3),
        CONFUSION: confusion.tolist(),
        "groups": table,
        "gap_skin_points": gap(right[known], rows[known], "skin"),
        "gap_shape_points": gap(right[known], rows[known], "shape"),
    }


def confusions(truth: np.ndarray, answers: np.ndarray, labels: int) -> np.ndarray:
    """(truths, answers): the last answer is unknown."""
    table = np.zeros((labels, labels + 1), int)
    np.add.at(table, (truth, answers), 1)
    return table


def calibration_error(
    confidence: np.ndarray, right: np.ndarray, bins: int = 10
) -> float:
    """Expected calibration error over equal bins of confidence."""
    at = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        (at == k).mean() * abs(confidence[at == k].mean() - right[at == k].mean())
        for k in range(bins)
        if (at == k).any()
    ]
    return float(sum(gaps))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--portraits", type=Path, required=True)
    parser.add_argument("--version", default="0.2.0")
    parser.add_argument("--status", choices=("stable", "experimental"), required=True)
    parser.add_argument("--commit", required=True, help="of the training code")
    parser.add_argument("--out", type=Path, default=MODELS)
    return parser.parse_args()


def int8(images: np.ndarray) -> list[np.ndarray]:
    return list((images.astype(np.int16) - 128).astype(np.int8))


def compiled(weights: Path, portraits: Path) -> bytes:
    """The int8 file; quantised on people to train on, as a camera sees them."""
    network = attributes.build()
    network.load_weights(weights)
    trained = Crops(portraits, held_out=False)
    some = np.random.default_rng(5).integers(len(trained), size=250)
    model = converted(network, int8(as_seen(trained.take(some), seed=5)))
    operations(model)
    return model


def judged(model: bytes, held: Crops) -> tuple[dict, dict]:
    """The report, and what the manifest says of each output."""
    people = len(held) // READINGS
    everyone = held.take(np.arange(people * READINGS))
    values = logits(model, as_seen(everyone, seed=6, together=READINGS))
    rows, first = held.rows[one_each(people)], calibrating(people)
    report, more = {}, {}
    for name in ("age", "expression"):
        truth = getattr(held, name)[one_each(people)]
        walks = values[name].reshape(people, READINGS, -1)
        rule = calibrate(walks[first], truth[first])
        once = values[name][one_each(people)][:, None]
        found = {
            label: measured(seen[half], truth[half], rows[half], rule)
            for label, seen, half in (
                ("walk", walks, ~first),
                ("calibrating", walks, first),
                ("once", once, ~first),
            )
        }
        report[name] = found["walk"]
        other = found["calibrating"][CONFUSION]
        report[name]["confusion_of_the_calibration_half"] = other
        report[name]["one_crop_alone"] = found["once"]
        names = ", ".join(f'"{label}"' for label in ALLOWED_ATTRIBUTES[name])
        more[name] = {
            "labels": Raw(f"[{names}]"),
            "least_confidence": round(rule[1], 4),
            "temperature": round(rule[0], 4),
        }
    return report, more


def main() -> None:
    args = arguments()
    model = compiled(args.weights, args.portraits)
    report, more = judged(model, Crops(args.portraits, held_out=True))
    parts = [
        model_section("attributes", "attributes", model, args),
        input_section(WIDTH, HEIGHT, "rgb"),
        output_sections(model, {4: "age", 2: "expression"}, more),
    ]
    (args.out / "attributes.tflite").write_bytes(model)
    (args.out / "attributes.toml").write_text("\n".join(parts))
    target = args.out / "eval" / "attributes.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


class Raw:
    """Text that goes into the manifest as it is."""

    def __init__(self, text: str):
        self.text = text

    def __str__(self) -> str:
        return self.text


if __name__ == "__main__":
    main()
