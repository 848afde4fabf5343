"""A camera that is played at a real broker: it obeys a policy, or refuses it.

It has a real certificate and the rights of a camera; what the real one decides is
tested in ``tests/policy`` and ``tests/services``.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from broker import Listener
from messages import HEALTH, line

from doorsill.documents import canonical
from doorsill.uplink.tls import Address
from doorsill.wire.codec import encode
from doorsill.wire.messages import topic

OBEYS = "obeys"  # the one word that is no reason for a refusal


@dataclass
class PlayedCamera:
    """What it was sent, and its answer: OBEYS, silence, or the word of a refusal."""

    address: Address
    answer: str = OBEYS
    documents: list[bytes] = field(default_factory=list)

    def hear(self, client: Any, _: object, message: Any) -> None:
        if not message.topic.endswith("/policy"):
            return
        self.documents.append(message.payload)
        body = canonical.split(message.payload)[0]
        now = int(time.time())
        if self.answer == OBEYS:
            start = now // 60 * 60
            said = replace(line(start), policy=canonical.digest(body)[:32])
            client.publish(self._topic("interval"), encode(said), qos=1)
        elif self.answer:
            received = hashlib.sha256(message.payload).hexdigest()[:32]
            health = replace(
                HEALTH, time=now, policy_refused=received, policy_why=self.answer
            )
            client.publish(self._topic("health"), encode(health), qos=1, retain=True)

    def _topic(self, stream: str) -> str:
        return topic(self.address.site, self.address.device, stream)


@contextmanager
def playing(address: Address, answer: str = OBEYS) -> Iterator[PlayedCamera]:
    """The camera, which listens to its one topic."""
    camera = PlayedCamera(address, answer)
    own = topic(address.site, address.device, "policy")
    listener = Listener(address, own, camera.hear)
    try:
        yield camera
    finally:
        listener.close()
