"""From the disk to the broker: oldest first; what the broker has is deleted."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from doorsill.errors import UntrustedError, UplinkError
from doorsill.uplink.answers import Answered
from doorsill.uplink.limits import NO_ANSWERS, Limits, remarks
from doorsill.uplink.outbox import Outbox
from doorsill.uplink.publisher import Publisher
from doorsill.uplink.reasons import QOS_REFUSED
from doorsill.uplink.reports import as_of_now
from doorsill.uplink.rows import Row
from doorsill.wire.guard import EgressGuard, RateError

log = logging.getLogger(__name__)

BATCH = 128  # answers in one transaction
RESERVED = 4  # places of the window that windows leave to live, health and state
RETRY_S = 5.0  # wait after the broker refused for now


@dataclass(slots=True)
class Delivery:
    """Sends rows within the publisher's room, in order, each once a connection."""

    outbox: Outbox
    publisher: Publisher
    guard: EgressGuard
    refused_at: float | None = None  # last refusal for good by the broker, s, monotonic
    refusal: str = ""  # what the broker then said
    released: int = 0  # rows up to this id may go out; see ``pace``
    _cursor: int = 0  # id of the last row that was handed over
    _on_way: set[int] = field(default_factory=set)
    _accepted: list[int] = field(default_factory=list)
    _hopeless: list[int] = field(default_factory=list)
    _not_before: float = 0.0  # when rows may be sent again, s, monotonic
    _logged: set[str] = field(default_factory=set)  # topics whose refusal was logged
    _remarks: list[str] = field(default_factory=list)  # on the broker, as last logged
    _packet_bytes: int = 0  # the largest packet that the last broker took

    @property
    def idle(self) -> bool:
        """Whether no message is on its way and no answer is left to note."""
        return not (self._on_way or self._accepted or self._hopeless)

    def release(self) -> None:
        """Let everything that is in the outbox now go out."""
        self.released = self.outbox.newest()

    def meet(self, limits: Limits, now: float) -> None:
        """Note a new connection, to a broker with these ``limits``."""
        said = remarks(limits)
        for each in said:
            if each not in self._remarks:  # once, not with every connection
                log.warning("%s", each)
        self._remarks = said
        if limits.packet_bytes > self._packet_bytes > 0:
            self.outbox.exhume()  # messages that were too large may fit now
            self._cursor = 0
        self._packet_bytes = limits.packet_bytes
        self._not_before = now

    def heard(self, answers: Iterable[Answered], now: float) -> None:
        """Sort what the broker said; ``note`` writes it down."""
        for answer in answers:
            if answer.hopeless and not (answer.tag is None and answer.too_large):
                self.refused_at, self.refusal = now, answer.words
            if answer.tag is None:
                self._log_refusal(answer)
                continue
            self._on_way.discard(answer.tag)
            if answer.accepted:
                self._accepted.append(answer.tag)
            elif answer.hopeless:
                self._hopeless.append(answer.tag)
                self._log_refusal(answer)
            else:
                if answer.reason != QOS_REFUSED:  # that is logged once, see remarks
                    log.warning("the broker refuses for now %s", answer.words)
                self._cursor = min(self._cursor, answer.tag - 1)
                self._not_before = now + RETRY_S

    def _log_refusal(self, answer: Answered) -> None:
        """Log a refusal once for each topic: they come by the hundred."""
        if answer.topic not in self._logged:
            self._logged.add(answer.topic)
            log.error("the broker refuses %s", answer.words)

    def note(self) -> None:
        """Put the answers on disk, many at once.

        Raises UplinkError if the disk fails; they are then kept for the next call.
        """
        if len(self._accepted) >= BATCH or (self._accepted and not self._on_way):
            self.outbox.remove_delivered(self._accepted)
            self._accepted.clear()
        if self._hopeless:
            self.outbox.bury(self._hopeless)
            self._hopeless.clear()

    def fill(self, now: float, utc: float) -> None:
        """Hand over as many rows as there is room for."""
        if self.publisher.connected and self.publisher.limits.qos < 1:
            self.refused_at, self.refusal = now, NO_ANSWERS
            return
        room = self.publisher.room - min(RESERVED, self.publisher.window // 4)
        if room <= 0 or now < self._not_before:
            return
        for row in self.outbox.due(room, self._cursor, self.released):
            if row.id in self._on_way or row.id in self._accepted:
                self._cursor = row.id
                continue
            try:
                self._send(row, now, utc)
            except RateError:
                return
            self._cursor = row.id

    def _send(self, row: Row, now: float, utc: float) -> None:
        try:
            payload = as_of_now(row.stream, row.payload, utc)
            outgoing = self.guard.check(row.stream, payload, now)
        except UntrustedError as error:
            log.error("the egress guard stops a message: %s", error)
            self.outbox.bury([row.id], by_us=True)
            return
        try:
            self.publisher.send(outgoing, row.id)
        except UplinkError as error:
            self._not_before = now + RETRY_S
            raise RateError(str(error)) from None
        self._on_way.add(row.id)
