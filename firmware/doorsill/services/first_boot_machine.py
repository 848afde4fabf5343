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
ON_THEIR_WAY = {"active", "activating", "reloading"}
READERS = {  # of each of the network's files, and how it is read again
    LINK: ("try-restart", "systemd-networkd.service"),
    CLOCK: ("try-restart", "systemd-timesyncd.service"),
    # Nothing where no Wi-Fi is wanted: its condition.
    WIFI: ("restart", "doorsill-wifi.service"),
}
PORTS = "doorsill-ports.service"


class Systemd:
    """See :class:`doorsill.services.first_boot.Machine`."""

    def take_network(self, changed: Iterable[Path]) -> None:
        """Have those of the network's files read again that changed."""
        for each in changed:
            _ask("--no-block", *READERS[each])

    def open_ports(self) -> bool:
        """Let out the ports that were written; whether that was done."""
        if _ask("show", "--property=LoadState", "--value", PORTS) == "not-found\n":
            return True  # a machine with a filter of its own, or none
        return _ask("start", PORTS) is not None  # it does one thing and ends

    def take_settings(self, unit: str) -> bool:
        """Have the configuration's devices shown to units, then ``unit`` started again.

        All of them only where they run; the vault also where it had ended. Whether that
        was done.
        """
        if _ask("daemon-reload") is None:
            return False
        verb = "try-restart" if unit == TARGET else "restart"
        return _ask("--no-block", verb, unit) is not None

    def start_counting(self) -> None:
        """Start the processes, unless they run or are about to.

        Each start of the target decides on the policy again, beside two that begin.
        """
        states = _states()
        if len(states) < len(COUNTING) or set(states) - ON_THEIR_WAY:
            _ask("--no-block", "start", TARGET)

    def counts(self) -> bool:
        """Whether vision and uplink have said that they are ready."""
        return _states() == ["active"] * len(COUNTING)


def _states() -> list[str]:
    """Of vision and uplink; [] where systemd does not answer."""
    return (_ask("show", "--property=ActiveState", "--value", *COUNTING) or "").split()


def _ask(*words: str) -> str | None:
    """What systemctl prints; None, and a line in the log, where it fails."""
    command = ["systemctl", *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SYSTEMCTL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("systemctl %s: %s", " ".join(words), error)
        return None
    if done.returncode:
        log.warning("systemctl %s: %s", " ".join(words), done.stderr.strip())
        return None
    return done.stdout
