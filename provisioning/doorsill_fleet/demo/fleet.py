"""The newcomer's page of the README, typed: from nothing to 22 cameras that count.

    python -m doorsill_fleet.demo.fleet [--cameras N]

Each command is shown before it runs. All of it is in one folder and on free ports of
this machine, and gone at the end. It ends with 1 where a command fails, or where a
camera was not heard.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from doorsill_fleet.broker.mosquitto import free_port
from doorsill_fleet.cli.store import opened
from doorsill_fleet.store.queries import seen

CAMERAS = 22
HEARD_S = 240.0  # for all of them; windows close on the minute, and go 10 s later
LOOK_S = 1.0  # between two looks at who was heard
COMMAND_S = 300.0  # for one command
READY_S = 120.0  # for what runs beside to say that it is ready
END_S = 20.0  # for it to end
# What a newcomer types; what ends with & runs beside the others.
PAGE = (
    "doorsill-fleet init --host localhost --no-passphrase",
    "doorsill-fleet site add shop-1",
    "doorsill policy new shop-1.toml --site shop-1 --line 0,0.5,1,0.5 "
    '--controller "A trial"',
    "doorsill policy sign shop-1.toml --key fleet/safe/controller.key "
    "--out fleet/policies/shop-1.json",
    "doorsill-fleet device add --count 22 --site shop-1",
    "doorsill-fleet serve &",
    "doorsill-fleet receive --broker localhost --store visitors.db --ca fleet/ca.pem "
    "--certificate fleet/reader-store.pem --key fleet/reader-store.key &",
    "doorsill-fleet simulate vouchers.csv &",
    "doorsill-fleet devices --store visitors.db",
)
READY = {
    "serve": "cameras enrol at",
    "receive": "connected to the broker",
    "simulate": "they count",
}
MODULES = {"doorsill": "doorsill", "doorsill-fleet": "doorsill_fleet.cli.main"}


@dataclass(slots=True)
class Demo:
    """A folder, two free ports, and how many cameras count."""

    folder: Path
    cameras: int = CAMERAS
    port: int = field(default_factory=free_port)
    broker_port: int = field(default_factory=free_port)

    def words(self, line: str) -> list[str]:
        """A line of PAGE as this run types it: its own ports and cameras."""
        words = shlex.split(line.removesuffix(" &"))
        ports = ["--port", str(self.port), "--broker-port", str(self.broker_port)]
        changed = {
            "init": lambda: [*words, *ports],
            "receive": lambda: _put(words, "--broker", f"localhost:{self.broker_port}"),
            "device": lambda: _put(words, "--count", str(self.cameras)),
        }
        return changed.get(words[1], lambda: words)()

    def play(self) -> int:
        """Type the page; 0 if every camera was heard."""
        begun, heard = time.monotonic(), 0
        with contextlib.ExitStack() as running:
            for line in PAGE:
                words = self.words(line)
                _say(f"$ {shlex.join(words)}{' &' if line.endswith('&') else ''}")
                if line.endswith("&"):
                    running.enter_context(self._beside(words))
                elif code := self._type(words):
                    return code
                if words[1] == "simulate":
                    heard = self._wait()
        took = time.monotonic() - begun
        _say(f"{heard} of {self.cameras} cameras were heard, {took:.0f} s from nothing")
        return 0 if heard == self.cameras else 1

    def heard(self) -> int:
        """How many cameras have a window in the store."""
        with opened(str(self.folder / "visitors.db")) as engine:
            return sum(each.newest > 0 for each in seen(engine).values())

    def _wait(self) -> int:
        """How many cameras were heard, once all are or HEARD_S are over."""
        _say("  a window closes with its minute, and goes 10 s later")
        ends = time.monotonic() + HEARD_S
        while (heard := self.heard()) < self.cameras and time.monotonic() < ends:
            time.sleep(LOOK_S)
        return heard

    def _type(self, words: Sequence[str]) -> int:
        command = [sys.executable, "-m", MODULES[words[0]], *words[1:]]
        return subprocess.run(
            command, cwd=self.folder, check=False, timeout=COMMAND_S
        ).returncode

    @contextlib.contextmanager
    def _beside(self, words: Sequence[str]) -> Iterator[None]:
        """A command that runs until the end; it is ready when this is entered."""
        log = self.folder / f"{words[1]}.log"
        command = [sys.executable, "-u", "-m", MODULES[words[0]], *words[1:]]
        with log.open("wb") as said:
            child = subprocess.Popen(command, cwd=self.folder, stdout=said, stderr=said)
        try:
            ends = time.monotonic() + READY_S
            while READY[words[1]] not in log.read_text(errors="replace"):
                if child.poll() is not None or time.monotonic() > ends:
                    raise SystemExit(f"{words[1]}: {log.read_text(errors='replace')}")
                time.sleep(0.05)
            yield
        finally:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(END_S)
            child.kill()
            child.wait(END_S)


def _put(words: list[str], option: str, value: str) -> list[str]:
    """``words`` with another value behind ``option``."""
    at = words.index(option) + 1
    return [*words[:at], value, *words[at + 1 :]]


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(words: list[str]) -> int:
    """Play it in a folder that is thrown away."""
    parser = argparse.ArgumentParser(prog="make fleet-demo", description=__doc__)
    parser.add_argument("--cameras", type=int, default=CAMERAS)
    args = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="doorsill-fleet-") as folder:
        return Demo(Path(folder), args.cameras).play()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
