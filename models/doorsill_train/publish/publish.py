"""Write a model and its manifest into ``models/``, from a trained run.

``python -m doorsill_train.publish.publish --weights W --worlds FOLDER --commit HASH``

Exports the detector, reads the quantisation back from the file and writes
``detector.toml``. The manifest is what the firmware trusts; nothing in it is typed by
hand.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from doorsill_train.learn import net, samples
from doorsill_train.publish.export import calibration, converted
from doorsill_train.publish.operators import operations
from doorsill_train.shards import HEIGHT, WIDTH
from doorsill_train.shipped import MODELS

PROVENANCE = (
    "Trained by us on rendered people only: MakeHuman CC0 shapes"
    " (makehuman a8bc2d54, makehuman-assets 8cf9645b), our own renderer."
    " No photograph of a person was used, for training or for calibration."
)


def quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def section(title: str, entries: dict[str, object]) -> str:
    lines = [f"{name} = {quoted(value)}" for name, value in entries.items()]
    return "\n".join([title, *lines, ""])


def output_sections(model: bytes, names: dict[int, str], more: dict[str, dict]) -> str:
    """One [[output]] for each tensor, named by the size of its last dimension."""
    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    out = []
    for detail in interpreter.get_output_details():
        shape = [int(side) for side in detail["shape"]]
        scale, zero = detail["quantization"]
        name = names[shape[-1]]
        entries = {
            "name": name,
            "shape": "x".join(map(str, shape)),
            "scale": float(scale),
            "zero": int(zero),
        }
        out.append(section("[[output]]", entries | more.get(name, {})))
    return "\n".join(sorted(out))


def model_section(name: str, kind: str, model: bytes, args: argparse.Namespace) -> str:
    return section(
        "[model]",
        {
            "name": name,
            "version": args.version,
            "kind": kind,
            "file": f"{name}.tflite",
            "sha256": hashlib.sha256(model).hexdigest(),
            "status": args.status,
            "licence": "Apache-2.0",
            "training_commit": args.commit,
            "provenance": PROVENANCE,
        },
    )


def input_section(width: int, height: int, encoding: str) -> str:
    entries = {"width": width, "height": height, "encoding": encoding, "dtype": "int8"}
    return section("[input]", entries)


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
    parser.add_argument("--variant", choices=sorted(net.WIDTHS), default="s")
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
