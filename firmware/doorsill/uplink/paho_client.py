"""paho's MQTT client as we use it: who connects it, what it takes, how long it waits.

All that a device uses of paho is here; ``publisher`` says what is sent with it.
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
from doorsill.uplink.inbound import largest_packet
from doorsill.uplink.patience import spread
from doorsill.uplink.tls import Address, tls_context

Connect = Callable[[], socket.socket]
Reason = ReasonCode
LOG_ERROR = LogLevel.MQTT_LOG_ERR
CODE_AT = 2  # where the code is in a PUBACK, after the message number (3.4.2)
PUBACK_CODES = (0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)
UNSPECIFIED = 0x80  # code of an error without a name
NO_LIMIT = 0  # no limit by paho on messages on their way: we keep the broker's limit
WITH_WILL = 0x04  # DISCONNECT after which the broker publishes our last will


class Client(mqtt.Client):
    """paho's client; another process may make its TCP connection."""

    connect_by: Connect | None = None

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self._odd_answers: dict[int, int] = {}  # of messages on their way

    def _handle_pubackcomp(self, cmd: Any) -> MQTTErrorCode:
        """Replace a code that the standard does not allow in a PUBACK.

        paho would end the connection at such a code. mosquitto with
        ``message_size_limit`` sends 0x95 for a message that is too large.
        """
        packet = self._in_packet["packet"]
        if len(packet) > CODE_AT and packet[CODE_AT] not in PUBACK_CODES:
            number = int.from_bytes(packet[:CODE_AT], "big")
            self._odd_answers[number] = packet[CODE_AT]
            packet[CODE_AT] = UNSPECIFIED
        return super()._handle_pubackcomp(cmd)

    def take(self, topic: str, payload: bytes, qos: int, retain: bool) -> int:
        """Publish; returns the number that the answer will have.

        Raises UplinkError if paho cannot. Without a connection the message is dropped
        at the next one, see ``publisher``.
        """
        info = self.publish(topic, payload, qos, retain)
        taken = (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN)
        if info.rc not in taken:
            raise UplinkError(f"paho takes no message: {info.rc.name}")
        return info.mid

    def code_of(self, number: int, code: int) -> int:
        """The code that the broker really sent for the message ``number``."""
        return self._odd_answers.pop(number, code)

    def _create_socket_connection(self) -> socket.socket:
        if self.connect_by is not None:
            return self.connect_by()
        return super()._create_socket_connection()


def make_client(
    address: Address, connect_s: float, connect: Connect | None = None
) -> Client:
    """A client that speaks MQTT 5 to ``address``; ConfigError if a file is bad."""
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
    """Close the socket pair by which paho wakes its thread, after that has ended.

    paho closes it only when Python frees the client, which may be too late.
    """
    client._reset_sockets()


def end_loop(client: mqtt.Client, within_s: float) -> None:
    """Wait for the thread that ``loop_start`` made; TimeoutError if it goes on.

    paho's own ``loop_stop`` has no limit, and fails where the thread ends by itself
    between its two looks at it, as it does after ``disconnect``.
    """
    thread = client._thread
    client._thread_terminate = True
    if thread is not None:
        thread.join(within_s)
        if thread.is_alive():
            raise TimeoutError(f"the connection did not end within {within_s:g} s")


def wait_between(client: mqtt.Client, least_s: float, most_s: float) -> None:
    """Set the seconds before a new try; they double up to ``most_s``.

    paho accepts fractions, although its type says int.
    """
    client.reconnect_delay_set(spread(least_s), most_s)  # type: ignore[arg-type]


def session(topic: str) -> Properties:
    """The properties of our CONNECT: no session after it, and no larger packet.

    mosquitto 2.0 does not count a packet's first byte, so we state one byte less:
    otherwise a policy that is too large by one byte would come, and end the connection.
    """
    found = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    found.SessionExpiryInterval = 0
    found.MaximumPacketSize = largest_packet(topic) - 1
    return found


def with_will() -> ReasonCode:
    """The code of a DISCONNECT after which the broker publishes our last will."""
    return ReasonCode(PacketTypes.DISCONNECT, identifier=WITH_WILL)
