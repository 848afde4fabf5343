"""The recount: pieces of vision become whole minutes, totals and an epoch of our own.

    pieces    |--- 24 s ---|  restart  |-- 29 s --|          added up: at most 60 s
    minute    |──────────────── 12:00 ────────────| closed, once, in order, for ever

Vision sends pieces: what it counted in a part of a minute. Here they become one window
for each place of the policy and each minute, and totals that outlive a restart.

* A minute is reported once, after the minutes before it. A piece of a minute that is
  over, or has not begun, is added to the open minute, which then gets the flag
  ``clock``. So no count is lost, and vision cannot get a second window.
* A cell that comes twice is recognised by its run and its number.
* A running piece is replaced by the next report of the same piece. If vision dies, the
  last report stays, and what was reported of it already is not counted twice.
* A clock that is set back by more than two minutes begins a new epoch. So two minutes
  with the same start can be distinguished. Totals go on.

No I/O: the clock is an argument. ``Intake`` works on a copy, which replaces the tally
when it is on disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from doorsill.cells import MINUTE_S, LooksCell, Quality
from doorsill.channels.cell_link import Received
from doorsill.errors import UntrustedError
from doorsill.privacy.threshold import slot_of
from doorsill.uplink.pieces import (
    LineSums,
    Places,
    Running,
    Sums,
    Window,
    check_looks,
    counts_only,
    minute_of,
    nothing_at,
    place_of,
    sums_of,
)

SET_BACK_S = 120  # a clock that goes back further begins a new epoch
AHEAD_S = 2  # how far the end of a cell may be ahead of our clock
LATE_S = 60  # so long after its end we close a minute without vision
EMPTY_MOST_S = 3600  # minutes without vision that are reported after a pause
SLOTS_KEPT = 16  # slots of people who came in that are kept: two days
TOTAL_MOST = 999_999_999  # of one direction of a line
CLOCK = Quality.CLOCK


@dataclass(frozen=True, slots=True)
class Minute:
    """A closed minute: what is reported of each place, in the policy's order."""

    start: int  # UTC s
    epoch: int
    sums: dict[str, Sums]
    totals: tuple[tuple[int, int], ...]  # of each line, this minute included


@dataclass(slots=True)
class Tally:
    """The open minute and everything that must survive a power cut."""

    places: Places
    epoch: int
    floor: int  # UTC s: earlier minutes are not reported any more
    minute: int | None = None  # start of the open minute, UTC s
    heard: tuple[int, int] = (0, 0)  # run and number of the last closed cell
    settled: dict[str, Sums] = field(default_factory=dict)  # of closed pieces
    running: dict[str, Running] = field(default_factory=dict)  # pieces not closed yet
    reported: dict[str, Running] = field(default_factory=dict)  # of running pieces
    ended: set[str] = field(default_factory=set)  # places whose minute is complete
    totals: list[list[int]] = field(default_factory=list)  # in and out of each line
    came_in: dict[tuple[int, int], int] = field(default_factory=dict)  # by line, slot
    looked_until: dict[int, int] = field(default_factory=dict)  # by line, UTC s

    def __post_init__(self) -> None:
        while len(self.totals) < self.places.lines:
            self.totals.append([0, 0])

    def take(self, received: Received, utc: float) -> list[Minute]:
        """Add one cell of a line or a zone; returns the minutes that it closes.

        ``utc`` is the time now in s. Raises UntrustedError if no door could have
        counted that.
        """
        cell = received.cell
        if not isinstance(cell, Window):
            raise TypeError(f"a {type(cell).__name__} counts nobody")
        if cell.closed and self._knows(received):
            return []
        sums = self._news_of(received.run, cell, sums_of(cell, self.places))
        target, misplaced = self._minute_for(cell, utc)
        closed = []
        if self.minute is not None and target > self.minute:
            closed.append(self.close())
        self.minute = target
        if misplaced:
            sums = counts_only(sums, CLOCK)
        self._add(received, cell, sums)
        if cell.closed and cell.start + cell.duration_s == self.minute + MINUTE_S:
            self.ended.add(place_of(cell))
            if len(self.ended) == len(self.places.names):
                closed.append(self.close())
        return closed

    def take_looks(self, received: Received) -> int:
        """How many people ``interval`` counts in a span of looks.

        Raises UntrustedError if the span is not over yet or was reported before.
        """
        cell = received.cell
        if not isinstance(cell, LooksCell):
            raise TypeError(f"a {type(cell).__name__} holds no looks")
        if self._knows(received):
            raise UntrustedError("looks come twice")
        check_looks(cell, self.places)
        open_at = self.floor if self.minute is None else self.minute
        if cell.end > open_at or cell.start < self.looked_until.get(cell.line, 0):
            raise UntrustedError("looks are of a time that is not over or was reported")
        slots = range(slot_of(cell.start), slot_of(cell.end))
        return sum(self.came_in.get((cell.line, slot), 0) for slot in slots)

    def mark_looks_used(self, cell: LooksCell) -> None:
        """Mark the span of ``cell`` as used: no part of it may be reported again."""
        self.looked_until[cell.line] = cell.end

    def lapse(self, utc: float, since: int) -> list[Minute]:
        """Close one minute without a cell, none before ``since`` (UTC s).

        After a clock jumps ahead, there are minutes that never happened; at most an
        hour of them is reported.
        """
        least = max(self.floor, since, minute_of(utc) - EMPTY_MOST_S)
        minute = least if self.minute is None else self.minute
        if utc < minute + MINUTE_S + LATE_S:
            return []
        self.minute = minute
        return [self.close()]

    def is_set_back(self, utc: float) -> bool:
        """Whether the clock was set back before the newest reported minute."""
        newest = self.floor - MINUTE_S if self.minute is None else self.minute
        return utc < newest - SET_BACK_S

    def set_back(self, utc: float, epoch: int) -> list[Minute]:
        """Begin ``epoch`` if the clock was set back; returns the minutes it closes."""
        if not self.is_set_back(utc):
            return []
        closed = [] if self.minute is None else [self.close()]
        self.epoch, self.floor = epoch, minute_of(utc)
        self.came_in = {
            key: count
            for key, count in self.came_in.items()
            if key[1] < slot_of(int(utc))
        }
        self.looked_until = {}
        return closed

    def begin_again(self, booted: int) -> list[Minute]:
        """At our start: close a minute from before this machine's boot (UTC s)."""
        closed = []
        if self.minute is not None and self.minute < booted:
            closed.append(self.close())
        self.floor = max(self.floor, booted)
        return closed

    def copy(self) -> Self:
        """A copy that can be changed without changing this one."""
        return replace(
            self,
            settled=dict(self.settled),
            running=dict(self.running),
            reported=dict(self.reported),
            ended=set(self.ended),
            totals=[list(each) for each in self.totals],
            came_in=dict(self.came_in),
            looked_until=dict(self.looked_until),
        )

    def close(self) -> Minute:
        """End the open minute; a running piece is reported as far as it is known."""
        if self.minute is None:
            raise ValueError("no minute is open")
        for place in list(self.running):
            self._settle(place)
        sums = {
            place: self.settled.get(place) or nothing_at(place)
            for place in self.places.names
        }
        for number in range(self.places.lines):
            self._count(number, sums[f"line-{number}"])
        minute = Minute(self.minute, self.epoch, sums, self.closed_totals())
        self.floor, self.minute = self.minute + MINUTE_S, None
        self.settled, self.ended = {}, set()
        return minute

    @property
    def counts(self) -> tuple[object, ...]:
        """What must not be lost in a power cut; coverage alone is not worth a write."""
        settled = {place: sums.counts for place, sums in self.settled.items()}
        running = {place: each.sums.counts for place, each in self.running.items()}
        return self.heard, self.epoch, self.floor, settled, running

    def closed_totals(self) -> tuple[tuple[int, int], ...]:
        """In and out of each line in all closed minutes."""
        return tuple((a, b) for a, b in self.totals[: self.places.lines])

    def totals_now(self) -> tuple[tuple[int, int], ...]:
        """In and out of each line, the open minute included."""
        now = []
        for number, (count_in, count_out) in enumerate(self.closed_totals()):
            place = f"line-{number}"
            sums = self.settled.get(place) or LineSums()
            if place in self.running:
                sums = sums.plus(self.running[place].sums)  # type: ignore[arg-type]
            if not isinstance(sums, LineSums):
                raise TypeError(f"{place} is counted as a zone")
            now.append((count_in + sums.count_in, count_out + sums.count_out))
        return tuple(now)

    def _count(self, line: int, sums: Sums) -> None:
        if not isinstance(sums, LineSums) or self.minute is None:
            raise TypeError(f"line {line} is counted as a zone")
        total = self.totals[line]
        total[0] = min(total[0] + sums.count_in, TOTAL_MOST)
        total[1] = min(total[1] + sums.count_out, TOTAL_MOST)
        slot = slot_of(self.minute)
        self.came_in = {
            key: count
            for key, count in self.came_in.items()
            if slot - SLOTS_KEPT <= key[1] <= slot
        }
        before = self.came_in.get((line, slot), 0)
        self.came_in[line, slot] = before + sums.count_in

    def _knows(self, received: Received) -> bool:
        """Whether a closed cell was taken before; from now on it counts as taken."""
        run, sequence = self.heard
        if received.run == run and received.sequence <= sequence:
            return True
        self.heard = received.run, received.sequence
        return False

    def _news_of(self, run: int, cell: Window, sums: Sums) -> Sums:
        """``sums`` minus what was reported of the same piece in a closed minute."""
        before = self.reported.get(place_of(cell))
        if before is None:
            return sums
        if not before.is_of(run, cell.start):
            del self.reported[place_of(cell)]
            return sums
        return sums.minus(before.sums)  # type: ignore[arg-type]

    def _minute_for(self, cell: Window, utc: float) -> tuple[int, bool]:
        """The minute that ``cell`` is counted in, and whether it is not its own.

        That is its own minute, or the next one to be reported if its own is over or has
        not begun.
        """
        minute, end = minute_of(cell.start), cell.start + cell.duration_s
        least = self.floor if self.minute is None else self.minute
        if end > utc + AHEAD_S and self.minute is None:
            return max(least, minute_of(utc)), True
        if minute < least or end > utc + AHEAD_S:
            return least, True
        return minute, False

    def _add(self, received: Received, cell: Window, sums: Sums) -> None:
        place = place_of(cell)
        before = self.running.pop(place, None)
        if before is not None and not before.is_of(received.run, cell.start):
            self._put(place, before.sums)
        if cell.closed:
            self._put(place, sums)
            self.reported.pop(place, None)
        else:
            self.running[place] = Running(received.run, cell.start, sums)

    def _put(self, place: str, sums: Sums) -> None:
        before = self.settled.get(place)
        self.settled[place] = sums if before is None else before.plus(sums)  # type: ignore[arg-type]

    def _settle(self, place: str) -> None:
        """Report a piece that vision did not close, and remember what was reported."""
        running = self.running.pop(place)
        self._put(place, running.sums)
        known = self.reported.get(place)
        whole = running.sums
        if known is not None and known.is_of(running.run, running.start):
            whole = whole.plus(known.sums)  # type: ignore[arg-type]
        self.reported[place] = Running(running.run, running.start, whole)
