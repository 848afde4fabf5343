"""Push what was signed: each camera's document to its own topic, kept by the broker.

One push of a shop at a time, by a lock: a second operator is refused before anything is
published. Then the cameras' own words count: the hash of the policy that is in force
stands in each of their windows, and one that they refuse in their health.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from doorsill.documents.folders import make_folder
from doorsill.errors import ConfigError, UntrustedError, UplinkError
from doorsill.process.holder import hold_alone, holder_of
from doorsill.wire.codec import decode
from doorsill.wire.messages import (
    POLICY,
    Health,
    LineInterval,
    ZoneInterval,
    topic,
)
from doorsill_fleet.broker.office_client import OfficeClient
from doorsill_fleet.office.chain import Chain
from doorsill_fleet.policies.signed import HASH_DIGITS, Signed

TURN_S = 0.5  # longest wait for the network before the time is looked at
HEARD = ("interval", "health")  # streams that name the policy in force

Say = Callable[[str], object]


@contextmanager
def alone(chain: Chain, site: str) -> Iterator[None]:
    """Nobody else pushes to ``site`` meanwhile; ConfigError if somebody does."""
    folder = chain.folder / "policies" / site
    make_folder(folder)
    path = folder / "push.lock"
    try:
        handle = hold_alone(path)
    except ConfigError:
        who = holder_of(path)
        raise ConfigError(
            f"somebody else pushes a policy to {site} now"
            + (f" (pid {who})" if who else "")
            + f": nothing was published; see doorsill-fleet policy status {site}"
        ) from None
    try:
        yield
    finally:
        os.close(handle)


@dataclass(slots=True)
class Answers:
    """What the cameras of one shop say of ``wanted``, the documents by camera."""

    site: str
    wanted: Mapping[str, Signed]
    in_force: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)  # the reason's word

    @property
    def complete(self) -> bool:
        """Whether every camera has answered."""
        return self.wanted.keys() <= self.in_force | self.refused.keys()

    def hear(self, name: str, payload: bytes) -> None:
        """One message; what is no camera's, or not of ``wanted``, says nothing."""
        parts = name.split("/")
        if len(parts) != 4 or parts[1] != self.site or parts[2] not in self.wanted:
            return
        device, wanted = parts[2], self.wanted[parts[2]]
        try:
            message = decode(parts[3], payload)
        except UntrustedError:
            return
        if not isinstance(message, Health | LineInterval | ZoneInterval):
            return
        if message.policy == wanted.policy.digest[:HASH_DIGITS]:
            self.in_force.add(device)
            self.refused.pop(device, None)
        elif isinstance(message, Health) and message.policy_refused is not None:
            received = hashlib.sha256(wanted.document).hexdigest()[:HASH_DIGITS]
            if message.policy_refused == received:
                self.refused[device] = message.policy_why


def publish(office: OfficeClient, answers: Answers) -> None:
    """Publish all; UplinkError says who has it and who has not."""
    done: list[str] = []
    office.listen([f"doorsill/{answers.site}/+/{each}" for each in HEARD])
    for name, each in answers.wanted.items():
        try:
            office.publish(topic(answers.site, name, POLICY), each.document)
        except UplinkError as error:
            left = [other for other in answers.wanted if other not in done]
            raise UplinkError(
                f"{error}; the broker has it for {', '.join(done) or 'no camera'}, and "
                f"not for {', '.join(left)}: doorsill-fleet policy push {answers.site}"
            ) from None
        done.append(name)


def wait(office: OfficeClient, answers: Answers, seconds: float, say: Say) -> None:
    """Take the cameras' answers until all are there, or ``seconds`` are over."""
    ends, said = time.monotonic() + seconds, set[str]()
    while True:
        for name in sorted(answers.in_force - said):
            say(f"  {name}: in force")
        for name in sorted(answers.refused.keys() - said):
            say(f"  {name}: refused: {answers.refused[name]}")
        said = answers.in_force | answers.refused.keys()
        left = ends - time.monotonic()
        if answers.complete or left <= 0:
            return
        office.turn(min(TURN_S, left))
