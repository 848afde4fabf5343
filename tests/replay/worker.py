"""One worker of the office: the product's subscriber and store, under a clock of ours.

    python -m replay.worker FOLDER READER PART OF

The store judges a window by its own clock (``doubt``); here it is January again.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from select import select

from limits import PROGRAM_S
from replay.clocks import Clocks

from doorsill.process.stopping import listen
from doorsill_fleet.ingest.subscriber import Part, Reader, Subscriber
from doorsill_fleet.store.windows import Store

LOOK_S = 5.0  # longest wait for a signal
STORE = "store.db"


def main(folder: Path, name: str, part: Part) -> None:
    """Keep until SIGTERM."""
    logging.basicConfig(level=logging.INFO)
    places = json.loads((folder / "places.json").read_text())
    fleet = folder / "fleet"
    files = (fleet / "ca.pem", *(fleet / f"reader-{name}.{e}" for e in ("pem", "key")))
    reader = Reader(name, "localhost", places["broker_port"], *files)
    clocks = Clocks(folder / "clocks")
    store = Store(folder / STORE, now=clocks.latest)
    subscriber = Subscriber(reader, store, part=part)
    stop = listen()
    bell = stop.bell()
    subscriber.start()
    if not subscriber.ready.wait(PROGRAM_S):
        raise SystemExit(subscriber.away or "the broker was never reached")
    (folder / f"ready-{name}").touch()
    while not stop.asked:
        select([bell], [], [], LOOK_S)
    subscriber.stop()
    store.close()


if __name__ == "__main__":
    where, reads, number, of = sys.argv[1:]
    main(Path(where), reads, Part(int(number), int(of)))
