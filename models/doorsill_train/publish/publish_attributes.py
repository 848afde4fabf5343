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
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from doorsill.vision.attributes.tracks import READINGS
from doorsill_train.judge import bands
from doorsill_train.judge.calibration import CONFUSION, OTHER_HALF, calibrate, measured
from doorsill_train.learn import attributes
from doorsill_train.learn.crops import (
    HEIGHT,
    WIDTH,
    Crops,
    as_seen,
    calibrating,
    one_each,
)
from doorsill_train.publish.export import converted
from doorsill_train.publish.manifests import (
    Raw,
    input_section,
    model_section,
    output_sections,
    quoted,
)
from doorsill_train.publish.operators import operations
from doorsill_train.shipped import MODELS


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


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--weights", type=Path, help="of a network that was trained")
    again = "an int8 file to calibrate and measure again, as it is"
    model.add_argument("--file", type=Path, help=again)
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


def listed(words: tuple[str, ...]) -> Raw:
    """A list of texts, as TOML has it."""
    return Raw(f"[{', '.join(quoted(word) for word in words)}]")


def judged(model: bytes, held: Crops) -> tuple[dict[str, Any], dict[str, Any]]:
    """The report, and what the manifest says of each output."""
    people = len(held) // READINGS
    everyone = held.take(np.arange(people * READINGS))
    values = logits(model, as_seen(everyone, seed=6, together=READINGS))
    rows, first = held.rows[one_each(people)], calibrating(people)
    report, more = {}, {}
    for name in ("age", "expression"):
        table = bands.merging(name)
        truth = table[getattr(held, name)[one_each(people)]].argmax(axis=1)
        walks = values[name].reshape(people, READINGS, -1)
        rule = calibrate(walks[first], truth[first], table)
        once = values[name][one_each(people)][:, None]
        found = {
            label: measured(seen[half], truth[half], rows[half], rule, table)
            for label, seen, half in (
                ("walk", walks, ~first),
                ("calibrating", walks, first),
                ("once", once, ~first),
            )
        }
        report[name] = found["walk"]
        other = found["calibrating"][CONFUSION]
        report[name][OTHER_HALF] = other
        report[name]["one_crop_alone"] = found["once"]
        more[name] = {
            "labels": listed(bands.LABELS[name]),
            "bands": listed(bands.TOLD[name]),
            "least_confidence": round(rule[1], 4),
            "temperature": round(rule[0], 4),
        }
    return report, more


def main() -> None:
    args = arguments()
    if args.file:
        model = args.file.read_bytes()
    else:
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


if __name__ == "__main__":
    main()
