"""Every frame of the real clips: is everybody found, once, and nobody else?

``python -m doorsill_train.judge.real --clips FOLDER detector other.tflite``

Precision and recall on the hand-labelled frames come from ``doorsill models evaluate``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from doorsill.drivers.camera.video import open_recording
from doorsill.evaluation.measure import Share
from doorsill.vision.detect.detector import NetDetector
from doorsill.vision.detect.named import model_named
from doorsill.vision.follow.tracker import Tracker

EDGE = 3  # the truth's frame numbers are this exact


def counts(net: NetDetector, clip: Path) -> np.ndarray:
    """(frames, 2): people that each frame shows, and those the tracker confirms."""
    camera, found = open_recording(str(clip), net.fit), []
    tracker = None
    while (frame := camera.read()) is not None:
        height, width = frame.pixels.shape[:2]
        if tracker is None:
            tracker = Tracker(width / height)
        people = net.detect(frame)
        tracks = tracker.update(people, frame.time)
        sure = tracks.confirmed & (tracks.detection >= 0)
        found.append((len(people), int(sure.sum())))
        frame.release()
    camera.close()
    return np.array(found)


def report(name: str, net: NetDetector, clips: Path) -> None:
    truth = json.loads((clips / "one-by-one-person-detection.truth.json").read_text())
    seen = counts(net, clips / truth["clip"])
    occupied, near = np.zeros(len(seen), bool), np.zeros(len(seen), bool)
    for first, last in truth["visible_frames"]:
        occupied[first : last + 1] = True
        near[max(0, first - EDGE) : first + EDGE + 1] = True
        near[last - EDGE : last + EDGE + 1] = True
    inside, empty = seen[occupied & ~near, 0], seen[~occupied & ~near]
    cars = counts(net, clips / "car-detection.mp4")
    some = int((inside > 0).sum())
    print(f"{name}: one-by-one clip")
    print("  a person found in occupied frames", Share(some, len(inside)))
    print("  exactly one box of those         ", Share(int((inside == 1).sum()), some))
    for clip, nobody in (("empty frames", empty), ("car clip", cars)):
        alone, confirmed = nobody.sum(axis=0)
        print(f"  {clip}: {alone} boxes in {len(nobody)} frames, {confirmed} confirmed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="names, manifests or SSD files")
    parser.add_argument("--clips", type=Path, required=True)
    args = parser.parse_args()
    for name in args.models:
        report(name, model_named(name).detector(), args.clips)


if __name__ == "__main__":
    main()
