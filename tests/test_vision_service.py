"""The vision process: what it gives up and when, and that what is due goes out."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from bench.door import door, shop

from doorsill.cells import Quality
from doorsill.config import CameraSection
from doorsill.confine import Confinement
from doorsill.counting import Wanted, count
from doorsill.drivers.camera import open_camera
from doorsill.errors import CameraError, UplinkError
from doorsill.link import CellClient, CellServer
from doorsill.policy import OpeningHours
from doorsill.stopping import Stopped
from doorsill.values import LineCell
from doorsill.vision import door as module
from doorsill.vision import service
from doorsill.vision.detectors import open_detector
from doorsill.vision.door import Door


def test_a_closed_window_goes_at_once_though_the_uplink_is_looked_for_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with door() as found:
        monkeypatch.setattr("doorsill.vision.door.UPLINK_S", 1000.0)
        uplink = CellClient(found.config.cell_socket)
        found._tick()  # takes the uplink
        assert uplink.receive(0) is None
        found._window._end = int(time.time())  # the minute is over
        found._tick()
        received = uplink.receive(0) or pytest.fail("nothing was sent")
        assert isinstance(received.cell, LineCell) and received.cell.closed
        uplink.acknowledge(received.sequence)
        found._tick()
        assert found.cells.pending == 1  # not yet looked at
        found._uplink_at = 0.0
        found._tick()
        assert found.cells.pending == 0
        uplink.close()


# The whole service on the fake board, whose camera starts a thread as libcamera does;
# at the opening and at the first picture both threads try what is forbidden later.
SERVICE = """
import json, os, queue, socket, sys, threading, time
from pathlib import Path
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np
from doorsill.config import load_config
from doorsill.drivers import picamera, picamera_fake
from doorsill.drivers.picamera_fake import FakePi, FakePicamera2
from doorsill.vision import service

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


LIVES_S = module.LIVES_S


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

    monkeypatch.setattr(service, "close", lambda keep: done.append(keep.process))
    scribe: Any = SimpleNamespace(take_over=lambda: done.append("silent"))
    door: Any = Camera()
    keep = Confinement("vision")
    service._open_and_close(CameraSection(driver, source), door, keep, scribe)
    assert done == order


FAILS_AT_S = 20.0  # of the clip


class Doors:
    """Doors of one shop, whose camera, clock of waits and uplink are ours."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, config: Any, policy: Any):
        self.config, self.policy = config, policy
        self.detector = open_detector(config.model)
        self.opened = 0
        monkeypatch.setattr(module, "open_camera", self._open)
        self.fails_at: float | None = None

    def make(self, *, closed: bool = False) -> Door:
        policy = replace(self.policy, hours=hours(closed=closed))
        return Door(
            self.config, policy, self.detector, CellServer(self.config.cell_socket)
        )

    def _open(self, *_: Any, **__: Any) -> Any:
        self.opened += 1
        real = open_camera("street", "once", self.detector.fit, live=False)
        read = real.read

        def cut() -> Any:
            frame = read()
            if frame and self.fails_at is not None and frame.time > self.fails_at:
                raise CameraError("the camera stopped: no frame within 5 s")
            return frame

        monkey: Any = real
        monkey.read = cut
        return real


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(module, "LIVES_S", 0.0)
    monkeypatch.setattr(module, "HAND_ON_S", 0.0)
    with shop() as (config, policy, _):
        yield Doors(monkeypatch, config, policy)


def received(uplink: CellClient) -> list[Any]:
    """All that a door that is closed by now has sent."""
    cells = []
    with contextlib.suppress(UplinkError):  # that is how its end is heard of
        while (found := uplink.receive(0.2)) is not None:
            cells.append(found.cell)
    return cells


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
    uplink = CellClient(doors.config.cell_socket)
    door.open()
    with pytest.raises(CameraError, match="no frame within 5 s"):
        door.watch()
    assert door._camera is None, "it is off"
    door.close()
    cells = received(uplink)
    uplink.close()
    closed = [each for each in cells if isinstance(each, LineCell) and each.closed]
    counted = [sum(each.count_in for each in closed)]
    counted.append(sum(each.count_out for each in closed))
    assert counted == expected
    assert closed[-1].quality & Quality.GAP
    assert cells[-1].camera_restarts == 1


def test_before_an_end_that_nobody_waits_for_the_uplink_gets_what_was_counted(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HAND_ON_S", 30.0)
    doors.fails_at = 1.0
    door = doors.make()
    door.open()
    door._window._end = int(time.time())  # a minute is over: a closed cell waits
    turns = 0
    late: list[CellClient] = []

    def turn(_: float) -> None:
        nonlocal turns
        turns += 1
        if turns == 25:  # a while after the failure
            late.append(CellClient(doors.config.cell_socket))
        while late and (found := late[0].receive(0)) is not None:
            late[0].acknowledge(found.sequence)

    door.alive = turn
    with pytest.raises(CameraError):
        door.watch()
    assert late and door.cells.handed_on
    assert time.monotonic() < door._since + 30.0
    door.close()
    late[0].close()


def test_a_camera_that_gives_nothing_costs_few_starts(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that systemd does not give up on the unit, at 200 starts an hour."""
    assert 3600 / LIVES_S < 200
    monkeypatch.setattr(module, "LIVES_S", 1.0)
    doors.fails_at = 0.1
    door = doors.make()
    uplink = CellClient(doors.config.cell_socket)
    door.open()
    with pytest.raises(CameraError):
        door.watch()
    assert time.monotonic() >= door._since + 1.0
    door.close()
    uplink.close()


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
    uplink = CellClient(doors.config.cell_socket)
    door.open()
    door._hours_at = 0.0
    door.policy = replace(door.policy, hours=hours(closed=True))
    with pytest.raises(CameraError, match="the shop is closed; a new process waits"):
        door.watch()
    assert door._camera is None and door._camera_failures == 0
    door.close()
    uplink.close()


def test_a_missing_camera_is_waited_for_while_windows_go_on(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = 2
    real = doors._open

    def flaky(*given: Any, **named: Any) -> Any:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise CameraError("camera 0 cannot be opened: it is not there")
        return real(*given, **named)

    monkeypatch.setattr(module, "open_camera", flaky)
    door = doors.make()
    turns: list[float] = []
    door.alive = turns.append
    door.open()
    assert (doors.opened, door._camera_failures) == (1, 2)
    assert len(turns) >= 3
    door.close()
