"""The vision process: it sees pixels, and all it can send are cells.

    listen ─► restrict ─► model ─► camera, close ─► frame, frame … ─► last window

Before the first picture it has given up the network, writing, and starting processes
(``confine``). All that must be opened for writing is open by then. So a camera that
fails, or that is closed with the shop, is not opened again here: the process ends, and
the supervisor starts it again. ``vision/door.py`` says what is done with a frame.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from doorsill.channels.cell_link import CellServer
from doorsill.channels.crop_sender import Handover
from doorsill.config import CameraSection, Config, refuse_network_camera
from doorsill.drivers.camera.opening import open_camera
from doorsill.drivers.nodes import (
    ACCELERATORS,
    PI_CAMERA,
    camera_node,
    is_device,
    nodes_of,
)
from doorsill.models.allowed import allowed_models, require_allowed
from doorsill.models.manifest import shipped
from doorsill.policy.document import Policy
from doorsill.policy.obedience import Obedience, declare
from doorsill.process.confine import Confinement, close, restrict
from doorsill.process.scribe import Scribe
from doorsill.process.scribe import start as start_scribe
from doorsill.process.stopping import Stopped, listen
from doorsill.process.supervisor import Supervisor
from doorsill.services.detectors import open_detector, open_reader, with_probed_delegate
from doorsill.services.policy_apart import policy_in_force
from doorsill.vision.attributes.tracks import is_allowed
from doorsill.vision.detect.detector import Detector
from doorsill.vision.door import Door, PolicyReplaced
from doorsill.vision.words import WORDS

log = logging.getLogger(__name__)


def main(config: Config) -> None:
    """Count at a door until a signal asks to stop.

    Raises ConfigError or UntrustedError before the first frame, CameraError if the
    camera has to be opened again.
    """
    stop = listen()
    refuse_network_camera(config.camera.source)
    scribe = start_scribe("doorsill.vision", WORDS)
    obedience = Obedience(config.policy_in_force)
    policy = policy_in_force(config)
    declare(config.declaration("vision"), policy.digest)
    models = allowed_models(policy.models)
    if is_allowed(policy) and config.model.attributes:
        name = config.model.attributes
        require_allowed(shipped(name).sha256, models, name)
    model = with_probed_delegate(config.model, models)
    cells = CellServer(config.cell_socket)
    faces = Handover(config.face_socket) if config.consent else None
    supervisor = Supervisor(os.environ)
    keep = Confinement("vision", writable=devices(config))
    stop.check()
    restrict(keep)
    door = door_of(config, policy, open_detector(model, models), cells)
    door.stop, door.faces = stop, faces
    door.alive, door.obedience = supervisor.alive, obedience
    supervisor.ready("at work")
    try:
        open_and_close(config.camera, door, keep, scribe)
        gc.freeze()  # what is there stays: the collector need not walk it any more
        door.watch()
    except Stopped:
        log.info("asked to stop; the running window is closed")
    except PolicyReplaced:
        log.info("another policy is in force; to obey it, this process starts again")
    finally:
        supervisor.stopping()
        door.close()


def door_of(
    config: Config, policy: Policy, detector: Detector, cells: CellServer
) -> Door:
    """The door that ``config`` describes, under ``policy``; nothing is opened yet."""
    camera = config.camera
    reads = is_allowed(policy) and config.model.attributes
    models = allowed_models(policy.models)
    return Door(
        policy,
        detector,
        cells,
        open_camera=lambda: open_camera(
            camera.driver, camera.source, detector.fit, frame_rate=camera.frame_rate
        ),
        open_reader=(lambda: open_reader(config.model, models)) if reads else None,
        k=max(policy.k, config.privacy.k),
    )


def open_and_close(
    camera: CameraSection, door: Door, keep: Confinement, scribe: Scribe
) -> None:
    """Open the camera and close the process, as early as that camera allows.

    At the end these are open: both sockets, the supervisor's socket, the accelerator,
    and the camera with its buffers and threads. Nothing can be opened for writing any
    more. From then on the process cannot write any text of its own either.
    """
    if camera.driver == "picamera":
        # libcamera needs more than vision may keep: netlink, the heap of buffers, all
        # nodes of the sensor. Its cable carries raw pixels, which need no decoder.
        door.open()
        scribe.take_over()
        close(keep)
    elif is_device(camera.source):
        # FFmpeg opens a webcam and decodes its first pictures in one call.
        scribe.take_over()
        close(replace(keep, process="opening"))
        door.open()
        close(keep)
    else:  # a recording is only read
        scribe.take_over()
        close(keep)
        door.open()


def devices(config: Config) -> Sequence[Path]:
    """The device files that camera and accelerator must open for writing."""
    found: list[Path] = []
    if config.camera.driver == "picamera":
        found += nodes_of(PI_CAMERA)
    if config.camera.driver == "video" and is_device(config.camera.source):
        node = camera_node(config.camera.source)
        found += [] if node is None else [node]
    if config.model.delegate:
        found += nodes_of(ACCELERATORS)
    return found
