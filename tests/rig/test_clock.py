"""What a camera asks a time server, and the answer it takes."""

from __future__ import annotations

import socket
import struct

import pytest
from limits import END_S

from .clock import SINCE_1900_S, answer, serving

ASKED = bytes([0b00_100_011, 0, 6]) + bytes(37) + b"asked at"


def test_the_answer_gives_the_question_back_with_the_time() -> None:
    said = answer(ASKED, 1_800_000_000.25)
    assert len(said) == 48
    assert said[0] & 0b111 == 4 and said[0] >> 6 == 0, "a server that has the time"
    assert 0 < said[1] < 16, "a stratum that timesyncd takes"
    assert said[24:32] == b"asked at"
    assert struct.unpack(">II", said[40:]) == (1_800_000_000 + SINCE_1900_S, 1 << 30)


@pytest.mark.parametrize("asked", [b"", bytes(48), ASKED[:40]])
def test_what_is_no_question_gets_no_answer(asked: bytes) -> None:
    with pytest.raises(ValueError, match="no question"):
        answer(asked, 0.0)


def test_it_answers_over_the_network() -> None:
    with serving(0) as port, socket.socket(type=socket.SOCK_DGRAM) as line:
        line.settimeout(END_S)
        line.sendto(b"noise", ("127.0.0.1", port))
        line.sendto(ASKED, ("127.0.0.1", port))
        assert line.recv(512)[24:32] == b"asked at"
