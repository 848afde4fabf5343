"""The connection to the broker: paho's thread keeps it up and reports what comes.

    paho's thread ── callbacks ──► a queue and a bell ──► take(), in the caller's thread

The broker's will says ``lost``. How long the thread waits before it connects again
follows from how long the last connection held (``patience``). A message that waits in
paho when a connection begins is dropped, because paho knows no limits of a broker; the
``publisher`` sends it again.
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
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from doorsill.uplink.answers import (
    Answered,
    Arrived,
    Connected,
    Disconnected,
    Unread,
)
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
    elsewhere,
    refusal,
    words,
)
from doorsill.uplink.tls import Address
from doorsill.wire.guard import Outgoing

WAKE_S = 0.1  # longest wait of a message for the network thread
TAKEN_OVER_WORDS = REASONS[TAKEN_OVER][0]
STALLED = "answered nothing for"
# mosquitto 2.0 ends the connection of a client that was taken over without a reason.
SHORT_MOST = 3  # short connections in a row, after which we assume a takeover
SHORT_WORDS = (
    "the broker takes us in and hangs up, again and again: another client came with "
    "our certificate"
)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker's PUBACK for the message that paho gave ``number``."""

    number: int
    code: int


Said = Connected | Acknowledged | Answered | Disconnected | Arrived | Unread


class Bell:
    """A descriptor that any thread makes readable, until it is closed."""

    def __init__(self) -> None:
        self.ends = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._lock = threading.Lock()
        self._closed = False

    def ring(self) -> None:
        """Make the descriptor readable."""
        with self._lock, contextlib.suppress(BlockingIOError):  # full means readable
            if not self._closed:
                os.write(self.ends[1], b"!")

    def silence(self) -> None:
        """Make it unreadable until the next ring."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.ends[0], 65536)

    def close(self) -> None:
        """Close both ends; a ring does nothing from now on.

        A thread may still ring. It must not write to a descriptor number that is closed
        here and may then be used for another file.
        """
        with self._lock:
            self._closed = True
            for end in self.ends:
                os.close(end)


@dataclass(slots=True)
class Connection:
    """One connection to one broker, made again until ``end``.

    The methods whose names begin with ``_`` run in paho's thread, the others in the
    caller's.
    """

    address: Address
    will: Outgoing
    timing: Timing
    connect: Connect | None = None  # who connects, if this process may not
    client: Client = field(init=False, repr=False)
    bell: Bell = field(default_factory=Bell, init=False, repr=False)
    made: int = field(default=0, init=False)  # connections made so far
    patience_s: float = field(init=False)  # wait before the next connection
    _said: deque[Said] = field(default_factory=deque, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _trouble: str = field(default="", init=False)
    _short: int = field(default=0, init=False)  # connections in a row that ended soon
    _since: float = field(default=math.inf, init=False)  # when the connection began, s

    def __post_init__(self) -> None:
        self.patience_s = self.timing.least_wait_s
        client = make_client(self.address, self.timing.connect_s, self.connect)
        wait_between(client, self.patience_s, self.timing.most_wait_s)
        self._set_will(client, Limits())
        # Every callback before the connection: one set later misses messages.
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_log = self._on_log
        # With this set, paho leaves all writing to the network thread.
        client.on_socket_register_write = lambda *_: None
        self.client = client

    def start(self) -> None:
        """Begin to connect, and try again until ``end``."""
        self.client.connect_async(
            self.address.host,
            self.address.port,
            keepalive=self.timing.keepalive_s,
            clean_start=True,
            properties=session(self.address.policy_topic),
        )
        # Not paho's loop_start: it wakes its thread through a TCP connection to itself,
        # which a confined process cannot make.
        self._thread = threading.Thread(
            target=self.client.loop_forever,
            kwargs={"timeout": WAKE_S, "retry_first_connection": True},
            name="mqtt",
            daemon=True,
        )
        self._thread.start()

    def take(self) -> Iterator[Said]:
        """Yield what was said since the last call; never blocks."""
        self.bell.silence()
        while self._said:
            yield self._said.popleft()

    def say(self, what: Said) -> None:
        """Add to what ``take`` gives, from any thread."""
        self._said.append(what)
        self.bell.ring()

    def drop(self, trouble: str = "") -> None:
        """Cut the connection because of ``trouble``; paho's thread connects again."""
        self._trouble = trouble or self._trouble
        link = self.client.socket()
        if isinstance(link, socket.socket):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(link, socket.SHUT_RDWR)

    def leave(self, *, publish_will: bool) -> None:
        """Ask for the end; the broker then publishes the will, or drops it."""
        self.client.disconnect(with_will() if publish_will else None)

    def end(self) -> None:
        """Cut what is left, wait for the thread, and close everything."""
        self.drop()
        if self._thread is not None:
            self._thread.join(self.timing.farewell_s)
        if self._thread is None or not self._thread.is_alive():
            close(self.client)
        self.bell.close()

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
            self.made += 1
            self._set_will(client, limits)
            self.say(Connected(limits))
            if self.address.policy_topic:
                client.subscribe(self.address.policy_topic, qos=1)
            return
        code = reason.value
        if code in (RETAIN_REFUSED, QOS_REFUSED):
            less = Limits(qos=int(code != QOS_REFUSED), retain=code != RETAIN_REFUSED)
            self._set_will(client, less)
        self._trouble = refusal(self.address.where, code, said)

    def _on_connect_fail(self, client: Any, data: Any) -> None:
        """No broker there, or refused in TLS: wait longer each time."""
        self._wait_longer(client, -math.inf)
        self.say(Disconnected(explain(sys.exc_info()[1], self.address.files)))

    def _wait_longer(
        self, client: Client, lasted_s: float, *, taken_over: bool = False
    ) -> None:
        self.patience_s = self.timing.patience(self.patience_s, lasted_s, taken_over)
        wait_between(client, self.patience_s, 2 * self.timing.most_wait_s)

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
        self.say(Disconnected(why, taken_over))
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
        self.say(Acknowledged(mid, client.code_of(mid, reason.value)))

    def _on_subscribe(
        self, client: Any, data: Any, mid: int, reasons: list[Reason], *_: Any
    ) -> None:
        for each in reasons:
            if each.is_failure:
                self.say(Unread(each.value))

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        """A PUBLISH that passed ``inbound``: to our topic, and not too large."""
        if message.payload:  # an empty one only clears what was retained
            self.say(Arrived(bytes(message.payload)))

    def _on_log(self, client: Any, data: Any, level: int, text: str) -> None:
        if level == LOG_ERROR:
            self._trouble = self._trouble or explain(text, self.address.files)
