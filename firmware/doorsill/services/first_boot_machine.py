"""What the first boot asks of systemd."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterable
from pathlib import Path

from doorsill.device.network_files import CLOCK, LINK, WIFI

log = logging.getLogger(__name__)

SYSTEMCTL_S = 20.0  # for an answer of systemd
TARGET = "doorsill.target"
COUNTING = ("doorsill-vision.service", "doorsill-uplink.service")
READERS = {  # of each of the network's files, and how it is read again
    LINK: ("try-restart", "systemd-networkd.service"),
    CLOCK: ("try-restart", "systemd-timesyncd.service"),
    # Nothing where no Wi-Fi is wanted: its condition.
    WIFI: ("restart", "doorsill-wifi.service"),
}


class Systemd:
    """See :class:`doorsill.services.first_boot.Machine`."""

    def take_network(self, changed: Iterable[Path]) -> None:
        """Have those of the network's files read again that changed."""
        for each in changed:
            _ask(*READERS[each])

    def start_counting(self) -> None:
        """Start the processes, if they do not run."""
        _ask("start", TARGET)

    def counts(self) -> bool:
        """Whether vision and uplink have said that they are ready."""
        said = _ask("show", "--property=ActiveState", "--value", *COUNTING)
        return said.split() == ["active"] * len(COUNTING)


def _ask(verb: str, *words: str) -> str:
    """What systemctl prints; empty, and a line in the log, where it fails."""
    command = ["systemctl", "--no-block", verb, *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SYSTEMCTL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("systemctl %s: %s", verb, error)
        return ""
    if done.returncode:
        log.warning("systemctl %s: %s", verb, done.stderr.strip())
    return done.stdout
