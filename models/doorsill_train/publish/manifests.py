"""The text of a model's manifest; nothing in it is typed by hand."""

from __future__ import annotations

import argparse
import hashlib

from ai_edge_litert.interpreter import Interpreter

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


def output_sections(
    model: bytes, names: dict[int, str], more: dict[str, dict[str, object]]
) -> str:
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


class Raw:
    """Text that goes into the manifest as it is."""

    def __init__(self, text: str):
        self.text = text

    def __str__(self) -> str:
        return self.text
