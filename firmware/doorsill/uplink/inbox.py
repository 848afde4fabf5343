"""Where a policy that came by air waits for the policy process. Nothing is parsed here.

    broker ─► take ─► one file, the newest ─► the policy process ─► its verdict
                            ▲                                           │
                            └── written again, while none answers it ◄──┘

The process that speaks cannot put a policy in force: it writes this file and reads the
verdict. What is lost on the way, by a kill or a full disk, is asked for again here.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from doorsill.documents.durable import put
from doorsill.documents.reading import read_if_there
from doorsill.errors import ConfigError, UplinkError
from doorsill.policy.verdict import digest_of, read_verdict
from doorsill.wire.messages import POLICY_LARGEST_BYTES

log = logging.getLogger(__name__)

REST_S = 3.0  # at least, between two writes, however often the office publishes
ASK_AGAIN_S = 10.0  # without a verdict the file is written again; each wait doubles
ASK_AGAIN_MOST_S = 600.0  # longest of these waits


@dataclass(slots=True)
class Inbox:
    """Holds one document; all ``now`` are monotonic s."""

    path: Path
    verdict: Path
    _kept: bytes | None = field(init=False)  # what is in the file
    _waiting: bytes | None = None  # newer, and not yet on the disk
    _written_at: float = float("-inf")
    _ask_at: float = float("-inf")  # when to look for a verdict
    _patience: float = ASK_AGAIN_S

    def __post_init__(self) -> None:
        try:
            self._kept = read_if_there(self.path, POLICY_LARGEST_BYTES)
        except ConfigError as error:
            log.warning("what came by air before cannot be read: %s", error)
            self._kept = None

    def take(self, document: bytes) -> None:
        """Keep ``document`` in place of an older one, from the next ``step`` on."""
        if len(document) <= POLICY_LARGEST_BYTES:  # ``inbound`` lets no larger one by
            self._waiting = None if document == self._kept else document

    def step(self, now: float) -> None:
        """Write what has come, or what nobody has answered; UplinkError if it fails.

        The next step then tries again.
        """
        if self._waiting is not None:
            if now - self._written_at >= REST_S:
                self._patience = ASK_AGAIN_S
                self._write(self._waiting, now)
                log.info("a policy came by air: %s", digest_of(self._waiting)[:16])
                self._kept, self._waiting = self._waiting, None
        elif self._kept is not None and now >= self._ask_at:
            self._ask_at = now + self._patience
            if not self._is_answered(self._kept):
                self._patience = min(2 * self._patience, ASK_AGAIN_MOST_S)
                self._write(self._kept, now)

    def _is_answered(self, document: bytes) -> bool:
        found = read_verdict(self.verdict)
        return found is not None and found.digest == digest_of(document)

    def _write(self, document: bytes, now: float) -> None:
        self._written_at, self._ask_at = now, now + self._patience
        try:
            put(self.path, document)
        except ConfigError as error:
            raise UplinkError(str(error)) from None
