"""Readers that keep what comes: ours, and the loop that everybody writes first.

    python -m tests.bench.ingest_readers ours|loop FOLDER

Both acknowledge a message when its row is on the disk (SQLite, WAL, synchronous FULL).
At SIGTERM they write when each row was there, and their own processor time.
"""

from __future__ import annotations

import json
import mmap
import signal
import sqlite3
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from doorsill.uplink.paho_client import end_loop
from doorsill_fleet.broker.mosquitto import client_context
from doorsill_fleet.ingest.subscriber import Reader, Subscriber
from doorsill_fleet.store.windows import Store

KEPT, ROWS, READY = "kept", "rows.json", "ready"
STREAM = "/interval"
ENDS_WITHIN_S = 20.0  # for the connection, once it was asked to
TABLE = """
PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
CREATE TABLE windows (device TEXT, line INT, start INT, epoch INT, count_in INT,
    count_out INT, payload TEXT, PRIMARY KEY (device, line, start, epoch));
"""


@dataclass
class Clock:
    """Notes when each row was on the disk, and tells the load how many are."""

    folder: Path
    start: int  # UTC s, of the first window
    rows: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    count: int = 0
    before_s: float = 0.0  # of the processor, for all that is loaded at a start

    def __post_init__(self) -> None:
        with (self.folder / KEPT).open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 8)

    def note(self, topic: str, payload: bytes) -> None:
        """The row of this message is there."""
        if not topic.endswith(STREAM):
            return
        start = int(payload.partition(b'"start":')[2].partition(b",")[0])
        number = (start - self.start) // 60
        self.rows.setdefault(topic, []).append((number, time.monotonic()))
        self.count += 1
        self._shared[:8] = struct.pack("<q", self.count)

    def write(self) -> None:
        """All of it, and this process's time on the processor since it was ready, s."""
        found = {"rows": self.rows, "processor_s": time.process_time() - self.before_s}
        (self.folder / ROWS).write_text(json.dumps(found))


def ours(reader: Reader, folder: Path, note: Callable[[str, bytes], None]) -> Any:
    """The product's; returns what ends it."""
    subscriber = Subscriber(reader, Store(folder / "store.db"), note)
    subscriber.start()
    if not subscriber.ready.wait(20):
        raise SystemExit(subscriber.away)
    return subscriber.stop


def loop(reader: Reader, folder: Path, note: Callable[[str, bytes], None]) -> Any:
    """paho, and an INSERT for each message; returns what ends it."""
    database = sqlite3.connect(folder / "store.db", check_same_thread=False)
    database.executescript(TABLE)
    subscribed = threading.Event()
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"reader:{reader.name}",
        protocol=mqtt.MQTTv5,
        manual_ack=True,
    )
    client.tls_set_context(client_context(reader.ca, reader.certificate, reader.key))

    def keep(_: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        said, device = json.loads(message.payload), message.topic.split("/")[2]
        values = (device, said["line"], said["start"], said["epoch"], said["in"],
                  said["out"], message.payload.decode())  # fmt: skip
        database.execute(
            "INSERT INTO windows VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            values,
        )
        database.commit()
        client.ack(message.mid, message.qos)
        note(message.topic, message.payload)

    client.on_message = keep
    client.on_connect = lambda c, *_: c.subscribe("doorsill/#", qos=1)
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect(reader.host, reader.port, 30)
    client.loop_start()
    if not subscribed.wait(20):
        raise SystemExit("the broker was never reached")
    return partial(end_loop, client, ENDS_WITHIN_S)


def main(which: str, folder: Path) -> None:
    """Keep until SIGTERM."""
    setting = json.loads((folder / "reader.json").read_text())
    paths = [Path(setting[each]) for each in ("ca", "certificate", "key")]
    reader = Reader(setting["name"], "127.0.0.1", setting["port"], *paths)
    clock = Clock(folder, setting["start"])
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    stop = {"ours": ours, "loop": loop}[which](reader, folder, clock.note)
    clock.before_s = time.process_time()
    (folder / READY).touch()
    while not asked.wait(1.0):
        pass
    stop()
    clock.write()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
