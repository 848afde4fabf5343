"""One camera as it is: vision, vault, policy and uplink, after its half year.

It films canary faces, its vault has no card, and it goes on with the outbox, totals and
epoch that the replay left.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

from limits import END_S, PROGRAM_S, wait_until
from replay.processes import Processes

NAME = "whole-camera"
FILMED_S = 25.0  # how long it films
SECTIONS = '\n[consent]\nca = "consent-ca.pem"\n'
CAMERA = 'driver = "video"\nsource = "{film}"\nframe_rate = 3.0'


def equip(folder: Path, film: Path) -> None:
    """Give the camera in ``folder`` a lens and a vault."""
    path = folder / "doorsill.toml"
    text = path.read_text()
    if SECTIONS not in text:
        camera = CAMERA.format(film=film)
        text = text.replace('driver = "street"', camera) + SECTIONS
        path.write_text(text)


def last(processes: Processes, folder: Path) -> str:
    """Run it for a while, and stop it as a person does; what its processes said."""
    path = folder / "doorsill.toml"
    child = processes.start(NAME, "doorsill", "run", "--config", str(path))
    wait_until(
        lambda: "connected to the broker" in processes.words(NAME) or child.poll(),
        lambda: processes.words(NAME),
        PROGRAM_S,
    )
    time.sleep(FILMED_S)
    child.send_signal(signal.SIGTERM)
    child.wait(END_S)
    return processes.words(NAME)
