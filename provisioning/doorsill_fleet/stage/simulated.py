"""Cameras without a lens: enrolled as real ones, and a die says who comes.

    die ─► WindowKeeper (vision's own) ─► Intake ─► … ─► broker (all the uplink's own)

For a trial of the office on one laptop, where 22 real cameras would want 22 processors.
Nothing is confined here and nothing of the machine is measured: no camera runs like
this.
"""

from __future__ import annotations

import os
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from doorsill.cells import Cell, HealthCell, Picture, Quality
from doorsill.channels.cell_link import Received
from doorsill.config import Config, load_config
from doorsill.documents.voucher import Voucher
from doorsill.enrolment.again import again
from doorsill.enrolment.joining import Wanted, join
from doorsill.enrolment.stage import Stage
from doorsill.policy.arrival import decide
from doorsill.policy.document import Policy
from doorsill.policy.obedience import Obedience
from doorsill.services.policies import store_of
from doorsill.services.release import release_of
from doorsill.services.uplink_loop import Uplink
from doorsill.services.uplink_opening import build
from doorsill.uplink.intake import Link
from doorsill.uplink.standing import Device
from doorsill.values import Crossing, Direction
from doorsill.vision.window import WindowKeeper, ZoneTotals

CONFIGURATION = "doorsill.toml"
# Written before `enrol`, which sets the names and the broker and keeps the rest.
FIRST = """\
[device]
id = ""
site = ""
state = "state"
run = "run"

[camera]
driver = "street"

[policy]
file = "policy.json"
controller_key = "controller.key.pub"

[broker]
host = ""
port = 8883
ca = "ca.pem"
certificate = "device.crt"
key = "device.key"
"""
FRAME_S = 0.25  # between two looks at the door
PEOPLE_A_MINUTE = 3.0  # who cross a line, both ways together, on average
HEALTH_S = 60.0  # between two accounts of a vision
NOBODY = ZoneTotals(0, 0, 0, 0)


def enrol(
    folder: Path,
    voucher: Voucher,
    wait_s: float = 0.0,
    say: Callable[[str], object] = lambda _: None,
) -> tuple[str, str]:
    """Join the fleet with ``voucher`` as `doorsill enrol` does it: site and device.

    Raises UplinkError if the fleet does not answer within ``wait_s``, any other error
    if it refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CONFIGURATION
    if not path.exists():
        path.write_text(FIRST, encoding="ascii")
    stage = Stage(folder, "enrol")
    return again(
        lambda: join(stage, voucher, Wanted("street"), time.time()), wait_s, say
    )


def policy_of(folder: Path) -> Policy:
    """The policy that `enrol` brought, in force."""
    config = load_config(folder / CONFIGURATION)
    config.policy_in_force.parent.mkdir(parents=True, exist_ok=True)
    return store_of(config).take_over(config.policy.file)


def open_uplink(
    folder: Path, link: Link, utc: Callable[[], float] = time.time
) -> Uplink:
    """The uplink of the camera in ``folder``, with ``link`` in the place of vision."""
    config, policy = load_config(folder / CONFIGURATION), policy_of(folder)
    for each in (config.outbox.parent, config.arrived.parent):
        each.mkdir(parents=True, exist_ok=True)
    uplink = build(config, policy, release_of(config, policy), utc=utc)
    uplink.intake.connect = lambda: link
    uplink.lookout = lambda _: Device()
    return uplink


@dataclass(slots=True)
class SimulatedVision:
    """The uplink's end of a link to a door at which a die says who comes."""

    lines: int
    zones: int
    dice: random.Random
    _keeper: WindowKeeper = field(init=False)
    _run: int = field(init=False)
    _number: int = 0
    _cells: deque[Received] = field(default_factory=deque)
    looked: float = field(default_factory=time.monotonic)  # last, s, monotonic
    _account_at: float = float("-inf")  # next account, s, monotonic
    _frames: int = 0
    _quiet: int = field(init=False)  # a handle that is never readable

    def __post_init__(self) -> None:
        self._quiet = os.eventfd(0, os.EFD_CLOEXEC)
        self._run = self.dice.getrandbits(32)
        self._keeper = WindowKeeper(self.lines, time.monotonic(), time.time())

    def look(self, now: float, utc: float) -> None:
        """A frame at ``now`` (monotonic s) and ``utc`` (UTC s): who crosses, cells."""
        if now - self.looked < FRAME_S:
            return
        chance = PEOPLE_A_MINUTE * (now - self.looked) / 60.0
        self.looked, self._frames = now, self._frames + 1
        self._keeper.take_frame(now, Quality.GOOD)
        for line in range(self.lines):
            if self.dice.random() < chance:
                way = self.dice.choice(list(Direction))
                self._keeper.book([Crossing(line, way, now, 0)])
        self._put(self._keeper.tick(now, utc, self._nobody))
        if now >= self._account_at:
            self._account_at = now + HEALTH_S
            self._put([self._account(utc)])

    def end(self) -> None:
        """Close the window, as a vision that is asked to stop."""
        self._put(self._keeper.close(time.monotonic(), time.time(), self._nobody))

    def fileno(self) -> int:
        """For select: the door is looked at by our own clock."""
        return self._quiet

    def receive(self, timeout: float) -> Received | None:
        """The next cell, or None."""
        return self._cells.popleft() if self._cells else None

    def acknowledge(self, sequence: int) -> None:
        """It is on the disk."""

    def close(self) -> None:
        """Nothing more comes."""
        if self._quiet >= 0:
            os.close(self._quiet)
            self._quiet = -1

    def _nobody(self, _: bool) -> list[ZoneTotals]:
        return [NOBODY] * self.zones

    def _put(self, cells: list[Cell]) -> None:
        for each in cells:
            self._number += 1
            self._cells.append(Received(self._run, self._number, each))

    def _account(self, utc: float) -> HealthCell:
        frames, self._frames = self._frames, 0
        rate = round(1000 / FRAME_S)
        return HealthCell(int(utc), frames, frames, rate, 0, 0, 0, 0, 0, Picture.FRESH)


@dataclass(slots=True)
class SimulatedCamera:
    """The camera in ``folder``, which has enrolled."""

    folder: Path
    dice: random.Random
    vision: SimulatedVision = field(init=False)
    uplink: Uplink = field(init=False)
    _config: Config = field(init=False)
    _in_force: Obedience = field(init=False)  # the policy that it obeys
    _arrived: Obedience = field(init=False)  # what came by air

    def __post_init__(self) -> None:
        self._config = load_config(self.folder / CONFIGURATION)
        self._in_force = Obedience(self._config.policy_in_force)
        self._arrived = Obedience(self._config.arrived)
        policy = policy_of(self.folder)
        zones = sum(each.kind == "count" for each in policy.zones)
        self.vision = SimulatedVision(len(policy.lines), zones, self.dice)
        self.uplink = open_uplink(self.folder, self.vision)

    @property
    def is_connected(self) -> bool:
        """Whether the broker has taken it in."""
        return self.uplink.delivery.publisher.connected

    @property
    def came_in(self) -> int:
        """Over all its lines, since its outbox was made; the open minute included."""
        return sum(into for into, _ in self.uplink.intake.tally.totals_now())

    def start(self) -> None:
        """Connect, and go on trying."""
        self.uplink.delivery.publisher.start()

    def step(self) -> None:
        """One turn; waits for nothing, but to start again under another policy."""
        self.vision.look(time.monotonic(), time.time())
        self.uplink.step(0)
        self._obey()

    def _obey(self) -> None:
        """Decide on what came by air, as the policy process does; and obey it."""
        if self._arrived.is_replaced():
            self._arrived.renew()
            config = self._config
            decide(store_of(config), config.arrived, config.verdict, time.time())
        if self._in_force.is_replaced():
            self.leave()
            self.vision.close()
            self.__post_init__()
            self.start()

    def leave(self) -> None:
        """Close the window, send what can be sent, say farewell."""
        self.vision.end()
        self.uplink.step(0)
        self.uplink.leave()
