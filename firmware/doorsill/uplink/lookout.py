"""What the uplink measures of the machine it runs on: files read, nothing written."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from doorsill.channels.note import read_note
from doorsill.device import clock, health
from doorsill.documents import pem
from doorsill.errors import ConfigError
from doorsill.policy.obedience import read_declaration
from doorsill.process.locks import Lock, locks
from doorsill.uplink.standing import Device
from doorsill.wire.messages import READERS

log = logging.getLogger(__name__)

PATHS = Lock.LANDLOCK | Lock.ROOM  # either of them holds what may be written
LOOK_EVERY_S = 5.0
DISOBEYED_LOOKS = 3  # vision starts again to obey; that takes it some seconds


@dataclass(slots=True)
class Lookout:
    """Looks every few seconds; ``policy`` is the hash of the one that we obey.

    ``declaration`` is where vision says which it obeys; ``reader_note`` is where the
    vault says how its reader is, None where there is no vault.
    """

    policy: str
    certificate: Path
    policy_in_force: Path
    outbox: Path
    declaration: Path
    reader_note: Path | None
    root: Path = Path("/")
    _chain: Sequence[x509.Certificate] = ()
    _floor: float = 0.0  # UTC s; before it the clock is wrong
    _seen: Device = field(default_factory=Device)
    _look_at: float = float("-inf")  # s, monotonic
    _disobeyed: int = 0  # looks in a row

    def __post_init__(self) -> None:
        self._chain = pem.read_chain(self.certificate)
        began = [each.not_valid_before_utc.timestamp() for each in self._chain]
        in_force = clock.when_written(self.policy_in_force)
        self._floor = clock.floor_of([*began, *in_force])

    def look(self, now: float) -> Device:
        """What was last measured; ``now`` is monotonic s."""
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            try:
                self._seen = self._measured(time.time())
            except OSError as error:  # a look is not worth a window
                log.debug("cannot look around: %s", error)
        return self._seen

    def _measured(self, utc: float) -> Device:
        ends = min(each.not_valid_after_utc for each in self._chain)
        held = locks().held
        found = Device(
            locks=tuple(str(each.name).lower() for each in Lock if each in held),
            locked=Lock.SECCOMP in held and bool(held & PATHS),
            policy_obeyed=self._is_obeyed(),
            clock_good=utc >= self._floor,
            synchronised=clock.is_synchronised(self.root),
            certificate_days=(ends - datetime.fromtimestamp(utc, UTC)).days,
            reader=self._reader(),
            power=health.power(self.root),
            temperature_c=health.temperature_c(self.root),
        )
        with contextlib.suppress(OSError):
            free = health.disk_free_mib(self.outbox.parent)
            found = replace(found, disk_free_mib=free)
        return found

    def _is_obeyed(self) -> bool:
        """Whether vision obeys the same policy as we do, or does not run."""
        try:
            theirs = read_declaration(self.declaration)
        except ConfigError:
            return True  # we may not look; ``status`` may
        other = theirs is not None and theirs != self.policy
        self._disobeyed = self._disobeyed + 1 if other else 0
        return self._disobeyed < DISOBEYED_LOOKS

    def _reader(self) -> str:
        """The vault's word; unknown where it does not run."""
        if self.reader_note is None:
            return "unused"
        return read_note(self.reader_note, READERS) or "unknown"
