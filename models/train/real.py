"""Compare detectors on hand-labelled frames of real clips: never used for training.

``python real.py --clips FOLDER MANIFEST [MANIFEST ...]`` prints precision and recall of
heads and people with 95 % Wilson intervals; ``--peer FILE`` adds a standard SSD.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from evaluate import matched
from PIL import Image, ImageSequence

from doorsill import registry
from doorsill.drivers.runtime import load
from doorsill.values import Detections, Frame
from doorsill.vision.detector import NetDetector
from doorsill.vision.ssd import SsdDecoder

LABELS = Path(__file__).resolve().parent.parent / "eval/labels/real.json"
HEAD_IOU, PERSON_IOU = 0.3, 0.5  # labels are about 1 % of the picture exact
Z = 1.96


def pictures(path: Path) -> Iterator[Image.Image]:
    """Every frame of an mp4 or gif, RGB."""
    if path.suffix == ".gif":
        for frame in ImageSequence.Iterator(Image.open(path)):
            yield frame.convert("RGB")
        return
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_image()


def fitted(picture: Image.Image, fit: tuple[int, int]) -> np.ndarray:
    """Scaled to touch the input on one side, as a camera driver delivers it."""
    scale = min(fit[0] / picture.width, fit[1] / picture.height)
    size = round(picture.width * scale), round(picture.height * scale)
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2))


def wilson(hits: int, total: int) -> tuple[float, float, float]:
    """Share and its 95 % interval."""
    if not total:
        return 0.0, 0.0, 1.0
    share = hits / total
    middle = (share + Z**2 / (2 * total)) / (1 + Z**2 / total)
    spread = Z * np.sqrt(share * (1 - share) / total + Z**2 / (4 * total**2))
    spread /= 1 + Z**2 / total
    return share, middle - spread, middle + spread


def detector(manifest: registry.Manifest) -> NetDetector:
    return NetDetector(registry.opened(manifest), registry.heads_decoder(manifest))


def peer(path: Path) -> NetDetector:
    net = load(path.read_bytes())
    decode = SsdDecoder(net.post_process, aspect=1.0, lowest_score=0.5)
    return NetDetector(net, decode)


class Tally:
    """Hits, false answers and misses of heads and people."""

    def __init__(self) -> None:
        self.counts = {"heads": [0, 0, 0], "people": [0, 0, 0]}
        self.empty_frames = self.false_in_empty = 0

    def add(self, found: Detections, truth: dict) -> None:
        ignored = np.array(truth.get("ignore", [])).reshape(-1, 4)
        if not truth["heads"]:
            self.empty_frames += 1
            self.false_in_empty += len(found)
        for name, boxes, needed in (
            ("heads", found.heads, HEAD_IOU),
            ("people", found.boxes, PERSON_IOU),
        ):
            want = np.array(truth[name]).reshape(-1, 4)
            verdict, hit = matched(boxes, want, ignored, needed)
            for k, more in enumerate((verdict == 1, verdict == 0, ~hit)):
                self.counts[name][k] += int(more.sum())

    def lines(self) -> list[str]:
        out = []
        for name, (hits, false, missed) in self.counts.items():
            if not hits + missed:
                continue
            for word, total in (("precision", hits + false), ("recall", hits + missed)):
                share, low, high = wilson(hits, total)
                out.append(
                    f"{name} {word} {share:.3f} [{low:.3f}, {high:.3f}] of {total}"
                )
        if self.empty_frames:
            out.append(
                f"{self.false_in_empty} boxes in {self.empty_frames} empty frames"
            )
        return out


def measure(net: NetDetector, clips: Path) -> dict[str, Tally]:
    """A tally per clip, and one of all."""
    tallies = {"all": Tally()}
    for clip, frames in json.loads(LABELS.read_text())["clips"].items():
        tallies[clip] = Tally()
        for number, picture in enumerate(pictures(clips / clip)):
            if str(number) not in frames:
                continue
            found = net.detect(Frame(fitted(picture, net.fit), float(number)))
            for name in ("all", clip):
                tallies[name].add(found, frames[str(number)])
    return tallies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifests", type=Path, nargs="*")
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--peer", type=Path, help="an SSD-type .tflite")
    args = parser.parse_args()
    nets = {str(p): detector(registry.load_manifest(p)) for p in args.manifests}
    if args.peer:
        nets[args.peer.name] = peer(args.peer)
    for name, net in nets.items():
        for clip, tally in measure(net, args.clips).items():
            print(name, clip)
            for line in tally.lines():
                print("   ", line)


if __name__ == "__main__":
    main()
