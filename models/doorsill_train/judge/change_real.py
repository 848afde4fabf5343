"""The change input on the real clips, beside colour.

``python -m doorsill_train.judge.change_real MODEL ...``

A change detector needs what the pipeline would keep: the luma of the step before and a
background that adapts within a minute. Both are rebuilt here frame by frame, from the
first frame of each clip on; the labelled frames are those of ``models evaluate``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from doorsill.drivers.camera.video import open_recording
from doorsill.evaluation.measure import Matches, read_labels
from doorsill.models import manifest as registry
from doorsill.values import Detections
from doorsill.vision.detect import opening
from doorsill.vision.detect.letterbox import Letterbox
from doorsill_train.shards import LUMA
from doorsill_train.shipped import LABELS

ADAPTS_IN_S, GREY = 60.0, 128


class ChangeInput:
    """Luma, difference to the step before, difference to the background."""

    def __init__(self, seconds_per_frame: float):
        self.rate = seconds_per_frame / ADAPTS_IN_S
        self.before: np.ndarray | None = None
        self.background: np.ndarray | None = None

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        luma = np.rint(pixels.astype(np.float32) @ LUMA)  # as ``samples.encode``
        before = luma if self.before is None else self.before
        background = luma if self.background is None else self.background
        differ = [np.clip(GREY + luma - old, 0, 255) for old in (before, background)]
        self.before = luma
        self.background = background + self.rate * (luma - background)
        planes: np.ndarray = np.rint(np.stack([luma, *differ], axis=2))
        return planes.astype(np.uint8)


def detections(path: Path, clip: Path) -> Iterator[Detections]:
    """What the detector sees in each frame of a clip."""
    manifest = registry.load_manifest(path)
    net, decode = opening.open_model(manifest), opening.heads_decoder(manifest)
    fit = (manifest.width, manifest.height)
    camera = open_recording(str(clip), fit)
    change = ChangeInput(0.1)
    while (frame := camera.read()) is not None:
        pixels = np.asarray(frame.pixels)
        if manifest.encoding == "change":
            pixels = change(pixels)
        box = Letterbox(fit, (pixels.shape[1], pixels.shape[0]))
        full = np.full((fit[1], fit[0], 3), GREY, np.uint8)
        full[box.rows, box.columns] = pixels
        net.input_view()[0] = (full.astype(np.int16) - GREY).astype(np.int8)
        net.invoke()
        yield decode(net.outputs(), box)
        frame.release()
    camera.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifests", type=Path, nargs="+")
    parser.add_argument("--clips", type=Path, required=True)
    args = parser.parse_args()
    labels = read_labels(LABELS)
    for path in args.manifests:
        whole = Matches()
        for clip, frames in labels.items():
            matches = Matches()
            for number, found in enumerate(detections(path, args.clips / clip)):
                if str(number) in frames:
                    matches.add(found, frames[str(number)])
                    whole.add(found, frames[str(number)])
            print(path, clip, "heads", matches.heads, "people", matches.people)
        print(path, "all: heads precision", whole.heads.precision)
        print(path, "all: heads recall   ", whole.heads.recall)
        print(path, "all: people precision", whole.people.precision)
        print(path, "all: people recall   ", whole.people.recall)
        print(
            path, whole.false_in_empty, "boxes in", whole.empty_frames, "empty frames"
        )


if __name__ == "__main__":
    main()
