"""MQTT 5 over mutual TLS 1.3: send checked messages, report what the broker answers.

paho's thread does the network; ``send`` and ``poll`` are called by one other thread.
Events of paho's thread wait in a queue, and ``fileno`` becomes readable.

* Session expiry 0: the outbox is the session, so there is no second queue to lose.
* Messages without an answer when a connection ended are sent again on the next one,
  within its ``limits``. paho's own queue is emptied, because it knows no limits.
* The answer to each message is the reason code of its PUBACK, found by its number;
  paho's own ``wait_for_publish`` fails for ever after a lost connection.
* A broker that accepts the connection and answers nothing is left after ``ack_s``.
* The last will says ``lost``. ``stop`` sends a farewell in its place; if that cannot
  be sent, the broker publishes the will.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from select import select
from typing import Any

from doorsill.errors import UntrustedError, UplinkError
from doorsill.uplink.answers import Answered, Connected, Disconnected, Event
from doorsill.uplink.causes import explain
from doorsill.uplink.limits import Limits, limits_of
from doorsill.uplink.paho_client import (
    LOG_ERROR,
    Client,
    Connect,
    Reason,
    close,
    make_client,
    session,
    wait_between,
    with_will,
)
from doorsill.uplink.patience import Timing
from doorsill.uplink.reasons import (
    FAILURE,
    QOS_REFUSED,
    REASONS,
    RETAIN_REFUSED,
    SILENT,
    TAKEN_OVER,
    TOO_LARGE,
    elsewhere,
    refusal,
    words,
)
from doorsill.uplink.tls import Address
from doorsill.wire.guard import Outgoing

IN_FLIGHT_LIMIT = 256  # messages without an answer
WAKE_S = 0.1  # longest wait of a message for the network thread
TAKEN_OVER_WORDS = REASONS[TAKEN_OVER][0]
STALLED = "answered nothing for"
# mosquitto 2.0 ends the connection of a client that was taken over without a reason.
SHORT_MOST = 3  # short connections in a row, after which we assume a takeover
SHORT_WORDS = (
    "the broker takes us in and hangs up, again and again: another client came with "
    "our certificate"
)


@dataclass(slots=True)
class _Sent:
    outgoing: Outgoing
    tag: int | None
    time: float


@dataclass(slots=True)
class Publisher:
    """One connection to one broker, kept up until ``stop``."""

    address: Address
    will: Outgoing
    timing: Timing = field(default_factory=Timing)
    connect: Connect | None = None  # who connects, if this process may not
    connected: bool = field(default=False, init=False)
    limits: Limits = field(default_factory=Limits, init=False)  # of this connection
    answered_at: float | None = field(default=None, init=False)  # s, monotonic
    _client: Client = field(init=False, repr=False)
    _said: deque[tuple[str, Any]] = field(default_factory=deque, init=False)
    _sent: dict[int, _Sent] = field(default_factory=dict, init=False)
    _again: deque[_Sent] = field(default_factory=deque, init=False)
    _made: int = field(default=0, init=False)  # connections made so far
    _known: int = field(default=0, init=False)  # of these, how many ``poll`` has seen
    _wake: tuple[int, int] = field(init=False)
    _bell: threading.Lock = field(default_factory=threading.Lock, init=False)
    _closed: bool = field(default=False, init=False)
    _network: threading.Thread | None = field(default=None, init=False)
    # The next three are the network thread's own.
    _trouble: str = field(default="", init=False)
    _short: int = field(default=0, init=False)  # connections in a row that ended soon
    _since: float = field(default=math.inf, init=False)  # when the connection began, s
    _patience: float = field(init=False)  # wait before the next connection, s

    def __post_init__(self) -> None:
        self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._patience = self.timing.least_wait_s
        self._client = self._make_client()

    def start(self) -> None:
        """Begin to connect, and try again until ``stop``."""
        self._client.connect_async(
            self.address.host,
            self.address.port,
            keepalive=self.timing.keepalive_s,
            clean_start=True,
            properties=session(),
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
        """A handle that is readable when ``poll`` has events; for select."""
        return self._wake[0]

    @property
    def room(self) -> int:
        """How many more messages may be sent now, of ``window`` at once."""
        if not self.connected or self._made != self._known:
            return 0
        return self.window - len(self._sent) - len(self._again)

    @property
    def window(self) -> int:
        """How many messages without an answer the broker and we allow."""
        return min(IN_FLIGHT_LIMIT, self.limits.on_way)

    def send(self, outgoing: Outgoing, tag: int | None = None) -> None:
        """Send at QoS 1; an Answered with ``tag`` follows, also after a reconnect.

        It sends at QoS 0 if the broker accepts no other; then no answer follows. Raises
        UplinkError if there is no room, UntrustedError for anything but an Outgoing.
        """
        if type(outgoing) is not Outgoing:
            raise UntrustedError("only what passed the egress guard may go out")
        if self.room <= 0:
            raise UplinkError("the broker has not answered enough to take more")
        self._hand_over(_Sent(outgoing, tag, time.monotonic()))

    def _hand_over(self, each: _Sent) -> None:
        """Give a message to paho, or refuse it here if it is over a broker's limit."""
        outgoing, qos = each.outgoing, self.limits.qos
        if not self.limits.fit(outgoing.topic, outgoing.payload):
            self._say("answer", Answered(each.tag, TOO_LARGE, outgoing.topic))
            return
        if qos < 1 and each.tag is not None:
            self._say("answer", Answered(each.tag, QOS_REFUSED, outgoing.topic))
            return
        retain = outgoing.retain and self.limits.retain
        number = self._client.take(outgoing.topic, outgoing.payload, qos, retain)
        each.time = time.monotonic()
        if qos:
            self._sent[number] = each

    def _hand_over_again(self) -> None:
        """Send again, within the room, what had no answer on the last connection."""
        while self._again and self.connected and len(self._sent) < self.window:
            try:
                self._hand_over(self._again[0])
            except UplinkError:  # it stays the first, and is tried at the next call
                return
            self._again.popleft()

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
        self._hand_over_again()
        self._leave_a_stalled_broker()
        return events

    def stop(self, farewell: Outgoing | None = None) -> None:
        """Send ``farewell`` in place of the will, then close.

        Without one, or if it cannot be sent, the broker publishes the will.
        """
        said = False
        if farewell is not None and self.connected:
            self._wait(lambda: self.room > 0)
            with contextlib.suppress(UplinkError):
                self.send(farewell)
                self._wait(lambda: not (self._sent or self._again))
                said = True
        self._client.disconnect(None if said else with_will())
        self._wait(lambda: not self.connected)
        self._drop_connection()
        if self._network is not None:
            self._network.join(self.timing.farewell_s)
        if self._network is None or not self._network.is_alive():
            close(self._client)
        # The network thread may still run. It must not write to a descriptor number
        # that is closed here and may then be used for another file.
        with self._bell:
            self._closed = True
            for end in self._wake:
                os.close(end)

    def _event(self, kind: str, value: Any) -> Event | None:
        if kind == "connected":
            self.connected, self.limits = True, value
            self._known += 1
            self._again.extendleft(reversed(self._sent.values()))
            self._sent.clear()
            return Connected(value)
        if kind == "answered":
            self.answered_at = time.monotonic()
            sent = self._sent.pop(value[0], None)
            if sent is None:
                return None
            value = Answered(sent.tag, value[1], sent.outgoing.topic)
        if isinstance(value, Answered):
            return None if value.tag is None and value.accepted else value
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
        """Cut the connection; paho's thread notices it and connects again."""
        link = self._client.socket()
        if isinstance(link, socket.socket):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(link, socket.SHUT_RDWR)

    def _wait(self, done: Any) -> None:
        deadline = time.monotonic() + self.timing.farewell_s
        while not done() and (left := deadline - time.monotonic()) > 0:
            select([self], [], [], left)
            self.poll()

    def _make_client(self) -> Client:
        client = make_client(self.address, self.timing.connect_s, self.connect)
        wait_between(client, self._patience, self.timing.most_wait_s)
        self._set_will(client, Limits())
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
        with self._bell, contextlib.suppress(BlockingIOError):  # full means readable
            if not self._closed:
                os.write(self._wake[1], b"!")

    def _set_will(self, client: Client, limits: Limits) -> None:
        """Set the will of the next connection, within the broker's limits."""
        client.will_set(
            self.will.topic, self.will.payload, limits.qos, retain=limits.retain
        )

    def _on_connect(
        self, client: Any, data: Any, flags: Any, reason: Reason, said: Any
    ) -> None:
        client.drop_out_messages()  # paho would send them without regard to limits
        self._trouble = ""
        if not reason.is_failure:
            limits = limits_of(said)
            self._since = time.monotonic()
            self._made += 1
            self._set_will(client, limits)
            self._say("connected", limits)
            return
        code = reason.value
        if code in (RETAIN_REFUSED, QOS_REFUSED):
            less = Limits(qos=int(code != QOS_REFUSED), retain=code != RETAIN_REFUSED)
            self._set_will(client, less)
        self._trouble = refusal(self.address.where, code, said)

    def _on_connect_fail(self, client: Any, data: Any) -> None:
        """No broker there, or refused in TLS: wait longer each time."""
        self._wait_longer(client, -math.inf)
        self._say("lost", (explain(sys.exc_info()[1], self.address.files),))

    def _wait_longer(
        self, client: Client, lasted_s: float, *, taken_over: bool = False
    ) -> None:
        self._patience = self.timing.patience(self._patience, lasted_s, taken_over)
        wait_between(client, self._patience, 2 * self.timing.most_wait_s)

    def _on_disconnect(
        self, client: Any, data: Any, flags: Any, reason: Reason, said: Any = None
    ) -> None:
        lasted_s = time.monotonic() - self._since
        if self._since < math.inf:  # otherwise there was no connection at all
            self._short = self._short + 1 if self._is_short(lasted_s) else 0
        stated = reason.value == TAKEN_OVER
        taken_over = stated or self._short >= SHORT_MOST
        self._wait_longer(client, lasted_s, taken_over=taken_over)
        self._since = math.inf
        why = self._trouble or self._why(flags, reason.value, said)
        if taken_over:
            why = TAKEN_OVER_WORDS if stated else SHORT_WORDS
        self._say("lost", (why, taken_over))
        self._trouble = ""

    def _why(self, flags: Any, code: int, said: Any) -> str:
        """Why the connection ended, if there was no error of network or TLS."""
        where = self.address.where
        if getattr(flags, "is_disconnect_packet_from_server", False):
            says = f"{words(code)}{elsewhere(code, said)}"
            return f"the broker at {where} ended the connection: {says}"
        if code == SILENT:
            return explain("timed out", self.address.files)
        if code < FAILURE:
            return "we left"
        return explain("reset by peer", self.address.files)

    def _is_short(self, lasted_s: float) -> bool:
        """Whether the broker ended the connection soon, and not we because it hung."""
        stalled = STALLED in self._trouble
        return lasted_s < self.timing.steady_s and not stalled

    def _on_publish(
        self, client: Any, data: Any, mid: int, reason: Reason, *_: Any
    ) -> None:
        self._say("answered", (mid, client.code_of(mid, reason.value)))

    def _on_log(self, client: Any, data: Any, level: int, text: str) -> None:
        if level == LOG_ERROR:
            self._trouble = self._trouble or explain(text, self.address.files)
