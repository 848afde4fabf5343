"""Calibrate and measure the attributes network, and write it with its manifest.

Half of the held-out people fixes the temperatures and the least confidences; the other
half gives the numbers, which go to ``eval/attributes.json``. All of it through the int8
file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import attributes
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from export import converted
from operators import operations
from publish import arguments, input_section, model_section, output_sections

from doorsill.models_measure import Share
from doorsill.registry import ALLOWED_ATTRIBUTES

UNKNOWN_AT_MOST, RIGHT_AT_LEAST, FEWEST = 0.2, 0.65, 40
CONFUSION = "confusion_truth_by_answer_then_unknown"
TEMPERATURES = np.exp(np.linspace(np.log(0.4), np.log(4), 60))
TONE_GROUPS = ("light", "middle", "dark")  # of the rendered skin
SHAPE_GROUPS = ("slim", "average", "heavy")


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
    raised = np.exp((values - values.max(axis=1, keepdims=True)) / temperature)
    return raised / raised.sum(axis=1, keepdims=True)


def calibrate(values: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Temperature of the least surprise, and the least confidence.

    A fifth is left out; more, where those that remain are right too seldom: then nearly
    all, or all, is unknown.
    """
    rows = np.arange(len(truth))
    surprise = [
        -np.log(shares(values, t)[rows, truth] + 1e-9).mean() for t in TEMPERATURES
    ]
    temperature = float(TEMPERATURES[int(np.argmin(surprise))])
    sure = shares(values, temperature)
    confidence, right = sure.max(axis=1), sure.argmax(axis=1) == truth
    for least in np.linspace(np.quantile(confidence, UNKNOWN_AT_MOST), 1, 80):
        known = confidence >= least
        if known.sum() >= FEWEST and right[known].mean() >= RIGHT_AT_LEAST:
            return temperature, float(least)
    return temperature, 1.0


def groups(rows: np.ndarray) -> dict[str, np.ndarray]:
    """Membership of each skin-tone and shape group."""
    tone = np.minimum(rows[:, 2] // (5 / 3), 2).astype(int)
    shape = np.digitize(rows[:, 3], (-0.25, 0.45))
    out = {f"skin {name}": tone == k for k, name in enumerate(TONE_GROUPS)}
    return out | {f"shape {name}": shape == k for k, name in enumerate(SHAPE_GROUPS)}


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
        truth, np.where(known, best, values.shape[1]), values.shape[1]
    )
    table = {}
    for name, member in groups(rows).items():
        mine = member & known
        table[name] = str(Share(int(right[mine].sum()), int(mine.sum())))
    return {
        "accuracy": str(Share(int(right[known].sum()), int(known.sum()))),
        "accuracy_without_unknown": str(Share(int(right.sum()), len(right))),
        "unknown": round(1 - float(known.mean()), 3),
        "calibration_error": round(calibration_error(confidence, right), 3),
        CONFUSION: confusion.tolist(),
        "groups": table,
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


def main() -> None:
    parser = arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    parser.add_argument("--portraits", type=Path, required=True)
    args = parser.parse_args()
    network = attributes.build()
    network.load_weights(args.weights)
    trained = attributes.Portraits(args.portraits, held_out=False)
    rng = np.random.default_rng(5)
    chosen = [trained.get(int(n), rng)[0] for n in rng.integers(len(trained), size=200)]
    model = converted(
        network, [(image.astype(np.int16) - 128).astype(np.int8) for image in chosen]
    )
    operations(model)
    held = attributes.Portraits(args.portraits, held_out=True)
    seen = np.array([held.get(n, rng)[0] for n in range(len(held))])
    values, rows = logits(model, seen), held.rows
    truth = {
        "age": rows[:, 0].astype(int),
        "expression": (rows[:, 1] > 0.5).astype(int),
    }
    first = np.arange(len(rows)) % 2 == 0
    report, more = {}, {}
    for name in ("age", "expression"):
        rule = calibrate(values[name][first], truth[name][first])
        report[name] = measured(
            values[name][~first], truth[name][~first], rows[~first], rule
        )
        half = measured(values[name][first], truth[name][first], rows[first], rule)
        report[name]["confusion_of_the_calibration_half"] = half[CONFUSION]
        names = ", ".join(f'"{label}"' for label in ALLOWED_ATTRIBUTES[name])
        more[name] = {
            "labels": Raw(f"[{names}]"),
            "least_confidence": round(rule[1], 4),
            "temperature": round(rule[0], 4),
        }
    parts = [
        model_section("attributes", "attributes", model, args),
        input_section(attributes.SIDE, attributes.SIDE, "rgb"),
        output_sections(model, {4: "age", 2: "expression"}, more),
    ]
    (args.out / "attributes.tflite").write_bytes(model)
    (args.out / "attributes.toml").write_text("\n".join(parts))
    target = args.out / "eval" / "attributes.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(report, indent=1) + "\n")


class Raw:
    """Text that goes into the manifest as it is."""

    def __init__(self, text: str):
        self.text = text

    def __str__(self) -> str:
        return self.text


if __name__ == "__main__":
    main()
