"""What a broker may say to a device that asked for nothing: short answers.

The device subscribes to no topic, so the broker has nothing to publish to it, and every
answer is short. Every byte from the broker passes here before MQTT is parsed. A
PUBLISH, or a packet whose stated length is too large, ends the connection before a byte
of its body is read.

A packet (MQTT 5.0, 2.1): one byte of type and flags, its length in one to four bytes
of seven bits, then as many bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

LARGEST_BYTES = 16_384  # of one packet; an answer to us has about 10
PUBLISH = 3  # type of packet
_LENGTH_BYTES = 4  # most bytes of a length


class UnaskedError(ConnectionError):
    """The broker sends what we did not ask for; paho treats it as a lost connection."""


@dataclass(slots=True)
class Inbound:
    """Follows the packets of one connection by their headers."""

    _body: int = 0  # bytes of the present packet that are still to come
    _length: int = 0  # of the present packet, as far as it was read
    _shift: int = -1  # bits of the length read so far; below 0 a packet begins

    def take(self, data: bytes) -> bytes:
        """Return ``data``; UnaskedError if it is no answer to us."""
        position = 0
        while position < len(data):
            if self._body:
                step = min(self._body, len(data) - position)
                self._body, position = self._body - step, position + step
                continue
            self._head(data[position])
            position += 1
        return data

    def _head(self, byte: int) -> None:
        if self._shift < 0:
            if byte >> 4 == PUBLISH:
                raise UnaskedError("the broker publishes to us, unasked")
            self._length = self._shift = 0
            return
        self._length |= (byte & 0x7F) << self._shift
        self._shift += 7
        if self._length > LARGEST_BYTES or self._shift > 7 * _LENGTH_BYTES:
            raise UnaskedError(f"the broker sends more than {LARGEST_BYTES} bytes")
        if byte < 0x80:
            self._body, self._shift = self._length, -1
