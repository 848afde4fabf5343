"""The vision process: it sees pixels, and all it can say are cells.

    open everything ─► listen ─► confine ─► frame, frame, frame … ─► last window ─► end

Before it looks at a single picture it has given up the network, writing, and starting
anything (``confine``). What it then does with a frame is ``door.py``.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from doorsill.config import Config, refuse_network_camera
from doorsill.confine import Confinement, confine
from doorsill.consent.handover import Handover
from doorsill.device.obedience import Obedience, declaration_of, declare
from doorsill.device.policy_apart import policy_in_force
from doorsill.link import CellServer
from doorsill.supervisor import Supervisor
from doorsill.vision.detectors import open_detector, with_probed_delegate
from doorsill.vision.door import Door, PolicyReplaced

log = logging.getLogger(__name__)

PI_CAMERA = ("/dev/video*", "/dev/media*", "/dev/v4l-subdev*", "/dev/dma_heap/*")
ACCELERATORS = ("/dev/apex_*", "/dev/bus/usb/*/*")


class Stopped(Exception):
    """SIGTERM or Ctrl-C."""


def main(config: Config) -> None:
    """Count at a door until told to stop.

    Raises ConfigError or UntrustedError before the first frame, CameraError when the
    camera does not come back.
    """
    refuse_network_camera(config.camera.source)
    obedience = Obedience(config.policy_in_force)
    policy = policy_in_force(config)
    declare(declaration_of(config, "vision"), policy.digest)
    model = with_probed_delegate(config.model)
    cells = CellServer(config.cell_socket)
    faces = Handover(config.face_socket) if config.consent else None
    supervisor = Supervisor(os.environ)
    confine(Confinement("vision", writable=devices(config)))
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _stop)
    detector = open_detector(model)
    door = Door(config, policy, detector, cells, faces, supervisor.alive, obedience)
    gc.freeze()  # what was loaded stays: the collector need not walk it between frames
    supervisor.ready("at work")
    try:
        door.watch()
    except Stopped:
        log.info("told to stop; the running window is closed")
    except PolicyReplaced:
        log.info("another policy is in force; to obey it, this process starts again")
    finally:
        supervisor.stopping()
        door.close()


def devices(config: Config) -> Sequence[Path]:
    """The device files that camera and accelerator must open for writing."""
    patterns: list[str] = []
    if config.camera.driver == "picamera":
        patterns += PI_CAMERA
    if config.camera.driver == "video" and config.camera.source.startswith("/dev/"):
        patterns.append(config.camera.source)
    if config.model.delegate:
        patterns += ACCELERATORS
    found = (Path("/").glob(each.lstrip("/")) for each in patterns)
    return tuple(path for paths in found for path in sorted(paths))


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped
