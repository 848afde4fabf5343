"""From vision to the disk: take cells, keep them safe, then acknowledge.

A disk that takes nothing stops the reading, not the counting: vision keeps what was
not acknowledged, for days. A window that never closed (power cut, vision crashed) is
told as far as it came, with its gap.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from doorsill.cells import Cell, HealthCell, LineCell, ZoneCell
from doorsill.errors import UntrustedError, UplinkError
from doorsill.privacy.noise import Below
from doorsill.uplink.looks import Desk, Rules, consider
from doorsill.uplink.outbox import Outbox
from doorsill.uplink.reports import (
    Release,
    cut_short,
    entry_of,
    event_of,
    place_of,
    running_of,
)
from doorsill.uplink.rows import Batch, Entry, Running

log = logging.getLogger(__name__)

HELD_LIMIT = 1000  # cells in memory while the disk takes none
READ_LIMIT = 256  # cells in one batch
RETRY_S = 1.0, 30.0

Window = LineCell | ZoneCell


class Link(Protocol):
    """The uplink's end of the cell socket, as ``link.CellClient``."""

    def fileno(self) -> int: ...
    def receive(self, timeout: float) -> tuple[int, Cell] | None: ...
    def acknowledge(self, sequence: int) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class Intake:
    """Owns the link; ``newest`` is what was last heard of each place."""

    connect: Callable[[], Link]
    outbox: Outbox
    rules: Rules
    release: Release
    below: Below
    link: Link | None = None
    newest: dict[str, Window] = field(default_factory=dict)
    health: HealthCell | None = None
    refused: int = 0
    disk_failures: int = 0
    _held: list[Cell] = field(default_factory=list)
    _newest_sequence: int | None = None  # of this link; another vision counts anew
    _desk: Desk = field(default_factory=Desk)
    _running: dict[str, Running] = field(default_factory=dict)
    _stored: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _retry_at: float = 0.0  # s, monotonic
    _wait: float = RETRY_S[0]
    _try_link_at: float = 0.0

    def __post_init__(self) -> None:
        self._running = {each.place: each for each in self.outbox.running()}

    @property
    def wants(self) -> Link | None:
        """The link to wait on, or None while there is no room for more."""
        return self.link if len(self._held) < HELD_LIMIT else None

    def step(self, now: float) -> None:
        """Read what is there and store it; ``now`` is monotonic s."""
        if self.link is None and now >= self._try_link_at:
            self._connect(now)
        self._read(now)
        if self._held and now >= self._retry_at:
            self._store(now)

    @property
    def takes(self) -> bool:
        """Whether the disk took what was last stored."""
        return self._wait == RETRY_S[0]

    def close(self) -> None:
        """Leave vision; what was not acknowledged comes again."""
        if self.link is not None:
            self.link.close()
            self.link = self._newest_sequence = None

    def _connect(self, now: float) -> None:
        try:
            self.link = self.connect()
        except UplinkError as error:
            log.debug("%s", error)
            self._try_link_at = now + RETRY_S[0]
        else:
            log.info("connected to vision")

    def _read(self, now: float) -> None:
        try:
            for _ in range(READ_LIMIT):
                if self.wants is None or (item := self.wants.receive(0)) is None:
                    return
                self._newest_sequence, cell = item
                self._note(cell)
                self._held.append(cell)
        except UplinkError as error:
            log.warning("%s", error)
            self._try_link_at = now + RETRY_S[0] / 4
            self.close()

    def _note(self, cell: Cell) -> None:
        """An older window that vision sends again does not turn the totals back."""
        if isinstance(cell, HealthCell):
            self.health = cell
            return
        known = self.newest.get(place_of(cell))
        if known is None or known.epoch != cell.epoch or known.start <= cell.start:
            self.newest[place_of(cell)] = cell

    def _store(self, now: float) -> None:
        windows = [cell for cell in self._held if not isinstance(cell, HealthCell)]
        try:
            self._store_windows(windows)
        except UplinkError as error:
            self.disk_failures += 1
            if self._wait == RETRY_S[0]:
                log.error("%s; kept in memory and tried again", error)
            self._retry_at = now + self._wait
            self._wait = min(2 * self._wait, RETRY_S[1])
            return
        if self._wait > RETRY_S[0]:
            log.info("the outbox takes data again")
        self._wait = RETRY_S[0]
        self._acknowledge()

    def _store_windows(self, windows: list[Window]) -> None:
        running = dict(self._running)
        entries: list[Entry] = []
        for cell in windows:
            entries += self._take(cell, running)
        taken = {entry.event for entry in entries}
        closed = {
            event_of(cell): cell
            for cell in windows
            if isinstance(cell, LineCell) and cell.closed and event_of(cell) in taken
        }
        new = self.outbox.unseen(list(closed))
        considered = consider(
            self._desk,
            [closed[event] for event in new],
            self.rules,
            self.outbox.ledger(),
            (self.release, self.below),
        )
        counts = {
            place: _counts(self.newest[place])
            for place in running
            if place in self.newest
        }
        moved = [place for place in counts if counts[place] != self._stored.get(place)]
        batch = Batch(
            entries=[*entries, *considered.reports],
            running=[running[place] for place in moved],
            finished=[place for place in self._running if place not in running],
            ledger=considered.ledger,
        )
        if batch.entries or batch.running or batch.finished:
            self.outbox.store(batch)
        self._desk, self._running = considered.desk, running
        self._stored.update({place: counts[place] for place in moved})

    def _take(self, cell: Window, running: dict[str, Running]) -> list[Entry]:
        """The rows that ``cell`` gives; ``running`` becomes what it is after it."""
        place, entries = place_of(cell), []
        try:
            now = running_of(cell, self.release, self.rules.k)
            before = running.get(place)
            if before is not None and _never_closed(before, cell):
                entries.append(cut_short(before))
                del running[place]
            if not cell.closed:
                running[place] = now
                return entries
            entries.append(entry_of(cell, self.release, self.rules.k))
        except UntrustedError as error:
            self.refused += 1
            log.error("a cell of vision is refused: %s", error)
            return entries
        if place in running and running[place].start == cell.start:
            del running[place]
        return entries

    def _acknowledge(self) -> None:
        self._held.clear()
        if self.link is None or self._newest_sequence is None:
            return
        try:
            self.link.acknowledge(self._newest_sequence)
        except UplinkError as error:
            log.warning("%s", error)
            self.close()


def _never_closed(before: Running, cell: Window) -> bool:
    """Vision went on to another window, or started anew, without closing this one."""
    if before.epoch != cell.epoch:
        return True
    return cell.start > before.start


def _counts(cell: Window) -> tuple[int, ...]:
    """What a power cut must not take; the coverage alone is not worth a write."""
    if isinstance(cell, LineCell):
        return cell.epoch, cell.start, cell.total_in, cell.total_out
    return cell.epoch, cell.start, cell.visits, cell.occupancy_max
