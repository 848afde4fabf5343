"""What goes between our processes and to the broker, each end taken for hostile."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import secrets
import socket
import struct
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from messages import EVERY

from doorsill.cells import HealthCell, LineCell, LooksCell, Quality, ZoneCell
from doorsill.channels import crops
from doorsill.channels.cell_link import CellClient, CellServer, Received, pack, unpack
from doorsill.channels.control import Counter, ask
from doorsill.channels.crop_sender import Handover
from doorsill.errors import UntrustedError
from doorsill.policy.verdict import Verdict, read_verdict
from doorsill.privacy.floors import SLOT_S
from doorsill.services.uplink_opening import tally_in
from doorsill.uplink.attributes import AttributeRules
from doorsill.uplink.inbound import Inbound, UnaskedError
from doorsill.uplink.intake import Intake
from doorsill.uplink.outbox import Outbox
from doorsill.uplink.pieces import Places
from doorsill.uplink.reports import Release, as_of_now, entries_of
from doorsill.uplink.rows import Bounds
from doorsill.uplink.tally import Tally
from doorsill.uplink.tally_text import tally_of, text_of
from doorsill.values import Frame
from doorsill.wire.codec import decode, encode
from doorsill.wire.messages import STREAMS, stream_of

from .running import Parser

RELEASE = Release("0.1.0", "ab" * 16, "cd" * 16)
DAY = 20_000 * 86_400
RULES = AttributeRules(
    attributes=True, k=10, daily_micro=2_000_000, places=Places(1, 1)
)
LINE = LineCell(0, DAY, 60, True, 5, 3, 60_000, Quality.GOOD)
ZONE = ZoneCell(0, DAY, 60, True, 3, 30, 2, 400, 60_000, Quality.GOOD)
LOOKS = LooksCell(0, DAY, DAY + SLOT_S, (2, 8, 0), (4, 5, 1))
HEALTH = HealthCell(DAY, 100, 3, 12_500, 100, 100, 1000, 0)
HEADS = np.array([[0.2, 0.2, 0.6, 0.6]], np.float32)
PIXELS = np.zeros((64, 64, 3), np.uint8)


def message(folder: Path) -> Parser:
    """A first byte says which stream; what is taken is spelt as it was read."""
    streams = sorted(STREAMS)
    seeds = [bytes([streams.index(stream_of(each))]) + encode(each) for each in EVERY]

    def feed(data: bytes) -> None:
        stream, payload = streams[(data[0] if data else 0) % len(streams)], data[1:]
        assert encode(decode(stream, payload)) == payload
        as_of_now(stream, payload, 1.9e9)

    return Parser(seeds, feed)


def tally(folder: Path) -> Parser:
    """What a card gave back of the outbox; then a minute is counted with it."""
    places = Places(1, 1)
    kept = Tally(places, 7, DAY)
    for number, each in enumerate((LINE, ZONE, replace(LINE, start=DAY + 60)), 1):
        kept.take(Received(1, number, each), DAY + 200.0)
    kept.take(Received(1, 4, replace(ZONE, start=DAY + 60, closed=False)), DAY + 200.0)
    kept.mark_looks_used(LOOKS)

    def feed(data: bytes) -> None:
        known = tally_of(data.decode("utf-8", "replace"), places)
        known.begin_again(DAY)
        later = Received(2, 1, replace(LINE, start=DAY + 240))
        told = known.copy().take(later, DAY + 400.0)
        told += known.set_back(DAY - 9000.0, 8) + known.lapse(DAY + 999.0, DAY)
        for minute in told:
            entries_of(minute, RELEASE, 10)
        with contextlib.suppress(UntrustedError):
            known.take_looks(Received(2, 2, LOOKS))
        assert tally_of(text_of(known), places) == known

    return Parser([text_of(kept).encode()], feed)


def verdict(folder: Path) -> Parser:
    """What the policy process leaves for the uplink; one line, or nothing."""
    path = folder / "verdict"

    def feed(data: bytes) -> None:
        path.write_bytes(data)
        found = read_verdict(path)
        assert found is None or found.spell() == data

    return Parser([Verdict("rollback", "ab" * 32, 1_900_000_000).spell()], feed)


def broker_bytes(folder: Path) -> Parser:
    """What a hostile broker sends before MQTT is understood."""
    connected = bytes.fromhex("2003000000")
    answered = bytes.fromhex("4004000a0000")
    ping, long = bytes.fromhex("d000"), bytes.fromhex("20ffff7f")
    ours = b"\x33\x16\0\x0fdoorsill/s/c/po\0\x07\0{}"
    seeds = [connected + answered + ping, answered * 20, long, b"\x30\x05hello"]
    seeds += [connected + ours * 9, ours[:1] + b"\xff\xff\x01" + ours[2:]]

    def feed(data: bytes) -> None:
        whole, parts = Inbound("doorsill/s/c/po"), Inbound("doorsill/s/c/po")
        with contextlib.suppress(UnaskedError):
            assert whole.take(data, 0.0) == data
            for at in range(0, len(data), 3):
                parts.take(data[at : at + 3], 0.0)
            assert whole == parts

    return Parser(seeds, feed)


class Wire:
    """Stands where the socket to vision is; what it gives is read as from there."""

    def __init__(self) -> None:
        self.said: list[bytes] = []

    def fileno(self) -> int:
        return -1

    def receive(self, timeout: float) -> Received | None:
        return unpack(self.said.pop()) if self.said else None

    def acknowledge(self, sequence: int) -> None:
        assert 0 <= sequence < 2**32

    def close(self) -> None:
        self.said.clear()


def cell(folder: Path) -> Parser:
    """Vision's bytes, all the way into the outbox; what is refused changes nothing."""
    outbox, wire = Outbox(folder / "outbox.db", lambda: 20_000, Bounds()), Wire()
    tally = tally_in(outbox, RULES.places, 0)
    intake = Intake(
        lambda: wire, outbox, RULES, RELEASE, secrets.randbelow, tally, link=wire
    )
    now = 0.0

    def feed(data: bytes) -> None:
        nonlocal now
        now += 20.0
        unpack(data)
        wire.said.append(data)
        intake.step(now, DAY + 60.0 + now)
        assert intake.disk_failures == 0

    cells = (LINE, ZONE, LOOKS, HEALTH)
    seeds = [pack(Received(9, 7, each)) for each in cells]
    return Parser(seeds, feed, outbox.close)


def acknowledgement(folder: Path) -> Parser:
    path = folder / "cells.sock"
    server = CellServer(path)

    def feed(data: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as uplink:
            uplink.connect(str(path))
            server.poll()
            server.send(LINE)
            with contextlib.suppress(OSError):
                uplink.send(data[:64])
            server.poll()
        reader = CellClient(path)  # it takes everything, before the next input
        server.poll()
        reader.acknowledge(2**32 - 1)
        server.poll()
        reader.close()
        server.poll()
        assert server.pending == 0

    seeds = [struct.pack("<I", number) for number in (0, 1, 2**32 - 1)]
    return Parser(seeds, feed, server.close)


def lease(folder: Path) -> Parser:
    """What vision is sent by a process that says that it is the vault."""
    path, now, clock = folder / "faces.sock", 100.0, [100.0]
    vision, frames = Handover(path, lambda: clock[0]), itertools.count(1)
    seeds = [crops.LEASE.pack(b"LSE1", until) for until in (0.0, 101.0, 1e9)]

    def feed(data: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as vault:
            vault.connect(str(path))
            with contextlib.suppress(OSError):
                vault.send(data[:256])
            at = now + next(frames)  # each frame long after the one before
            vision.offer(Frame(PIXELS, at), HEADS, at)
            clock[0] = now + crops.LEASE_MOST_S
            assert not vision.open
            clock[0] = now
        vision.offer(Frame(PIXELS, now), HEADS, now)

    return Parser(seeds, feed, vision.close)


def crop(folder: Path) -> Parser:
    """Two bytes say how many handles and of what; the rest is the message."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(folder / "crops.sock"))
        listener.listen(1)
        source = crops.CropSource(folder / "crops.sock")
        ours, _ = listener.accept()
    ours.setblocking(False)
    good = crops.CROP.pack(b"CRP1", 16, 16, 1.0)

    def feed(data: bytes) -> None:
        count, kind = (data + b"\0\0")[0] % 6, (data + b"\0\0")[1] % 6
        handles = [_handle(kind, good) for _ in range(count)]
        try:
            with contextlib.suppress(OSError):
                socket.send_fds(ours, [data[2:1024]], handles)
            found = source.receive()
            if found is not None:
                with found.map() as pixels:
                    assert len(pixels) == found.size
                found.close()
        finally:
            for each in handles:
                os.close(each)

    seeds = [bytes([1, kind]) + good for kind in range(6)]
    return Parser(seeds, feed, lambda: (ours.close(), source.close()))


def _handle(kind: int, good: bytes) -> int:
    """A memfd that is sealed, half sealed, too short, unsealable; a file, a pipe."""
    if kind == 4:
        return os.open("/etc/passwd", os.O_RDONLY)
    if kind == 5:
        reading, writing = os.pipe()
        os.close(writing)
        return reading
    flags = os.MFD_CLOEXEC | (0 if kind == 3 else os.MFD_ALLOW_SEALING)
    handle = os.memfd_create("crop", flags)
    os.ftruncate(handle, 16 * 16 * 3 - (kind == 2))
    if kind != 3:
        seals = crops.SEALS if kind != 1 else fcntl.F_SEAL_WRITE
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, seals)
    return handle


def question(folder: Path) -> Parser:
    """What a person's program asks the vault at its counter."""
    path = folder / "vault.sock"
    counter = Counter(path)

    def feed(data: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
            line.connect(str(path))
            line.send(data[:4096])
            for _ in range(2):
                for each in counter.take():
                    each.answer({"x": 1})
        counter.take()

    return Parser([b"status", b"export", b"blank"], feed, counter.close)


def answer(folder: Path) -> Parser:
    """What is read from who says that it is the vault."""
    path = folder / "vault.sock"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    listener.listen(1)
    said = [b""]

    def serve() -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                peer, _ = listener.accept()
                with peer, contextlib.suppress(OSError):
                    peer.recv(64)
                    peer.send(said[0][:4096])

    threading.Thread(target=serve, daemon=True).start()

    def close() -> None:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()

    def feed(data: bytes) -> None:
        said[0] = data
        begun = time.monotonic()
        ask(path, "status")
        assert time.monotonic() - begun < 5.0

    seeds = [b'{"state":"blank","sealed":0}', b'{"refused":"no"}']
    return Parser(seeds, feed, close)
