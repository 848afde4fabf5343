"""MQTT 5 over mutual TLS 1.3: hand over checked messages, report what the broker said.

paho's thread does the network; this side is one thread's: ``send`` and ``poll``. What
the thread has to say waits in a queue and ``fileno`` becomes readable.

* Session expiry 0: the outbox is the session, there is no second queue to lose.
* The answer to each message is the reason code of its PUBACK, found by its number;
  paho's own ``wait_for_publish`` breaks for ever after a lost connection.
* A broker that takes the connection and answers nothing is left after ``ack_s``.
* The last will says ``lost``; ``stop`` takes leave properly instead.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from select import select
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, LogLevel, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from doorsill.errors import UntrustedError, UplinkError
from doorsill.uplink.events import Answered, Connected, Disconnected, Event
from doorsill.uplink.guard import Outgoing
from doorsill.uplink.inbound import LARGEST_BYTES
from doorsill.uplink.timing import Timing, spread
from doorsill.uplink.tls import Address, explain, tls_context

log = logging.getLogger(__name__)

IN_FLIGHT_LIMIT = 256
WAKE_S = 0.1  # how long a message waits for the network thread at most
TAKEN_OVER = 0x8E
TAKEN_OVER_WORDS = "another client came with our certificate"
STALLED = "answered nothing for"
# mosquitto 2.0 hangs up on the one who is thrown out and says nothing.
SHORT_MOST = 3  # connections in a row that the broker took in and ended soon
SHORT_WORDS = (
    "the broker takes us in and hangs up, again and again: another client came with "
    "our certificate"
)


Connect = Callable[[], socket.socket]


class _Client(mqtt.Client):
    """paho's, which lets somebody else make its TCP connection."""

    connect_by: Connect | None = None

    def _create_socket_connection(self) -> socket.socket:
        if self.connect_by is not None:
            return self.connect_by()
        return super()._create_socket_connection()


@dataclass(slots=True)
class _Sent:
    tag: int | None
    time: float
    topic: str


@dataclass(slots=True)
class Publisher:
    """One connection to one broker, kept up until ``stop``."""

    address: Address
    will: Outgoing
    timing: Timing = field(default_factory=Timing)
    connect: Connect | None = None  # by whom, where this process may not
    connected: bool = field(default=False, init=False)
    answered_at: float | None = field(default=None, init=False)  # s, monotonic
    _client: mqtt.Client = field(init=False, repr=False)
    _said: deque[tuple[str, Any]] = field(default_factory=deque, init=False)
    _sent: dict[int, _Sent] = field(default_factory=dict, init=False)
    _wake: tuple[int, int] = field(init=False)
    _bell: threading.Lock = field(default_factory=threading.Lock, init=False)
    _closed: bool = field(default=False, init=False)
    _network: threading.Thread | None = field(default=None, init=False)
    # The next three are the network thread's own.
    _trouble: str = field(default="", init=False)
    _short: int = field(default=0, init=False)  # connections in a row that ended soon
    _since: float = field(default=math.inf, init=False)  # when it was taken in, s
    _patience: float = field(init=False)

    def __post_init__(self) -> None:
        self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._patience = self.timing.least_wait_s
        self._client = self._make_client()

    def start(self) -> None:
        """Begin to connect, and go on trying."""
        expiry = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        expiry.SessionExpiryInterval = 0
        expiry.MaximumPacketSize = LARGEST_BYTES
        self._client.connect_async(
            self.address.host,
            self.address.port,
            keepalive=self.timing.keepalive_s,
            clean_start=True,
            properties=expiry,
        )
        # Not paho's loop_start: it wakes its thread through a TCP connection to itself,
        # which a confined process cannot make.
        self._network = threading.Thread(
            target=self._client.loop_forever,
            kwargs={"timeout": WAKE_S, "retry_first_connection": True},
            name="mqtt",
            daemon=True,
        )
        self._network.start()

    def fileno(self) -> int:
        """Readable when ``poll`` has something to say; for select."""
        return self._wake[0]

    @property
    def room(self) -> int:
        """How many more messages may be on their way."""
        return IN_FLIGHT_LIMIT - len(self._sent) if self.connected else 0

    def send(self, outgoing: Outgoing, tag: int | None = None) -> None:
        """Send at QoS 1; an Answered with ``tag`` follows, also after a reconnect."""
        if type(outgoing) is not Outgoing:
            raise UntrustedError("only what passed the egress guard may go out")
        if self.room <= 0:
            raise UplinkError("the broker has not answered enough to take more")
        info = self._client.publish(
            outgoing.topic, outgoing.payload, qos=1, retain=outgoing.retain
        )
        if info.rc not in (
            MQTTErrorCode.MQTT_ERR_SUCCESS,
            MQTTErrorCode.MQTT_ERR_NO_CONN,  # queued, sent after the reconnect
        ):
            raise UplinkError(f"paho takes no message: {info.rc.name}")
        self._sent[info.mid] = _Sent(tag, time.monotonic(), outgoing.topic)

    def poll(self) -> list[Event]:
        """What happened since the last call; never blocks."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake[0], 65536)
        events: list[Event] = []
        while self._said:
            kind, value = self._said.popleft()
            event = self._event(kind, value)
            if event is not None:
                events.append(event)
        self._leave_a_stalled_broker()
        return events

    def stop(self, farewell: Outgoing | None = None) -> None:
        """Take leave: ``farewell`` instead of the will, then close."""
        if farewell is not None and self.connected:
            with contextlib.suppress(UplinkError):
                self.send(farewell)
                self._wait(lambda: not self._sent)
        self._client.disconnect()
        self._wait(lambda: not self.connected)
        self._drop_connection()
        if self._network is not None:
            self._network.join(self.timing.farewell_s)
        with self._bell:  # the thread may outlive its time, the numbers of files do not
            self._closed = True
            for end in self._wake:
                os.close(end)

    def _event(self, kind: str, value: Any) -> Event | None:
        if kind == "connected":
            self.connected = True
            for each in self._sent.values():
                each.time = time.monotonic()  # paho sends them again
            return Connected()
        if kind == "answered":
            self.answered_at = time.monotonic()
            sent = self._sent.pop(value[0], None)
            if sent is None:
                return None
            answer = Answered(sent.tag, value[1], sent.topic)
            return None if answer.tag is None and answer.accepted else answer
        self.connected = False
        return Disconnected(*value)

    def _leave_a_stalled_broker(self) -> None:
        if not self.connected or not self._sent:
            return
        oldest = min(each.time for each in self._sent.values())
        if time.monotonic() - oldest > self.timing.ack_s:
            self._trouble = (
                f"the broker at {self.address.where} {STALLED} {self.timing.ack_s:g} s"
            )
            self._drop_connection()

    def _drop_connection(self) -> None:
        """Cut it off; paho's thread notices and connects anew."""
        link = self._client.socket()
        if isinstance(link, socket.socket):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(link, socket.SHUT_RDWR)

    def _wait(self, done: Any) -> None:
        deadline = time.monotonic() + self.timing.farewell_s
        while not done() and (left := deadline - time.monotonic()) > 0:
            select([self], [], [], left)
            self.poll()

    def _make_client(self) -> mqtt.Client:
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=self.address.client,
            protocol=mqtt.MQTTv5,
        )
        client.connect_by = self.connect
        client.tls_set_context(tls_context(self.address))
        client.connect_timeout = self.timing.connect_s
        _wait_between(client, self._patience, self.timing.most_wait_s)
        client.will_set(self.will.topic, self.will.payload, qos=1, retain=True)
        # Every callback before the connection: one set later misses messages.
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_log = self._on_log
        # With this set, paho leaves all writing to the network thread.
        client.on_socket_register_write = lambda *_: None
        return client

    def _say(self, kind: str, value: Any = None) -> None:
        self._said.append((kind, value))
        with self._bell, contextlib.suppress(BlockingIOError):  # full is as good
            if not self._closed:
                os.write(self._wake[1], b"!")

    def _on_connect(
        self, client: Any, data: Any, flags: Any, reason: ReasonCode, *_: Any
    ) -> None:
        self._trouble = ""
        if reason.is_failure:
            where = self.address.where
            self._say("lost", (f"the broker at {where} refuses us: {reason}",))
        else:
            self._since = time.monotonic()
            self._say("connected")

    def _on_connect_fail(self, client: Any, data: Any) -> None:
        self._say("lost", (explain(sys.exc_info()[1], self.address.where),))

    def _on_disconnect(
        self, client: Any, data: Any, flags: Any, reason: ReasonCode, *_: Any
    ) -> None:
        lasted_s = time.monotonic() - self._since
        if self._since < math.inf:  # else it did not come about, which says nothing
            self._short = self._short + 1 if self._is_short(lasted_s) else 0
        told = reason.value == TAKEN_OVER
        taken_over = told or self._short >= SHORT_MOST
        self._patience = self.timing.patience(self._patience, lasted_s, taken_over)
        self._since = math.inf
        _wait_between(client, self._patience, 2 * self.timing.most_wait_s)
        why = self._trouble or str(reason)
        if taken_over:
            why = TAKEN_OVER_WORDS if told else SHORT_WORDS
        self._say("lost", (why, taken_over))
        self._trouble = ""

    def _is_short(self, lasted_s: float) -> bool:
        """Whether the broker ended it soon; one that hangs is left by ourselves."""
        stalled = STALLED in self._trouble
        return lasted_s < self.timing.steady_s and not stalled

    def _on_publish(
        self, client: Any, data: Any, mid: int, reason: ReasonCode, *_: Any
    ) -> None:
        self._say("answered", (mid, reason.value))

    def _on_log(self, client: Any, data: Any, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            self._trouble = self._trouble or explain(text, self.address.where)


def _wait_between(client: Any, least: float, most: float) -> None:
    """Seconds before a new try, doubling; paho takes fractions and does not say so."""
    client.reconnect_delay_set(spread(least), most)
