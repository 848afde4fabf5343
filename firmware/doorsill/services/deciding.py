"""``doorsill run`` starts the policy process when a policy came by air.

Under systemd ``doorsill-policy.path`` does the same.
"""

from __future__ import annotations

import logging
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from doorsill.policy.obedience import Obedience
from doorsill.services.children import start_child

log = logging.getLogger(__name__)

DECIDE_WITHIN_S = 60.0  # limit; a loaded, emulated camera takes 22 s
KILLED_WITHIN_S = 5.0  # for the kernel to end it after SIGKILL


@dataclass(slots=True)
class Deciding:
    """One policy process at a time; a broken one is tried again when a file comes."""

    config: Path
    arrived: Path  # where the uplink puts what came
    _seen: Obedience = field(init=False)
    _due: bool = field(init=False)  # something may lie there from before our start
    _child: subprocess.Popen[bytes] | None = None
    _began: float = 0.0  # when the child was started, s, monotonic

    def __post_init__(self) -> None:
        self._seen = Obedience(self.arrived)
        self._due = self.arrived.exists()

    def turn(self, now: float) -> None:
        """Start it if something came, or see whether it has ended; ``now`` is s."""
        if self._child is not None:
            if self._child.poll() is None:
                if now - self._began > DECIDE_WITHIN_S:
                    log.error("the policy process hangs; killed")
                    self.stop()
                return
            self._child = None
        if self._due or self._seen.is_replaced():
            self._due = False
            self._seen.renew()
            self._child, self._began = start_child(self.config, "policy"), now

    def stop(self) -> None:
        """End it; what it had not decided is decided at the next start."""
        if self._child is not None:
            self._child.kill()
            self._child.wait(KILLED_WITHIN_S)
            self._child = None
