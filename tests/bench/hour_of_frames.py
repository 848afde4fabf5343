"""The vision loop over an hour of frames, faster than the clock: ``CONFIG FRAMES``.

Loads what the vision process loads and nothing else, and prints its resident memory in
KiB after two minutes, at half time and at the end. The policy must be in force already.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from doorsill.channels.cell_link import CellServer
from doorsill.config import Config, load_config
from doorsill.device.health import resident_kib
from doorsill.drivers.camera.opening import open_camera
from doorsill.policy.document import Policy
from doorsill.services.detectors import open_detector
from doorsill.services.policy_apart import policy_in_force
from doorsill.services.vision import door_of
from doorsill.values import Frame
from doorsill.vision.door import Door

FIRST = 1500  # frames: two minutes at 12.5 a second


class DrivenDoor(Door):
    """The door of the product, given frames by hand instead of by a camera."""

    def _begin_and_take(self, frame: Frame) -> None:
        self._steps = self._begin(frame)
        self._take(frame)

    def show(self, frame: Frame) -> None:
        """Look at one frame."""
        if self._steps is None:
            self._begin_and_take(frame)
        else:
            self._take(frame)


def driven_door(config: Config, policy: Policy, cells: CellServer) -> DrivenDoor:
    """The door of ``config``, whose camera is a hand."""
    made = door_of(config, policy, open_detector(config.model), cells)
    return DrivenDoor(
        policy, made.detector, cells, made.open_camera, made.k, made.open_reader
    )


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
    door = driven_door(config, policy, cells)
    gc.freeze()
    seen = []
    for number, frame in enumerate(frames_for_ever(), 1):
        door.show(frame)
        frame.release()
        if number in (FIRST, frames // 2, frames):
            seen.append(resident_kib())
        if number == frames:
            break
    cells.close()
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
