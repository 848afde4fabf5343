"""Shops with one fault each, and what five witnesses say of it.

``status`` and ``check`` are asked as a technician would; ``state``, the intervals and
Home Assistant's problem sensor are heard by a reader at the real broker. Everything
runs side by side, so that the whole table takes little more than a minute.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import recordings
from broker import Listener
from jinja2 import Environment
from limits import END_S, wait_until
from numpy.typing import NDArray

from doorsill.cli.check import LOCKS, problems_of
from doorsill.cli.check_connect import connect
from doorsill.cli.status import report
from doorsill.cli.status_asked import Finding
from doorsill.config import Config, load_config
from doorsill.device.fault import Fault
from doorsill.uplink.tls import Address
from doorsill.wire.codec import decode
from doorsill.wire.messages import LineInterval
from doorsill_fleet.stage.shop import READER, Stage

LINE = (((0.022, 0.659), (0.978, 0.659)),)
SLOW = 'source = "loop"\nframe_rate = 3.0'  # the cheapest camera that counts
# An uplink that starts with a minute, beside a vision that hangs, knows of the next
# minute at most: a minute later that begins, a minute later it ends, a minute is left
# for late cells, and the moment of sending is up to 70 s away.
WITHIN_S = 3 * 60.0 + 70.0 + 30.0  # 30 s for a slow machine
LOOK_S = 0.3
FILM_S = 900  # longer than all of it may take


def until(done: Callable[[], Any], what: Callable[[], str], within_s: float) -> Any:
    """As wait_until, but three times a second: two dozen shops run meanwhile."""
    return wait_until(done, what, within_s, between=lambda: time.sleep(LOOK_S))


@dataclass(slots=True)
class Scene:
    """One shop; what was seen of it is filled in while it is played."""

    name: str
    stage: Stage
    file: str = ""  # another configuration of the same shop
    environment: dict[str, str] = field(default_factory=dict)
    before: Sequence[str] = ()  # words before the command
    listener: Listener | None = None
    child: subprocess.Popen[bytes] | None = None
    status: dict[str, Finding] = field(default_factory=dict)
    check: list[Fault] = field(default_factory=list)
    code: int | None = None  # of a run that ended by itself

    @property
    def config(self) -> Config:
        return load_config(self.configuration)

    @property
    def configuration(self) -> Path:
        own = self.stage.configuration
        return own.with_name(self.file) if self.file else own

    @property
    def log(self) -> Path:
        return self.configuration.with_suffix(".log")

    @property
    def said(self) -> str:
        """What its processes have logged."""
        with contextlib.suppress(FileNotFoundError):
            return self.log.read_text(errors="replace")
        return ""

    def edit(self, old: str, new: str) -> None:
        text = self.configuration.read_text()
        assert old in text, old
        self.configuration.write_text(text.replace(old, new))

    def looks_at(self, film: Path) -> None:
        """Another picture than the street, in which less is to be done."""
        if 'driver = "street"' in self.configuration.read_text():
            self.edit('driver = "street"', 'driver = "video"')
            self.edit('source = "loop"', f'source = "{film}"')

    def listen(self) -> None:
        folder, port = self.stage.folder, self.stage.broker.port
        pem, key = folder / f"{READER}.pem", folder / f"{READER}.key"
        ca = folder / "broker" / "ca.pem"
        name = f"reader:{READER}"
        self.listener = Listener(Address(name, "127.0.0.1", port, ca, pem, key))

    def start(self, *words: str) -> None:
        """``doorsill run`` with ``words`` more."""
        command = [*self.before, sys.executable, "-m", "doorsill", "run", *words]
        command += ["--config", str(self.configuration)]
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environment},
            )

    def ends(self) -> None:
        """Wait for a run that cannot start."""
        assert self.child is not None
        self.code = self.child.wait(60)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(END_S)
            self.child.kill()
            self.child.wait(END_S)

    def ask_check(self) -> None:
        """``doorsill check --connect``."""
        config = self.config
        self.check += [*problems_of(config, datetime.now(UTC)), *connect(config)]

    def ask_check_apart(self, *before: str) -> None:
        """The same as a program, in the environment of this shop."""
        command = [*before, *self.before, sys.executable, "-m", "doorsill", "check"]
        done = subprocess.run(
            [*command, "--connect", "--config", str(self.configuration)],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        for line in done.stdout.splitlines():
            if line.startswith("    first: "):
                last = self.check.pop()
                step = line.removeprefix("    first: ")
                self.check.append(Fault(last.says, step, last.warning))
            elif "nothing is wrong" not in line and LOCKS not in line:
                says = line.removeprefix(f"{self.configuration}: ")
                warning = says.startswith("warning: ")
                self.check.append(Fault(says.removeprefix("warning: "), "", warning))

    def ask_status(self) -> None:
        """``doorsill status``."""
        found = report(self.config, datetime.now(UTC))
        self.status = {each.what: each for each in found}

    @property
    def states(self) -> list[str]:
        """What the broker was told, in order."""
        if self.listener is None:
            return []
        return [json.loads(each)["state"] for each in self.listener.on("/state")]

    @property
    def problems(self) -> list[str]:
        """Those of the newest health."""
        if self.listener is None or not self.listener.on("/health"):
            return []
        found: list[str] = json.loads(self.listener.on("/health")[-1])["problems"]
        return found

    @property
    def told(self) -> list[LineInterval]:
        """Intervals that reached the broker."""
        found = [] if self.listener is None else self.listener.on("/interval")
        return [decoded(each) for each in found if each]  # ``check`` sends none

    @property
    def kept(self) -> list[LineInterval]:
        """Intervals that wait in the outbox, or were refused and are kept there."""
        if not self.config.outbox.exists():
            return []
        path = f"{self.config.outbox.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(path, uri=True)) as database:
            query = "SELECT payload FROM outbox WHERE stream = 'interval'"
            try:
                rows = database.execute(query).fetchall()
            except sqlite3.Error:
                return []
        return [decoded(bytes(payload)) for (payload,) in rows]

    @property
    def home(self) -> str:
        """Home Assistant's problem sensor: ON, OFF, unknown, or none where it is not.

        As Home Assistant does it: the packet's own templates, by Jinja2, with the
        newest retained messages.
        """
        if self.listener is None or not self.listener.on("/config"):
            return "none"
        sensor = json.loads(self.listener.on("/config")[-1])["cmps"]["problem"]
        assert (sensor["p"], sensor["dev_cla"]) == ("binary_sensor", "problem")
        (here,) = sensor["avty"]
        words = self._rendered(here), self._rendered(sensor | {"t": sensor["stat_t"]})
        if words[0] != "online":
            return "unavailable"
        return words[1] if words[1] in ("ON", "OFF") else "unknown"

    def _rendered(self, part: dict[str, str]) -> str:
        assert self.listener is not None
        found = [p for topic, p, _ in self.listener.messages if topic == part["t"]]
        if not found:
            return ""
        template = Environment(autoescape=False).from_string(part["val_tpl"])  # noqa: S701 - as Home Assistant
        return template.render(value_json=json.loads(found[-1]))

    def __str__(self) -> str:
        return (
            f"{self.name}: code {self.code}, states {self.states}, problems "
            f"{self.problems}, told {self.told}, kept {self.kept}, home {self.home}\n"
            + self.said[-3000:]
        )


def decoded(payload: bytes) -> LineInterval:
    found = decode("interval", payload)
    assert isinstance(found, LineInterval)
    return found


def shop(folder: Path, name: str, **changes: Any) -> Scene:
    """A good shop whose broker runs; a fault is put in afterwards."""
    stage = Stage(folder / name, LINE, **changes)
    stage.set()
    scene = Scene(name, stage)
    scene.edit('source = "loop"', SLOW)
    stage.broker.start()
    return scene


def room(count: int) -> list[NDArray[np.uint8]]:
    """So many pictures of a room in which nothing moves; the camera's noise differs."""
    random, still = np.random.default_rng(7), recordings.scene(0, (160, 120))
    noise = [random.integers(-3, 4, still.shape) for _ in range(count)]
    return [np.clip(still + each, 0, 255).astype(np.uint8) for each in noise]


def film(path: Path, pictures: Sequence[NDArray[np.uint8]]) -> Path:
    """A recording that shows them again and again, for longer than the shops run."""
    rate = 3
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mjpeg", rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.time_base = "yuvj420p", Fraction(1, rate)
        frames = [av.VideoFrame.from_ndarray(each, "rgb24") for each in pictures]
        once = [
            bytes(each) for frame in [*frames, None] for each in stream.encode(frame)
        ]
        for number in range(rate * FILM_S):
            packet = av.Packet(once[number % len(once)])
            packet.stream, packet.is_keyframe, packet.duration = stream, True, 1
            packet.pts = packet.dts = number
            packet.time_base = Fraction(1, rate)
            output.mux(packet)
    return path


# Run as a program, this file is a kernel without landlock, and perhaps without rooms:
# a filter of system calls answers as such a kernel does; then the words given are run.
OLD_KERNEL = (sys.executable, __file__, "rooms")
OLDER_KERNEL = (sys.executable, __file__, "no-rooms")


def _as_an_older_kernel(refused: Sequence[int]) -> None:
    """ENOSYS for ``refused``, from now on and for children."""
    import struct

    load, equal, give, allow, enosys = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050026
    lines = [(load, 0, 0, 0)]
    for index, number in enumerate(refused):
        lines.append((equal, len(refused) - index, 0, number))
    lines += [(give, 0, 0, allow), (give, 0, 0, enosys)]
    program = b"".join(struct.pack("HBBI", *line) for line in lines)
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxQ", len(lines), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, header, 0, 0) == 0, os.strerror(ctypes.get_errno())


LANDLOCK_CALLS = (444, 445, 446)
UNSHARE = {"x86_64": 272, "aarch64": 97}


@contextlib.contextmanager
def full_disk(scene: Scene) -> Iterator[Callable[[], None]]:
    """A file system of three megabytes for the state; what is given fills it."""
    state = scene.stage.folder / "state"
    state.mkdir()
    size = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(state)]
    subprocess.run(size, check=True, timeout=END_S)

    def fill() -> None:
        filler = (state / "filler").open("wb", buffering=0)
        with filler, contextlib.suppress(OSError):
            while filler.write(bytes(4096)):
                pass

    try:
        yield fill
    finally:
        subprocess.run(["umount", "-l", str(state)], check=True, timeout=END_S)


PICAMERA = """
from types import SimpleNamespace
import numpy as np
from doorsill.drivers.camera.picamera_fake import FakePi

dark = lambda number, size: np.zeros((size[1], size[0], 3), np.uint8)
pi = FakePi(dark, frames_left=0)
library = pi.library()
Picamera2, MappedArray = library.open, library.mapped_array
Picamera2.platform = SimpleNamespace(name=library.platform)
"""
LIBCAMERA = """
class ColorSpace:
    @staticmethod
    def Smpte170m():
        return "Smpte170m"
"""


def silent_pi(folder: Path) -> dict[str, str]:
    """The environment of a Raspberry Pi whose camera opens and gives no frame."""
    modules = folder / "modules"
    modules.mkdir()
    (modules / "picamera2.py").write_text(PICAMERA)
    (modules / "libcamera.py").write_text(LIBCAMERA)
    return {"PYTHONPATH": str(modules)}


if __name__ == "__main__":
    rooms = [] if sys.argv[1] == "rooms" else [UNSHARE[os.uname().machine]]
    _as_an_older_kernel([*LANDLOCK_CALLS, *rooms])
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - it was given
