"""The broker that `serve` runs: it is kept at work, and obeys its lists in seconds.

    access changed      mosquitto reads it again (SIGHUP); nobody's connection ends
    any other changed   mosquitto is restarted: that ends what a revoked camera has open

mosquitto 2.0 reads a revocation list at SIGHUP as well, but asks it for new connections
only. A restart loses nothing: sessions and messages are on the disk, and a camera that
was cut off keeps its windows until it is back, a few seconds later.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from doorsill.documents.durable import put
from doorsill.errors import ConfigError, UplinkError
from doorsill.process.holder import hold_alone, holder_of
from doorsill_fleet.broker.child import Child

log = logging.getLogger(__name__)

LOOK_S = 1.0  # between two looks at the files
ENDS_WITHIN_S = 20.0  # for a turn under way: a restart has limits of its own
AGAIN_MOST_S = 30.0  # longest wait before mosquitto is started again
ACCESS, REVOKED = "access", "revoked.pem"
FILES = ("mosquitto.conf", ACCESS, REVOKED, "ca.pem", "broker.pem", "broker.key")
LOCK, OBEYED = "lock", "obeyed"  # held while it runs; hashes of the lists it obeys

Look = dict[str, str]  # SHA-256 of each file


@dataclass(slots=True)
class LocalBroker:
    """mosquitto in ``folder``, as a child of this process."""

    child: Child
    away: str = ""  # why it does not run, as last logged
    seen: Look = field(default_factory=dict)
    _wait_s: float = LOOK_S

    @property
    def folder(self) -> Path:
        """The folder with its files."""
        return self.child.folder

    def start(self) -> None:
        """Start it; UplinkError or ConfigError if it cannot."""
        seen = look(self.folder)
        self.child.restart()
        self._obey(seen)

    def turn(self) -> float:
        """Do what is due; how long to wait before the next turn, s."""
        try:
            self._turn()
        except (ConfigError, UplinkError, OSError) as error:
            self._wait_s = min(2 * self._wait_s, AGAIN_MOST_S)
            if str(error) != self.away:  # once, not with every attempt
                self.away = str(error)
                log.error("the broker: %s", error)
        else:
            if self.away:
                log.info("the broker is back")
            self.away, self._wait_s = "", LOOK_S
        return self._wait_s

    def _turn(self) -> None:
        if not self.child.alive:
            self.start()
            return
        seen = look(self.folder)
        changed = {name for name in FILES if seen[name] != self.seen[name]}
        if changed == {ACCESS}:
            self.child.reload()
        elif changed:
            self.child.restart()
        if changed:
            self._obey(seen)
            log.info("the broker obeys its new %s", " and ".join(sorted(changed)))

    def _obey(self, seen: Look) -> None:
        self.seen = seen
        put(self.folder / OBEYED, _lists(seen).encode())


@contextlib.contextmanager
def running(folder: Path, port: int) -> Iterator[LocalBroker]:
    """A broker in ``folder`` in a thread of its own; stopped when this is left.

    Raises ConfigError or UplinkError if it cannot be started.
    """
    handle = hold_alone(folder / LOCK)
    broker, ends = LocalBroker(Child(folder, port)), threading.Event()

    def go_on() -> None:
        wait_s = LOOK_S
        while not ends.wait(wait_s):
            wait_s = broker.turn()

    thread = threading.Thread(target=go_on, name="broker", daemon=True)
    try:
        broker.start()
        thread.start()
        yield broker
    finally:
        ends.set()
        if thread.is_alive():
            thread.join(ENDS_WITHIN_S)
        broker.child.stop()
        os.close(handle)


def is_run(folder: Path) -> bool:
    """Whether a process runs the broker of ``folder`` now."""
    return holder_of(folder / LOCK) is not None


def obeys(folder: Path) -> bool:
    """Whether that process has taken over both lists as they are now."""
    with contextlib.suppress(FileNotFoundError):
        return (folder / OBEYED).read_text("ascii") == _lists(look(folder))
    return False


def _lists(seen: Look) -> str:
    return f"{seen[ACCESS]} {seen[REVOKED]}"


def look(folder: Path) -> Look:
    """The hash of each file; OSError if one is not there."""
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES
    }
