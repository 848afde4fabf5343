"""The vision process: what it gives up and when, and that what is due goes out."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bench.door import shop
from bench.hour_of_frames import show

from doorsill.cells import Quality
from doorsill.channels.cell_link import CellClient, CellServer
from doorsill.config import CameraSection
from doorsill.drivers.camera.opening import open_camera
from doorsill.errors import CameraError, UplinkError
from doorsill.evaluation.counting import Wanted, count
from doorsill.policy.opening import OpeningHours
from doorsill.process.confine import Confinement
from doorsill.process.stopping import Stopped
from doorsill.services import vision
from doorsill.services.detectors import open_detector
from doorsill.values import Frame, LineCell
from doorsill.vision.door import HAND_ON_S, HOURS_S, LIVES_S, Door

# The whole service on the fake board, whose camera starts a thread as libcamera does;
# at the opening and at the first picture both threads try what is forbidden later.
SERVICE = """
import json, os, queue, socket, sys, threading, time
from pathlib import Path
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np
from doorsill.config import load_config
from doorsill.drivers.camera import picamera, picamera_fake
from doorsill.drivers.camera.picamera_fake import FakePi, FakePicamera2
from doorsill.services import vision as service

def netlink():
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15).close()
    except OSError as error:
        return type(error).__name__
    return "done"

OUT = os.dup(1)  # the process gives up its own
asked, answers = queue.Queue(), queue.Queue()

def other_thread():
    while True:
        asked.get()
        answers.put(netlink())

def moment(name):
    asked.put(1)
    modes = [
        (path / "status").read_text().split("Seccomp:")[1].split()[0]
        for path in Path("/proc/self/task").iterdir()
    ]
    said = {"at": name, "main": netlink(), "other": answers.get(),
            "modes": sorted(set(modes)), "threads": len(modes)}
    os.write(OUT, json.dumps(said).encode() + b"\\n")

class Camera(FakePicamera2):
    def __init__(self, number=0):
        threading.Thread(target=other_thread, daemon=True).start()
        super().__init__(number)
        moment("open")

def see(number, size):
    if number == 0:
        moment("first picture")
    if number == 3:
        os._exit(0)
    return np.full((size[1], size[0], 3), 90, np.uint8)

picamera_fake.FakePicamera2 = Camera
picamera.find_library = FakePi(see).library
service.main(load_config(Path(sys.argv[1])))
"""


def test_it_is_closed_after_the_camera_is_open_and_before_it_sees_anything() -> None:
    with shop() as (_, _, path):
        text = path.read_text()
        text = text.replace('driver = "street"', 'driver = "picamera"')
        path.write_text(text.replace('source = "loop"', 'source = "0"'))
        done = subprocess.run(
            [sys.executable, "-c", SERVICE, str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    at_open, at_first = [json.loads(line) for line in done.stdout.splitlines()]
    assert at_open == {
        "at": "open",
        "main": "done",
        "other": "done",
        "modes": ["0"],
        "threads": 2,
    }
    assert at_first == {
        "at": "first picture",
        "main": "PermissionError",
        "other": "PermissionError",
        "modes": ["2"],
        "threads": 2,
    }


CLOSED = OpeningHours((0, 1, 2, 3, 4, 5, 6), 0, 0)  # set to a minute that is over


def hours(**shut: bool) -> tuple[OpeningHours, ...]:
    return () if not shut["closed"] else (replace(CLOSED, days=()),)


@pytest.mark.parametrize(
    ("driver", "source", "order"),
    [
        pytest.param("picamera", "0", ["open", "silent", "vision"], id="libcamera"),
        pytest.param(
            "video",
            "/dev/video0",
            ["silent", "opening", "open", "vision"],
            id="a webcam",
        ),
        pytest.param("video", "door.mp4", ["silent", "vision", "open"], id="a file"),
        pytest.param("street", "loop", ["silent", "vision", "open"], id="the street"),
    ],
)
def test_each_camera_is_opened_as_late_as_it_lets_us(
    monkeypatch: pytest.MonkeyPatch, driver: str, source: str, order: list[str]
) -> None:
    done: list[str] = []

    class Camera:
        def open(self) -> None:
            done.append("open")

    monkeypatch.setattr(vision, "close", lambda keep: done.append(keep.process))
    scribe: Any = SimpleNamespace(take_over=lambda: done.append("silent"))
    door: Any = Camera()
    keep = Confinement("vision")
    vision.open_and_close(CameraSection(driver, source), door, keep, scribe)
    assert done == order


FAILS_AT_S = 20.0  # of the clip


class Clock:
    """The machine's clocks, on which nobody waits: a sleep is over at once."""

    def __init__(self) -> None:
        self.skipped = 0.0  # s

    def monotonic(self) -> float:
        return time.monotonic() + self.skipped

    def utc(self) -> float:
        return time.time() + self.skipped

    def sleep(self, seconds: float) -> None:
        self.skipped += seconds


class Doors:
    """Doors of one shop, whose camera, clock and uplink are ours."""

    def __init__(self, config: Any, policy: Any):
        self.config, self.policy = config, policy
        self.detector = open_detector(config.model)
        self.clock = Clock()
        self.began = self.clock.monotonic()
        self.opened = self.closed = 0
        self.fails_at: float | None = None
        self.missing = 0  # so many times more, no camera is there

    def make(self, *, closed: bool = False) -> Door:
        return Door(
            replace(self.policy, hours=hours(closed=closed)),
            self.detector,
            CellServer(self.config.cell_socket),
            open_camera=self._open,
            k=self.policy.k,
            monotonic=self.clock.monotonic,
            utc=self.clock.utc,
            sleep=self.clock.sleep,
        )

    @property
    def lasted(self) -> float:
        """Seconds on the door's clock since we began."""
        return self.clock.monotonic() - self.began

    def _open(self) -> Any:
        if self.missing:
            self.missing -= 1
            raise CameraError("camera 0 cannot be opened: it is not there")
        self.opened += 1
        real = open_camera("street", "once", self.detector.fit, live=False)
        read = real.read

        def cut() -> Any:
            frame = read()
            if frame and self.fails_at is not None and frame.time > self.fails_at:
                raise CameraError("the camera stopped: no frame within 5 s")
            return frame

        close = real.close

        def off() -> None:
            self.closed += 1
            close()

        monkey: Any = real
        monkey.read, monkey.close = cut, off
        return real


@pytest.fixture
def doors() -> Any:
    with shop() as (config, policy, _):
        yield Doors(config, policy)


def test_a_closed_window_goes_at_once_though_the_uplink_is_looked_for_seldom(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("doorsill.vision.door.UPLINK_S", 61.0)
    clock = doors.clock
    clock.sleep(61.0 - time.time() % 60)  # the first second of a minute
    door = doors.make()
    uplink, done = CellClient(doors.config.cell_socket), []
    pixels = np.full((*reversed(doors.detector.fit), 3), 90, np.uint8)

    def heard() -> list[Any]:
        found = []
        while (received := uplink.receive(0)) is not None:
            found.append(received)
        return found

    def frames() -> Iterator[Frame]:
        yield Frame(pixels, clock.monotonic())  # the door takes the uplink
        assert not any(is_closed(each.cell) for each in heard())
        clock.sleep(60.0)  # the minute is over
        yield Frame(pixels, clock.monotonic())
        sent = heard()
        assert sum(is_closed(each.cell) for each in sent) == 1
        uplink.acknowledge(sent[-1].sequence)
        waiting = door.cells.pending
        assert waiting > 0
        yield Frame(pixels, clock.monotonic())
        assert door.cells.pending == waiting  # not yet looked at
        clock.sleep(1.5)
        yield Frame(pixels, clock.monotonic())
        assert door.cells.pending == 0
        done.append("all of it")

    show(door, frames())
    assert done == ["all of it"]
    uplink.close()
    door.cells.close()


def is_closed(cell: Any) -> bool:
    return isinstance(cell, LineCell) and cell.closed


class Listening:
    """An uplink that takes what a door sends, with each of its turns."""

    def __init__(self, doors: Doors, door: Door) -> None:
        self._client = CellClient(doors.config.cell_socket)
        self._cells: list[Any] = []
        self.turns = 0
        door.alive = self._turn

    def _turn(self, _: float) -> None:
        self.turns += 1
        while (found := self._client.receive(0)) is not None:
            self._cells.append(found.cell)
            self._client.acknowledge(found.sequence)

    def all(self) -> list[Any]:
        """All that a door that is closed by now has sent."""
        with contextlib.suppress(UplinkError):  # that is how its end is heard of
            while (found := self._client.receive(0.2)) is not None:
                self._cells.append(found.cell)
        self._client.close()
        return self._cells


def test_a_camera_that_fails_ends_the_door_and_what_was_counted_goes_out(
    doors: Doors,
) -> None:
    lines = [line.points for line in doors.policy.lines]
    recording = open_camera("street", "once", doors.detector.fit, live=False)
    expected = count(
        recording, doors.detector, Wanted(lines, seconds=FAILS_AT_S)
    ).lines[0]
    recording.close()
    assert sum(expected) > 0
    doors.fails_at = FAILS_AT_S
    door = doors.make()
    uplink = Listening(doors, door)
    door.open()
    with pytest.raises(CameraError, match="no frame within 5 s"):
        door.watch()
    assert doors.closed == 1
    door.close()
    cells = uplink.all()
    closed = [each for each in cells if isinstance(each, LineCell) and each.closed]
    counted = [sum(each.count_in for each in closed)]
    counted.append(sum(each.count_out for each in closed))
    assert counted == expected
    assert closed[-1].quality & Quality.GAP
    assert cells[-1].camera_restarts == 1


def test_before_an_end_that_nobody_waits_for_the_uplink_gets_what_was_counted(
    doors: Doors,
) -> None:
    doors.fails_at = 1.0
    door = doors.make()
    door.open()
    doors.clock.sleep(60.0)  # a minute is over: a closed cell waits
    turns = 0
    late: list[CellClient] = []

    def turn(_: float) -> None:
        nonlocal turns
        turns += 1
        if turns == 250:  # a while after the failure
            late.append(CellClient(doors.config.cell_socket))
        while late and (found := late[0].receive(0)) is not None:
            late[0].acknowledge(found.sequence)

    door.alive = turn
    with pytest.raises(CameraError):
        door.watch()
    assert late and door.cells.handed_on
    assert doors.lasted < HAND_ON_S
    door.close()
    late[0].close()


def test_a_camera_that_gives_nothing_costs_few_starts(doors: Doors) -> None:
    """So that systemd does not give up on the unit, at 200 starts an hour."""
    assert 3600 / LIVES_S < 200
    doors.fails_at = 0.1
    door = doors.make()
    uplink = Listening(doors, door)
    door.open()
    with pytest.raises(CameraError):
        door.watch()
    assert LIVES_S <= doors.lasted < HAND_ON_S
    door.close()
    assert uplink.all()


def test_a_closed_shop_opens_no_camera_and_a_signal_ends_the_rest(doors: Doors) -> None:
    door = doors.make(closed=True)
    turns = []

    def turn(_: float) -> None:
        turns.append(1)
        if len(turns) == 3:
            door.stop.heard(15, None)

    door.alive = turn
    with pytest.raises(Stopped):
        door.open()
    assert (doors.opened, len(turns)) == (0, 3)
    door.close()


def test_when_the_shop_closes_the_process_ends_for_a_new_one(doors: Doors) -> None:
    """Nothing of the day is left in memory, and the camera is opened before it is
    closed in."""
    door = doors.make()
    uplink = Listening(doors, door)
    door.open()
    doors.clock.sleep(HOURS_S)
    door.policy = replace(door.policy, hours=hours(closed=True))
    with pytest.raises(CameraError, match="the shop is closed; a new process waits"):
        door.watch()
    assert doors.closed == 1
    door.close()
    assert uplink.all()[-1].camera_restarts == 0


def test_a_missing_camera_is_waited_for_while_windows_go_on(doors: Doors) -> None:
    doors.missing = 2
    door = doors.make()
    uplink = Listening(doors, door)
    door.open()
    assert doors.opened == 1
    assert uplink.turns >= 3
    door.close()
    assert uplink.all()[-1].camera_restarts == 2
