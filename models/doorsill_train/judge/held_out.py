"""Measure a published detector on held-out worlds.

``python -m doorsill_train.judge.held_out --worlds W MANIFEST``

Runs the int8 file through the firmware's loader and decode; with ``--weights`` the
float network beside it, which says what rounding costs.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from doorsill.models import manifest as registry
from doorsill.values import Detections
from doorsill.vision.detect import opening
from doorsill.vision.detect.heads import HeadDecoder
from doorsill.vision.detect.letterbox import WHOLE, Letterbox
from doorsill.vision.geometry import Box
from doorsill_train.learn.evaluate import FLOOR, Detect, float_detector, measure
from doorsill_train.shards import Shards


class EveryPeak(HeadDecoder):
    """Leaves two answers that speak of one person side by side."""

    def _is_known(self, known: list[tuple[Box, Box]], head: Box, body: Box) -> bool:
        return False


def int8_detector(
    manifest: registry.Manifest,
    threshold: float = FLOOR,
    decoder: type[HeadDecoder] = HeadDecoder,
    place: Letterbox = WHOLE,
) -> Detect:
    """The shipped file, with a threshold low enough for an average precision."""
    assert manifest.decode is not None  # a detector of ours
    low = replace(manifest.decode, threshold=threshold)
    decode = opening.heads_decoder(replace(manifest, decode=low), decoder)
    net = opening.open_model(manifest)

    def detect(image: np.ndarray) -> Detections:
        net.input_view()[0] = (image.astype(np.int16) - 128).astype(np.int8)
        net.invoke()
        return decode(net.outputs(), place)

    return detect


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--worlds", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="the float weights, to compare")
    parser.add_argument("--variant", default="m", help="of the weights: s, m or tiny")
    parser.add_argument("--limit", type=int, default=10_000)
    args = parser.parse_args()
    manifest = registry.load_manifest(args.manifest)
    held = Shards(args.worlds, held_out=True)
    assert manifest.decode is not None  # a detector of ours
    settings = manifest.encoding, args.limit, manifest.decode.sure
    found = measure(int8_detector(manifest), held, *settings)
    print("int8 ", json.dumps(found))
    if args.weights:
        from doorsill_train.learn import net

        model = net.build(args.variant)
        model.load_weights(args.weights)
        found = measure(float_detector(model), held, *settings)
        print("float", json.dumps(found))


if __name__ == "__main__":
    main()
