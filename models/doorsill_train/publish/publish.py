"""Write a model and its manifest into ``models/``, from a trained run.

``python -m doorsill_train.publish.publish --weights W --worlds FOLDER --commit HASH``

Exports the detector, reads the quantisation back from the file and writes
``detector.toml``. The manifest is what the firmware trusts; nothing in it is typed by
hand.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from doorsill_train.learn import net, samples
from doorsill_train.learn.samples import calibration
from doorsill_train.publish.export import converted
from doorsill_train.publish.manifests import (
    input_section,
    model_section,
    output_sections,
    section,
)
from doorsill_train.publish.operators import operations
from doorsill_train.shards import HEIGHT, WIDTH
from doorsill_train.shipped import MODELS


def arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--worlds", type=Path, required=True)
    parser.add_argument("--version", default="0.1.0")
    parser.add_argument("--status", choices=("stable", "experimental"), required=True)
    parser.add_argument("--commit", required=True, help="of the training code")
    parser.add_argument("--out", type=Path, default=MODELS)
    return parser


def main() -> None:
    parser = arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    parser.add_argument("--threshold", type=float, default=0.25)
    parser.add_argument("--sure", type=float, default=0.45, help="best F1, held out")
    parser.add_argument("--encoding", choices=samples.ENCODINGS, default="rgb")
    parser.add_argument("--variant", choices=sorted(net.WIDTHS), default=net.VARIANT)
    args = parser.parse_args()
    network = net.build(args.variant)
    network.load_weights(args.weights)
    model = converted(network, calibration(args.worlds, args.encoding))
    operations(model)
    decode = {
        "threshold": args.threshold,
        "head_overlap": 0.3,
        "person_overlap": 0.65,
        "sure": args.sure,
    }
    parts = [
        model_section("detector", "heads", model, args),
        input_section(WIDTH, HEIGHT, args.encoding),
        output_sections(model, {1: "heat", 10: "reg"}, {}),
        section("[decode]", decode),
    ]
    (args.out / "detector.tflite").write_bytes(model)
    (args.out / "detector.toml").write_text("\n".join(parts))
    print(f"{len(model)} bytes and a manifest in {args.out}")


if __name__ == "__main__":
    main()
