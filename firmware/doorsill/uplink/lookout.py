"""What the uplink measures of its machine. It only reads files."""

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
from doorsill.policy.document import Policy, has_expired
from doorsill.policy.obedience import read_declaration
from doorsill.policy.verdict import read_verdict
from doorsill.process.locks import Lock, locks
from doorsill.uplink.standing import Device
from doorsill.wire.messages import READERS

log = logging.getLogger(__name__)

PATHS = Lock.LANDLOCK | Lock.ROOM  # one of them must limit what may be written
MEASURE_EVERY_S = 5.0  # between two measurements
HASH_CHARACTERS = 32  # of a SHA-256 on the wire, hexadecimal
DISOBEYED_MOST = 3  # measurements in a row: to obey, vision takes seconds to restart


@dataclass(slots=True)
class Lookout:
    """Measures every few seconds; see the fields for the files that it reads."""

    policy: Policy  # the one that this process obeys
    certificate: Path  # our own, PEM
    policy_in_force: Path
    verdict: Path  # on the policy that came by air last
    outbox: Path
    declaration: Path  # where vision declares which policy it obeys
    reader_note: Path | None  # the vault's word on its reader; None without a vault
    root: Path = Path("/")  # the folder that holds proc, sys and run
    _chain: Sequence[x509.Certificate] = ()
    _floor: float = 0.0  # UTC s; before it the clock is wrong
    _seen: Device = field(default_factory=Device)
    _due_at: float = float("-inf")  # next measurement, s, monotonic
    _disobeyed: int = 0  # measurements in a row at which vision obeyed another policy

    def __post_init__(self) -> None:
        self._chain = pem.read_chain(self.certificate)
        began = [each.not_valid_before_utc.timestamp() for each in self._chain]
        in_force = clock.when_written(self.policy_in_force)
        self._floor = clock.floor_of([*began, *in_force])

    def look(self, now: float) -> Device:
        """What was last measured; ``now`` is monotonic s."""
        if now >= self._due_at:
            self._due_at = now + MEASURE_EVERY_S
            try:
                self._seen = self._measure(time.time())
            except OSError as error:  # the windows matter more
                log.debug("cannot look around: %s", error)
        return self._seen

    def _measure(self, utc: float) -> Device:
        ends = min(each.not_valid_after_utc for each in self._chain)
        held = locks().held
        found = Device(
            locks=tuple(str(each.name).lower() for each in Lock if each in held),
            locked=Lock.SECCOMP in held and bool(held & PATHS),
            policy_obeyed=self._is_obeyed(),
            policy_expired=has_expired(self.policy, utc),
            clock_good=utc >= self._floor,
            synchronised=clock.is_synchronised(self.root),
            certificate_days=(ends - datetime.fromtimestamp(utc, UTC)).days,
            reader=self._reader(),
            power=health.power(self.root),
            temperature_c=health.temperature_c(self.root),
        )
        said = read_verdict(self.verdict)
        if said is not None and said.refused:
            found = replace(
                found,
                policy_refused=said.digest[:HASH_CHARACTERS],
                policy_why=said.word,
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
            return True  # this user may not read it; ``status`` can
        other = theirs is not None and theirs != self.policy.digest
        self._disobeyed = self._disobeyed + 1 if other else 0
        return self._disobeyed < DISOBEYED_MOST

    def _reader(self) -> str:
        """The vault's word on its reader; "unknown" if it does not run."""
        if self.reader_note is None:
            return "unused"
        return read_note(self.reader_note, READERS) or "unknown"
