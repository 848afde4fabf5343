"""MQTT 5 over mutual TLS 1.3: send checked messages, report what the broker answers.

One thread calls ``send`` and ``poll``; the network is paho's thread (``connection``).
``fileno`` becomes readable when ``poll`` has events.

* Session expiry 0: the outbox is the session, so there is no second queue to lose.
* Messages without an answer when a connection ended are sent again on the next one,
  within its ``limits``.
* The answer to each message is the reason code of its PUBACK, found by its number;
  paho's own ``wait_for_publish`` fails for ever after a lost connection.
* A broker that accepts the connection and answers nothing is left after ``ack_s``.
* The last will says ``lost``. ``stop`` sends a farewell in its place; if that cannot
  be sent, the broker publishes the will.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from select import select

from doorsill.errors import UntrustedError, UplinkError
from doorsill.uplink.answers import (
    Answered,
    Arrived,
    Connected,
    Disconnected,
    Event,
    Unread,
)
from doorsill.uplink.connection import STALLED, Acknowledged, Connection, Said
from doorsill.uplink.limits import Limits
from doorsill.uplink.paho_client import Connect
from doorsill.uplink.patience import Timing
from doorsill.uplink.reasons import QOS_REFUSED, TOO_LARGE
from doorsill.uplink.tls import Address
from doorsill.wire.guard import Outgoing

IN_FLIGHT_LIMIT = 256  # messages without an answer


@dataclass(slots=True)
class _Sent:
    outgoing: Outgoing
    tag: int | None
    time: float


@dataclass(slots=True)
class Publisher:
    """What goes out over one connection to one broker, kept up until ``stop``."""

    address: Address
    will: Outgoing
    timing: Timing = field(default_factory=Timing)
    connect: Connect | None = None  # who connects, if this process may not
    connection: Connection = field(init=False)
    connected: bool = field(default=False, init=False)
    limits: Limits = field(default_factory=Limits, init=False)  # of this connection
    answered_at: float | None = field(default=None, init=False)  # s, monotonic
    _sent: dict[int, _Sent] = field(default_factory=dict, init=False)
    _again: deque[_Sent] = field(default_factory=deque, init=False)
    _known: int = field(default=0, init=False)  # connections that ``poll`` has seen

    def __post_init__(self) -> None:
        self.connection = Connection(self.address, self.will, self.timing, self.connect)

    def start(self) -> None:
        """Begin to connect, and try again until ``stop``."""
        self.connection.start()

    def fileno(self) -> int:
        """A handle that is readable when ``poll`` has events; for select."""
        return self.connection.bell.ends[0]

    @property
    def room(self) -> int:
        """How many more messages may be sent now, of ``window`` at once."""
        if not self.connected or self.connection.made != self._known:
            return 0
        return self.window - self.unanswered

    @property
    def window(self) -> int:
        """How many messages without an answer the broker and we allow."""
        return min(IN_FLIGHT_LIMIT, self.limits.on_way)

    @property
    def unanswered(self) -> int:
        """How many messages were sent, or are to be sent again, without an answer."""
        return len(self._sent) + len(self._again)

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
            self.connection.say(Answered(each.tag, TOO_LARGE, outgoing.topic))
            return
        if qos < 1 and each.tag is not None:
            self.connection.say(Answered(each.tag, QOS_REFUSED, outgoing.topic))
            return
        retain = outgoing.retain and self.limits.retain
        take = self.connection.client.take
        number = take(outgoing.topic, outgoing.payload, qos, retain)
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
        happened = [self._event(each) for each in self.connection.take()]
        self._hand_over_again()
        self._leave_a_stalled_broker()
        return [each for each in happened if each is not None]

    def stop(self, farewell: Outgoing | None = None) -> None:
        """Send ``farewell`` in place of the will, then close.

        Without one, or if it cannot be sent, the broker publishes the will.
        """
        said = False
        if farewell is not None and self.connected:
            self._wait(lambda: self.room > 0)
            with contextlib.suppress(UplinkError):
                self.send(farewell)
                self._wait(lambda: not self.unanswered)
                said = True
        self.connection.leave(publish_will=not said)
        self._wait(lambda: not self.connected)
        self.connection.end()

    def _event(self, said: Said) -> Event | None:
        """The event for the caller; None where no caller waits for it."""
        if isinstance(said, Connected):
            self.connected, self.limits = True, said.limits
            self._known += 1
            self._again.extendleft(reversed(self._sent.values()))
            self._sent.clear()
            return said
        if isinstance(said, Disconnected):
            self.connected = False
            return said
        if isinstance(said, Arrived | Unread):
            return said
        if isinstance(said, Acknowledged):
            self.answered_at = time.monotonic()
            sent = self._sent.pop(said.number, None)
            if sent is None:
                return None
            said = Answered(sent.tag, said.code, sent.outgoing.topic)
        return None if said.tag is None and said.accepted else said

    def _leave_a_stalled_broker(self) -> None:
        if not self.connected or not self._sent:
            return
        oldest = min(each.time for each in self._sent.values())
        if time.monotonic() - oldest > self.timing.ack_s:
            where, limit_s = self.address.where, self.timing.ack_s
            self.connection.drop(f"the broker at {where} {STALLED} {limit_s:g} s")

    def _wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self.timing.farewell_s
        while not done() and (left := deadline - time.monotonic()) > 0:
            select([self], [], [], left)
            self.poll()
