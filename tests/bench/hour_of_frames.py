"""The vision loop over an hour of frames, faster than the clock: ``CONFIG FRAMES``.

Loads what the vision process loads and nothing else, and prints its resident memory in
KiB after two minutes, at half time and at the end. The policy must be in force already.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from doorsill.channels.cell_link import CellServer
from doorsill.config import load_config
from doorsill.device.health import resident_kib
from doorsill.drivers.camera.opening import open_camera
from doorsill.services.detectors import open_detector
from doorsill.services.policy_apart import policy_in_force
from doorsill.services.vision import door_of
from doorsill.values import Frame
from doorsill.vision.door import Door

FIRST = 1500  # frames: two minutes at 12.5 a second


class Hand:
    """In the place of a camera: frames from a hand, to the last of them."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames

    def read(self) -> Frame | None:
        return next(self._frames, None)

    def close(self) -> None:
        return None


def show(door: Door, frames: Iterator[Frame]) -> None:
    """Let the door look at ``frames``; it is done with one when it asks for the next.

    It is done with the last one when this returns.
    """
    door.open_camera = lambda: Hand(frames)
    door.open()
    door.watch()


def frames_for_ever() -> Iterator[Frame]:
    """The clip round after round, at the speed of the machine."""
    camera = open_camera("street", "loop", (320, 256), live=False)
    while (frame := camera.read()) is not None:
        yield frame


def main(configuration: Path, frames: int) -> None:
    """Show ``frames`` frames; print the memory at three moments as JSON."""
    config = load_config(configuration)
    policy = policy_in_force(config)
    cells = CellServer(config.cell_socket)
    door = door_of(config, policy, open_detector(config.model), cells)
    gc.freeze()
    seen = []

    def shown() -> Iterator[Frame]:
        for number, frame in enumerate(islice(frames_for_ever(), frames), 1):
            yield frame
            if number in (FIRST, frames // 2, frames):
                seen.append(resident_kib())

    show(door, shown())
    cells.close()
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
