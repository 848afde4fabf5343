"""Where a face would lie if one had leaked: files, and packets on the wire.

The search is the canary's (``tests/worlds/canary.py``), a part of a file at a time. Its
control puts the same picture where a leaking build would, and has to find it there.
"""

from __future__ import annotations

import shutil
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import canary
from limits import END_S, wait_until
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from replay.judge import Verdict

from doorsill.drivers.camera.decoding import Source
from doorsill.drivers.camera.upright import Scaler
from doorsill.uplink.paho_client import end_loop
from doorsill.uplink.tls import Address
from doorsill_fleet.broker.mosquitto import client_context

KEY = 431_623  # of the canary
FILM_S = 45  # of the canary, where a camera films it
STRIP_S = 2  # of the canary, where none does
PART_BYTES = 1 << 24  # of a file, at once
PIECE_BYTES = 900  # of a picture in one message
PACKET = "packet on the wire"
CONTROL = "control"  # folder, and table, of what is leaked on purpose


@dataclass(frozen=True)
class Film:
    """A recording with canary faces, and what to look for of it."""

    path: Path
    needles: canary.Needles

    def row(self) -> bytes:
        """A piece of what vision sees of it, as a leak would send it."""
        source = Source(str(self.path), strict=True)
        scaler = Scaler(canary.detector().fit)
        try:
            while (picture := source.next()) is not None:
                pixels = scaler.pixels(picture)
                row = bytes(pixels[len(pixels) // 6].tobytes())
                if canary.hits(row, self.needles):
                    return row
        finally:
            source.close()
        raise RuntimeError("the film does not show the canary")


def film(folder: Path, seconds: int) -> Film:
    """A recording of so many ``seconds`` in ``folder``."""
    folder.mkdir(exist_ok=True)
    path = folder / "street.mkv"
    path.unlink(missing_ok=True)
    return Film(path, canary.record(path, "mjpeg", KEY, (seconds, 1)))


def in_files(folder: Path, needles: canary.Needles, but: set[str]) -> set[str]:
    """Names of files below ``folder`` with a piece of it; ``but`` are not looked at."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file()
        and path.relative_to(folder).parts[0] not in but
        and any(canary.hits(each, needles) for each in _parts(path))
    }


def _parts(path: Path) -> Iterator[bytes]:
    """A file in parts that overlap, so that no piece is cut."""
    with path.open("rb") as file:
        before = b""
        while part := file.read(PART_BYTES):
            yield before + part
            before = part[-canary.NEEDLE :]


def in_packets(packets: list[bytes], needles: canary.Needles) -> set[str]:
    """PACKET, if any of them holds a piece."""
    return {PACKET} if canary.hits(b"\0".join(packets), needles) else set()


@contextmanager
def listening() -> Iterator[list[bytes]]:
    """Every packet on the loopback interface; none without root."""
    if not canary.may_capture():
        yield []
        return
    with canary.Capture() as wire:
        yield wire.packets


def leak(folder: Path, own: Address, row: bytes) -> None:
    """What a leaking build would leave: at the broker, in a store, in a log, sent."""
    _send(own, row)
    shutil.rmtree(folder / CONTROL, ignore_errors=True)
    (folder / CONTROL).mkdir()
    (folder / CONTROL / "log").write_bytes(b"crop: " + row + b"\n")
    database = sqlite3.connect(folder / CONTROL / "store.db")
    database.execute("CREATE TABLE faces (crop BLOB)")
    database.execute("INSERT INTO faces VALUES (?)", (row,))
    database.commit()
    database.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.sendto(row, ("127.0.0.1", 9))


def _send(own: Address, row: bytes) -> None:
    """Through the real broker, in a camera's name; its readers are away."""
    answered: list[int] = []
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2, client_id=own.client, protocol=mqtt.MQTTv5
    )
    client.tls_set_context(client_context(own.ca, own.certificate, own.key))
    client.on_publish = lambda *said: answered.append(said[2])
    client.connect(own.host, own.port)
    client.loop_start()
    try:
        topic = f"doorsill/{own.site}/{own.device}/interval"
        client.publish(topic, row[:PIECE_BYTES], 1)
        wait_until(lambda: answered)
        time.sleep(1.0)  # the broker saves within a second
    finally:
        client.disconnect()
        end_loop(client, END_S)


def verdict(found: set[str], control: set[str], packets: int) -> Verdict:
    """Nothing found, and all of the control."""
    wanted = {"broker", "store", "log"} | ({PACKET} if packets else set())
    seen = {kind for kind in wanted if any(_is(kind, each) for each in control)}
    wire = f"{packets:,} packets" if packets else "no packets, which only root can read"
    missed = f", but not in {', '.join(sorted(wanted - seen))}" if wanted - seen else ""
    return Verdict(
        "faces",
        f"{len(found)} places with a canary face"
        + (f" ({', '.join(sorted(found))})" if found else "")
        + f"; looked at every file and {wire}; the control was found in "
        + f"{', '.join(sorted(seen))}{missed}",
        not found and seen == wanted,
    )


def _is(kind: str, place: str) -> bool:
    at = {
        "broker": "fleet/broker/mosquitto.db",
        "store": f"{CONTROL}/store.db",
        "log": f"{CONTROL}/log",
        PACKET: PACKET,
    }
    return place.startswith(at[kind])
