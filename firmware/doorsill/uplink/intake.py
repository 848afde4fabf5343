"""From vision to the disk: take cells, recount them, store them, acknowledge.

If the disk fails, cells are no longer read, but they are still counted: vision keeps
those that were not acknowledged, for days. Everything that is reported, ``live`` too,
is on disk before it is reported, so a published total never shrinks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from doorsill.cells import MINUTE_S, HealthCell, Quality
from doorsill.channels.cell_link import Received, VisionLeftError
from doorsill.errors import UntrustedError, UplinkError
from doorsill.privacy.budget import Ledger
from doorsill.privacy.noise import Below
from doorsill.uplink.attributes import AttributeRules, ReportContext, consider
from doorsill.uplink.outbox import Outbox
from doorsill.uplink.pieces import Window, check_health, minute_of, place_of
from doorsill.uplink.reports import Release, entries_of
from doorsill.uplink.rows import Batch, Entry
from doorsill.uplink.standing import flag_fault
from doorsill.uplink.tally import Minute, Tally
from doorsill.uplink.tally_text import text_of

log = logging.getLogger(__name__)

LOST_MOST = 1 << 16  # lost cameras that are counted; ``health`` reports no more
HELD_LIMIT = 1000  # cells in memory while the disk fails
READ_LIMIT = 256  # cells in one batch
RETRY_LEAST_S = 1.0  # first wait after a failure
RETRY_MOST_S = 30.0  # longest wait after a failure of the disk
SILENT_S = 60.0  # after so long without a cell, we close vision's minutes ourselves
COMPLAIN_EVERY_S = 60.0  # between two log lines about vision


class Link(Protocol):
    """The uplink's end of the cell socket, as ``cell_link.CellClient``."""

    def fileno(self) -> int: ...
    def receive(self, timeout: float) -> Received | None: ...
    def acknowledge(self, sequence: int) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class _Work:
    """The result of a batch of cells; it takes effect when it is on disk."""

    tally: Tally
    ledger: Ledger
    minutes: list[Minute] = field(default_factory=list)
    reports: list[Entry] = field(default_factory=list)
    refused: int = 0  # cells that no door could have made
    why: str = ""  # the reason of the last of them


@dataclass(slots=True)
class Intake:
    """Owns the link and the tally; ``newest`` is the last cell of each place."""

    connect: Callable[[], Link]
    outbox: Outbox
    rules: AttributeRules
    release: Release
    below: Below  # source of noise; it also draws the epochs
    tally: Tally  # as it is on disk
    booted: int = 0  # UTC s, when this machine began to run: no cell is older
    link: Link | None = None
    newest: dict[str, Window] = field(default_factory=dict)
    last: Minute | None = None  # the last minute closed since our start
    health: HealthCell | None = None
    spoke_at: float | None = None  # when vision's last cell came, s, monotonic
    problems: tuple[str, ...] = ()  # at the last moment at which windows went out
    refused: int = 0  # cells that no door could have made
    disk_failures: int = 0
    _held: list[Received] = field(default_factory=list)
    _newest_sequence: int | None = None  # on this link; a new vision counts from 1
    _retry_at: float = 0.0  # when the disk is tried again, s, monotonic
    _wait: float = RETRY_LEAST_S  # after the next failure of the disk, s
    _try_link_at: float = 0.0  # when vision is tried again, s, monotonic
    _health_run: int | None = None  # run of vision whose health came last
    _lost_before: int = 0  # cameras lost by earlier runs of vision
    _begun: bool = False  # whether the tally was taken up since our start
    _heard_at: float | None = None  # last cell or connection, s, monotonic
    _since: int = 0  # UTC s, from when we know of minutes without vision
    _complain_at: float = float("-inf")  # next log line about vision, s, monotonic
    _kept_quiet: int = 0  # log lines that were left out

    @property
    def wants(self) -> Link | None:
        """The link to wait on, or None while there is no room for more."""
        return self.link if len(self._held) < HELD_LIMIT else None

    def step(self, now: float, utc: float) -> None:
        """Read the cells that are there and store them.

        ``now`` is monotonic s, ``utc`` the time now in UTC s.
        """
        if self._heard_at is None:
            self._heard_at, self._since = now, minute_of(utc) + MINUTE_S
        if self.link is None and now >= self._try_link_at:
            self._connect(now)
        self._read(now)
        if now >= self._retry_at:
            self._store(now, utc)

    @property
    def takes(self) -> bool:
        """Whether the disk did not fail at the last try."""
        return self._wait == RETRY_LEAST_S

    def leave(self, utc: float) -> None:
        """Disconnect from vision, and close the open minute if vision has closed it.

        If vision runs on, its minute stays open on the disk: vision ends it itself.
        Raises UplinkError if the disk fails.
        """
        if self.link is not None:
            self._drop()
        work = _Work(self.tally.copy(), self.outbox.ledger())
        if work.tally.minute is not None and not work.tally.running:
            work.minutes.append(work.tally.close())
            self._keep(work)

    def _drop(self) -> None:
        """Disconnect; cells that were not acknowledged come again."""
        if self.link is not None:
            self.link.close()
            self.link = self._newest_sequence = None

    def _connect(self, now: float) -> None:
        try:
            self.link = self.connect()
        except UplinkError as error:
            log.debug("%s", error)
            self._try_link_at = now + RETRY_LEAST_S
        else:
            self._heard_at = now
            log.info("connected to vision")

    def _read(self, now: float) -> None:
        try:
            for _ in range(READ_LIMIT):
                if self.wants is None or (received := self.wants.receive(0)) is None:
                    return
                self._newest_sequence = received.sequence
                self._heard_at = self.spoke_at = now
                self._held.append(received)
        except VisionLeftError:
            log.info("vision went away")  # if it stays away, a problem is reported
            self._leave_vision(now)
        except UplinkError as error:
            self._complain(f"vision: {error}", now)
            self._leave_vision(now)

    def _leave_vision(self, now: float) -> None:
        self._try_link_at = now + RETRY_LEAST_S
        self._drop()

    def _store(self, now: float, utc: float) -> None:
        try:
            work = self._work(now, utc)
            if work is not None:
                self._keep(work)
        except UplinkError as error:
            self.disk_failures += 1
            if self._wait == RETRY_LEAST_S:
                log.error("%s; kept in memory and tried again", error)
            self._retry_at = now + self._wait
            self._wait = min(2 * self._wait, RETRY_MOST_S)
            return
        if self._wait > RETRY_LEAST_S:
            log.info("the outbox takes data again")
        self._wait = RETRY_LEAST_S
        if work is not None and work.why:
            self._complain(f"a cell of vision is refused: {work.why}", now)
        if self._held:
            self._held.clear()
            self._acknowledge(now)

    def _work(self, now: float, utc: float) -> _Work | None:
        """What is to be stored at this moment; None if there is nothing."""
        silent = not self._held and self._silent(now)
        if self._begun and not (self._held or silent or self.tally.is_set_back(utc)):
            return None
        work = _Work(self.tally.copy(), self.outbox.ledger())
        if not self._begun:
            work.minutes += work.tally.begin_again(self.booted)
        work.minutes += work.tally.set_back(utc, self.below(2**32))
        for received in self._held:
            try:
                self._take(work, received, utc)
            except UntrustedError as error:
                work.refused, work.why = work.refused + 1, str(error)
        if silent:
            work.minutes += work.tally.lapse(utc, self._since)
        return work

    def _take(self, work: _Work, received: Received, utc: float) -> None:
        """Take one cell; UntrustedError if no door could have made it."""
        cell = received.cell
        if isinstance(cell, HealthCell):
            self._hear_health(received.run, check_health(cell))
        elif isinstance(cell, Window):
            work.minutes += work.tally.take(received, utc)
            self.newest[place_of(cell)] = cell
        else:
            came_in = work.tally.take_looks(received)
            context = ReportContext(self.release, self.below)
            done = consider(cell, came_in, self.rules, work.ledger, context)
            work.tally.mark_looks_used(cell)
            work.ledger = done.ledger
            work.reports += [] if done.report is None else [done.report]

    def _hear_health(self, run: int, cell: HealthCell) -> None:
        """Add the cameras lost by earlier runs of vision: each run ended with one."""
        if run != self._health_run:
            self._health_run = run
            self._lost_before = (
                0 if self.health is None else self.health.camera_restarts
            )
        lost = min(self._lost_before + cell.camera_restarts, LOST_MOST)
        self.health = replace(cell, camera_restarts=lost)

    def _keep(self, work: _Work) -> None:
        """Put ``work`` on disk if there is something new in it; then it holds."""
        work.minutes = [_mark(each, self.problems) for each in work.minutes]
        entries = [
            entry
            for minute in work.minutes
            for entry in entries_of(minute, self.release, self.rules.k)
        ]
        if entries or work.reports or work.tally.counts != self.tally.counts:
            text = text_of(work.tally)
            self.outbox.store(Batch([*entries, *work.reports], text, work.ledger))
        self.tally, self._begun = work.tally, True
        self.refused += work.refused
        self.last = work.minutes[-1] if work.minutes else self.last

    def _silent(self, now: float) -> bool:
        return self._heard_at is not None and now - self._heard_at >= SILENT_S

    def _acknowledge(self, now: float) -> None:
        if self.link is None or self._newest_sequence is None:
            return
        try:
            self.link.acknowledge(self._newest_sequence)
        except UplinkError as error:
            self._complain(f"vision: {error}", now)
            self._drop()

    def _complain(self, why: str, now: float) -> None:
        """Log ``why``, but not too often: vision must not be able to fill the log."""
        if now < self._complain_at:
            self._kept_quiet += 1
            return
        more = f" ({self._kept_quiet} more since)" if self._kept_quiet else ""
        log.warning("%s%s", why, more)
        self._complain_at, self._kept_quiet = now + COMPLAIN_EVERY_S, 0


def _mark(minute: Minute, problems: tuple[str, ...]) -> Minute:
    """``minute`` with the flag ``fault`` if we know of a problem."""
    sums = {
        place: replace(each, quality=int(flag_fault(Quality(each.quality), problems)))
        for place, each in minute.sums.items()
    }
    return replace(minute, sums=sums)
