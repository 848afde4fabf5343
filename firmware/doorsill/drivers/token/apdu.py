"""Smart-card framing, ISO/IEC 7816-4: commands, long commands, long answers, TLV.

Pure but for the ``transmit`` it is given. T=0 cannot carry data both ways in one
command: there the expected length is left out and the answer is fetched (61xx).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

CHUNK = 255  # bytes of data in one short command
CHAINED = 0x10  # class bit: more of this command follows
ANSWER_LIMIT = 8192  # bytes of an answer; an object of a PIV card has about 3,000
ROUNDS_LIMIT = 64  # frames that fetch one answer, at most

Transmit = Callable[[bytes], bytes]


class ApduError(Exception):
    """The card refused, or its answer makes no sense; ``status`` is its word, or 0."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Command:
    """One command, before it is cut into what the wire can carry."""

    instruction: int
    p1: int
    p2: int
    data: bytes = b""
    answers: bool = True  # whether data is expected back


def exchange(transmit: Transmit, command: Command, t0: bool) -> bytes:
    """Send ``command`` and give back the card's whole answer.

    Raises ApduError with the status word where that is not 9000.
    """
    pieces = _pieces(command.data)
    for piece in pieces[:-1]:
        _, status = _split(transmit(_frame(CHAINED, command, piece, le=False)))
        if status != 0x9000:
            raise ApduError(f"the card refused a long command: {status:04x}", status)
    le = command.answers and not (t0 and pieces[-1])
    return _collect(transmit, _frame(0, command, pieces[-1], le))


def _pieces(data: bytes) -> list[bytes]:
    return [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)] or [b""]


def _frame(cla: int, command: Command, data: bytes, le: bool) -> bytes:
    head = bytes((cla, command.instruction, command.p1, command.p2))
    return head + (bytes((len(data),)) + data if data else b"") + (b"\0" if le else b"")


def _collect(transmit: Transmit, frame: bytes) -> bytes:
    """Send ``frame``, then fetch the rest (61xx) or ask again with a length (6Cxx)."""
    data = b""
    for _ in range(ROUNDS_LIMIT):
        piece, status = _split(transmit(frame))
        data += piece
        if len(data) > ANSWER_LIMIT:
            break
        if status == 0x9000:
            return data
        if status >> 8 == 0x61:
            frame = bytes((0, 0xC0, 0, 0, status & 0xFF))
        elif status >> 8 == 0x6C:
            frame = _asking_for(status & 0xFF, frame)
        else:
            raise ApduError(f"the card said {status:04x}", status)
    raise ApduError(f"the card's answer is over the limit of {ANSWER_LIMIT} bytes")


def _asking_for(length: int, frame: bytes) -> bytes:
    """The same command, its data kept, for an answer of exactly ``length`` bytes."""
    ends_in_le = len(frame) == 5 or len(frame) == 6 + frame[4]
    return (frame[:-1] if ends_in_le else frame[:4]) + bytes((length,))


def _split(answer: bytes) -> tuple[bytes, int]:
    if not answer:
        raise ApduError("the card answered nothing; was it pulled?")
    if len(answer) < 2:
        raise ApduError(f"the card answered {len(answer)} bytes; the least is 2")
    return answer[:-2], int.from_bytes(answer[-2:], "big")


def tlv(tag: int, value: bytes) -> bytes:
    """``value`` behind its tag and its length (BER, at most 65535 bytes)."""
    size = len(value)
    if size < 0x80:
        length = bytes((size,))
    elif size < 0x100:
        length = bytes((0x81, size))
    else:
        length = b"\x82" + size.to_bytes(2, "big")
    return tag.to_bytes((tag.bit_length() + 7) // 8 or 1, "big") + length + value


def parse_tlv(data: bytes) -> dict[int, bytes]:
    """The values by tag, one level deep; raises ApduError for wrong lengths."""
    found: dict[int, bytes] = {}
    at = 0
    try:
        while at < len(data):
            tag, at = _tag(data, at)
            size, at = _length(data, at)
            if at + size > len(data):
                raise IndexError
            found[tag] = data[at : at + size]
            at += size
    except IndexError:
        raise ApduError(f"{len(data)} bytes that are cut short or not TLV") from None
    return found


def _tag(data: bytes, at: int) -> tuple[int, int]:
    tag, at = data[at], at + 1
    if tag & 0x1F == 0x1F:
        tag, at = tag << 8 | data[at], at + 1
    return tag, at


def _length(data: bytes, at: int) -> tuple[int, int]:
    first, at = data[at], at + 1
    if first < 0x80:
        return first, at
    count = first & 0x7F
    if count not in (1, 2):
        raise IndexError
    size = 0
    for _ in range(count):
        size, at = size << 8 | data[at], at + 1
    return size, at
