"""paho's client as we use it: who connects it, what it takes, how long it waits.

All that we use of paho at a door stands here; what is said with it, in ``publisher``.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, LogLevel, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from doorsill.errors import UplinkError
from doorsill.uplink.inbound import LARGEST_BYTES
from doorsill.uplink.patience import spread
from doorsill.uplink.tls import Address, tls_context

Connect = Callable[[], socket.socket]
Reason = ReasonCode
LOG_ERROR = LogLevel.MQTT_LOG_ERR
CODE_AT = 2  # of a PUBACK, behind the number of the message (MQTT 5.0, 3.4.2)
PUBACK_CODES = (0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)
UNSPECIFIED = 0x80  # an error without a name
NO_LIMIT = 0  # of messages on their way, to paho: we keep the broker's ourselves
WITH_WILL = 0x04  # we leave, and the broker shall say our last will


class Client(mqtt.Client):
    """paho's, which lets somebody else make its TCP connection."""

    connect_by: Connect | None = None

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self._odd_answers: dict[int, int] = {}  # of messages on their way

    def _handle_pubackcomp(self, cmd: Any) -> MQTTErrorCode:
        """paho hangs up at a code that the standard does not give to a PUBACK.

        mosquitto with ``message_size_limit`` says 0x95 there, for a message that is too
        large; others may say what they like.
        """
        packet = self._in_packet["packet"]
        if len(packet) > CODE_AT and packet[CODE_AT] not in PUBACK_CODES:
            number = int.from_bytes(packet[:CODE_AT], "big")
            self._odd_answers[number] = packet[CODE_AT]
            packet[CODE_AT] = UNSPECIFIED
        return super()._handle_pubackcomp(cmd)

    def take(self, topic: str, payload: bytes, qos: int, retain: bool) -> int:
        """Publish; the number that the answer will have. UplinkError if paho cannot.

        Without a connection it is forgotten with the next one, see ``publisher``.
        """
        info = self.publish(topic, payload, qos, retain)
        taken = (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN)
        if info.rc not in taken:
            raise UplinkError(f"paho takes no message: {info.rc.name}")
        return info.mid

    def code_of(self, number: int, code: int) -> int:
        """What the broker really said of the message ``number``."""
        return self._odd_answers.pop(number, code)

    def _create_socket_connection(self) -> socket.socket:
        if self.connect_by is not None:
            return self.connect_by()
        return super()._create_socket_connection()


def make_client(
    address: Address, connect_s: float, connect: Connect | None = None
) -> Client:
    """One that speaks MQTT 5 to ``address``; ConfigError where a file is no good."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=address.client,
        protocol=mqtt.MQTTv5,
    )
    client.connect_by = connect
    client.tls_set_context(tls_context(address))
    client.connect_timeout = connect_s
    client.max_inflight_messages_set(NO_LIMIT)
    return client


def close(client: mqtt.Client) -> None:
    """What is left open when its thread has ended: the pair by which paho wakes itself.

    paho closes it when the client is collected, which may be after the pair itself.
    """
    client._reset_sockets()


def wait_between(client: mqtt.Client, least_s: float, most_s: float) -> None:
    """Seconds before a new try, doubling; paho takes fractions and does not say so."""
    client.reconnect_delay_set(spread(least_s), most_s)  # type: ignore[arg-type]


def session() -> Properties:
    """Of our CONNECT: no session outlives the connection, no answer is long."""
    found = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    found.SessionExpiryInterval = 0
    found.MaximumPacketSize = LARGEST_BYTES
    return found


def with_will() -> ReasonCode:
    """Of a DISCONNECT that leaves the last word to our will."""
    return ReasonCode(PacketTypes.DISCONNECT, identifier=WITH_WILL)
