"""paho's client for a reader, which acknowledges many messages in one write.

mosquitto reads one TLS record of a client in each of its turns and may write all that
it holds to its disk after each turn (``autosave_on_changes``). With a record for each
acknowledgement it fell behind by thousands of them, kept what it had delivered long
ago, and wrote all of it again at each turn.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from paho.mqtt import client as mqtt
from paho.mqtt.enums import MessageType

RECORD_BYTES = 16_384  # of one TLS record
PUBACK = struct.Struct(">BBH")  # type, length of the rest, number of the message
AT_ONCE = RECORD_BYTES // PUBACK.size  # acknowledgements in one record


def acknowledgements(numbers: Sequence[int]) -> list[bytes]:
    """The packets for messages of these numbers, as many in one record as it holds."""
    packets = [PUBACK.pack(MessageType.PUBACK, 2, number) for number in numbers]
    return [
        b"".join(packets[first : first + AT_ONCE])
        for first in range(0, len(packets), AT_ONCE)
    ]


class ReadingClient(mqtt.Client):
    """Made with ``manual_ack``, so that nothing else acknowledges."""

    def acknowledge(self, numbers: Sequence[int]) -> None:
        """Acknowledge the messages of these numbers, all of QoS 1."""
        for data in acknowledgements(numbers):
            self._packet_queue(MessageType.PUBACK, data, 0, 1)
