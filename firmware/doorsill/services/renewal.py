"""``doorsill run`` renews a certificate that a fleet gave, at two thirds of its life.

Under systemd ``doorsill-renew.timer`` does the same. Whether it is time is decided by a
process of its own: this one forks all others, and none of them may have loaded what
speaks with a fleet.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from doorsill.documents.reading import read_if_there
from doorsill.services.children import WIPING

log = logging.getLogger(__name__)

LOOK_EVERY_S = 3600.0  # between two looks at the certificate
TRY_S = 600.0  # for which one process asks a fleet that is down
HANGS_AFTER_S = 2 * TRY_S  # after which it is killed
KILLED_WITHIN_S = 5.0  # for the kernel to end it after SIGKILL


@dataclass(slots=True)
class Renewal:
    """One process at a time that asks; what was cut is taken up by the next one."""

    certificate: Path  # the one of the configuration
    _child: subprocess.Popen[bytes] | None = None
    _before: bytes | None = None  # the certificate when the child was started
    _began: float = 0.0  # when that was, s, monotonic
    _next: float = 0.0  # when it is looked at again, s, monotonic

    @property
    def is_asking(self) -> bool:
        """Whether a process of ours is at it."""
        return self._child is not None

    @property
    def folder(self) -> Path:
        """Where `doorsill enrol` puts a camera's files."""
        return self.certificate.parent

    def turn(self, now: float) -> bool:
        """Have a process look from time to time; True once, for another certificate.

        ``now`` is s, monotonic.
        """
        if self._child is not None:
            return self._ended(now)
        if now >= self._next:
            self._next = now + LOOK_EVERY_S
            # No fleet gave the certificate, so none renews it: without fleet.json.
            if (self.folder / "fleet.json").is_file():
                self._before = read_if_there(self.certificate)
                self._child, self._began = _start(self.folder), now
        return False

    def stop(self) -> None:
        """End it; nothing is lost."""
        if self._child is not None:
            self._child.kill()
            self._child.wait(KILLED_WITHIN_S)
            self._child = None

    def _ended(self, now: float) -> bool:
        if self._child is None or self._child.poll() is None:
            if now - self._began > HANGS_AFTER_S:
                log.error("the renewal of the certificate hangs; killed")
                self.stop()
            return False
        self._child = None
        return read_if_there(self.certificate) != self._before


def _start(folder: Path) -> subprocess.Popen[bytes]:
    """Its own session, as the other processes have, and none of our descriptors."""
    command = [sys.executable, "-m", "doorsill", "enrol", "--renew"]
    return subprocess.Popen(
        [*command, "--to", str(folder), "--wait", f"{TRY_S:g}"],
        env={**os.environ, **WIPING},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
