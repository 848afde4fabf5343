"""The consent card speaks to QEMU's reader; once pulled it answers nothing."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from limits import END_S

from doorsill.drivers.token.piv_fake import ATR_T0, VirtualCard

from .card import (
    APDU,
    ATR,
    FLUSH,
    FLUSHED,
    HEAD,
    INIT,
    MAGIC,
    READER_ADD,
    REMOVE,
    CardLine,
)
from .errors import BenchError

SELECT = bytes.fromhex("00a4040005a000000308")


class Reader:
    """QEMU's end: the reader that asks."""

    def __init__(self, path: Path) -> None:
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._server.settimeout(END_S)
        self.line: socket.socket

    def meet(self) -> None:
        """Take the connection, and say hello."""
        self.line = self._server.accept()[0]
        self.line.settimeout(END_S)
        kind, data = self.hear()
        assert kind == INIT and struct.unpack(">I", data[:4]) == (MAGIC,)
        self.say(INIT, data)
        assert self.hear()[0] == READER_ADD

    def say(self, kind: int, data: bytes = b"") -> None:
        self.line.sendall(HEAD.pack(kind, 0, len(data)) + data)

    def hear(self) -> tuple[int, bytes]:
        kind, _, length = HEAD.unpack(self._exactly(HEAD.size))
        return kind, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self.line.recv(count - len(data))
        return data

    def close(self) -> None:
        self.line.close()
        self._server.close()


@contextmanager
def met(path: Path) -> Iterator[tuple[Reader, CardLine]]:
    reader = Reader(path)
    meeting = Thread(target=reader.meet, daemon=True)
    meeting.start()
    line = CardLine(path)
    meeting.join(END_S)
    try:
        yield reader, line
    finally:
        line.close()
        reader.close()


def test_a_card_in_the_reader_answers_and_one_that_was_pulled_does_not(
    tmp_path: Path,
) -> None:
    with met(tmp_path / "r") as (reader, line):
        line.insert(VirtualCard(t0=True))
        assert reader.hear() == (ATR, ATR_T0)
        reader.say(APDU, SELECT)
        kind, answer = reader.hear()
        assert kind == APDU and answer[-2:-1] == b"\x61"
        assert line.asked == 1
        line.pull()
        assert reader.hear() == (REMOVE, b"")
        reader.say(APDU, SELECT)
        reader.say(FLUSH)
        assert reader.hear() == (FLUSHED, b""), "the command was not answered"
        assert line.asked == 1


def test_a_card_that_is_pulled_with_its_answer_is_gone_after_it(tmp_path: Path) -> None:
    with met(tmp_path / "r") as (reader, line):
        line.insert(VirtualCard(t0=True))
        assert reader.hear()[0] == ATR
        line.pull_with_answer()
        reader.say(APDU, SELECT)
        assert [reader.hear()[0], reader.hear()[0]] == [APDU, REMOVE]
        line.insert(VirtualCard(t0=True))
        assert reader.hear()[0] == ATR
        reader.say(APDU, SELECT)
        reader.say(FLUSH)
        assert [reader.hear()[0], reader.hear()[0]] == [APDU, FLUSHED]  # once only


def test_no_reader_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rig.lines.CONNECT_S", 0.2)
    with pytest.raises(BenchError, match="no socket of QEMU"):
        CardLine(tmp_path / "none")
