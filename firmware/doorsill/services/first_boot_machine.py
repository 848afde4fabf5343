"""What the first boot asks of systemd."""

from __future__ import annotations

import logging
import subprocess

log = logging.getLogger(__name__)

SYSTEMCTL_S = 20.0  # for an answer of systemd
TARGET = "doorsill.target"
COUNTING = ("doorsill-vision.service", "doorsill-uplink.service")
NETWORK = ("systemd-networkd.service", "systemd-timesyncd.service")
WIFI = "doorsill-wifi.service"


class Systemd:
    """See :class:`doorsill.services.first_boot.Machine`."""

    def take_network(self) -> None:
        """Have the network's files read again."""
        _ask("try-restart", *NETWORK)
        _ask("restart", WIFI)  # nothing where no Wi-Fi is wanted: its condition

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
