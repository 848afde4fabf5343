"""``doorsill run`` renews a certificate that a fleet gave, at two thirds of its life.

Under systemd ``doorsill-renew.timer`` does the same.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from doorsill.device import identity
from doorsill.documents.reading import read_if_there
from doorsill.enrolment.renewing import due_at
from doorsill.errors import DoorsillError
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

    def turn(self, now: float, utc: float) -> bool:
        """Look, and ask if it is time; True once, when another certificate is there.

        ``now`` is s, monotonic; ``utc`` is s.
        """
        if self._child is not None:
            return self._ended(now)
        if now >= self._next:
            self._next = now + LOOK_EVERY_S
            if self._is_due(utc):
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

    def _is_due(self, utc: float) -> bool:
        if not (self.folder / "fleet.json").is_file():
            return False  # no fleet gave it, so none renews it
        if (self.folder / "renewal").is_dir():
            return True  # one that was cut
        try:
            due = due_at(identity.load(self.folder).certificate)
        except DoorsillError as error:
            log.error("the certificate cannot be renewed: %s", error)
            return False
        return datetime.fromtimestamp(utc, UTC) >= due


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
