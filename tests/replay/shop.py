"""The cameras of one shop, day after day, in a process of their own.

    python -m replay.shop FOLDER SITE

It may be killed at any moment and started again: what a camera has counted stands in
its outbox, and a day that is given again is counted once.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from select import select

from replay.camera import Camera, cells
from replay.clocks import Clocks
from replay.plan import Door, days, doors, opening, visitors
from replay.story import is_away, stolen, stolen_after

from doorsill.channels.cell_link import Received
from doorsill.process.stopping import listen

TURN_S = 0.05  # longest wait for the broker
WANTS_ANOTHER = 3  # exit code: a camera is gone, and the office has to send another


def main(folder: Path, site: str) -> None:
    """All days that are left: 0 when all is at the broker, 1 stopped, WANTS_ANOTHER."""
    logging.basicConfig(level=logging.WARNING)
    setting = json.loads((folder / "setting.json").read_text())
    found = doors(setting["cameras"])
    own = [each for each in found if each.site == site]
    open_days = days(setting["days"])
    sys.exit(Shop(folder, own, stolen(found), open_days).last())


def home(folder: Path, door: Door) -> Path:
    """The folder of a camera: the /etc/doorsill that it would have."""
    return folder / "cameras" / f"{door.site}-{door.device}"


def second_home(folder: Path, door: Door) -> Path:
    """The folder of the board that replaces it."""
    return folder / "cameras" / f"{door.site}-{door.device}-again"


class Shop:
    """The cameras, their days, and how far they are."""

    def __init__(
        self, folder: Path, own: list[Door], lost: Door | None, open_days: list[date]
    ) -> None:
        self.clocks, self.days = Clocks(folder / "clocks"), open_days
        self.slot = int(own[0].site.rpartition("-")[2])
        self.before = self.clocks.rows()[self.slot][1]
        self.stop = listen()
        self.lost = lost if lost in own else None
        self.replaced = lost is not None and second_home(folder, lost).exists()
        people = visitors()
        self.cameras: dict[Door, Camera] = {}
        self.given: dict[Door, Iterator[tuple[date, list[Received]]]] = {}
        for door in own:
            again = self.replaced and door == self.lost
            where = (second_home if again else home)(folder, door)
            self.cameras[door] = Camera(where, opening(open_days[0]))
            daily = {day: people[door.number, day] for day in open_days}
            self.given[door] = cells(door, daily, looks=door.number % 2 == 0)

    def last(self) -> int:
        """Every day in turn; the exit code."""
        for camera in self.cameras.values():
            camera.start()
        code = 0
        for number in range(len(self.days)):
            if number == self._halt():
                code = WANTS_ANOTHER
                break
            news = [self._take(door, number) for door in self.cameras]
            if any(news) or number == len(self.days) - 1:
                self._send(number)
        for camera in self.cameras.values():
            camera.stop()
        return code

    def _halt(self) -> int | None:
        """The morning on which the camera is gone."""
        if self.lost is None or self.replaced:
            return None
        return stolen_after(len(self.days))

    def _take(self, door: Door, number: int) -> bool:
        """Take one camera's day in; whether there was anything new in it."""
        day, given = next(self.given[door])
        late = self.replaced and number < stolen_after(len(self.days))
        if late and door == self.lost:
            return False  # the first board counted it
        return self.cameras[door].take(day, given)

    def _send(self, number: int) -> None:
        """Until all that the cameras have is at the broker, but for those away."""
        halt, of = self._halt(), len(self.days)
        left = {
            door
            for door in self.cameras
            if number + 1 == halt or not is_away(door, number, of)
        }
        self._post()
        while left:
            if self.stop.asked:
                sys.exit(1)
            select([self.cameras[each] for each in left], [], [], TURN_S)
            for door in [each for each in left if self.cameras[each].send()]:
                self.cameras[door].tell_totals()
                left.remove(door)
            self._post()

    def _post(self) -> None:
        sent = sum(each.egress_bytes for each in self.cameras.values())
        utc = max(each.utc for each in self.cameras.values())
        self.clocks.put(self.slot, utc, self.before + sent)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
