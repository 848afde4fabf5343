"""What the newest certificate of a chain decides for the next one. No I/O."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from doorsill.certificates import claims
from doorsill.consent.reasons import Reason
from doorsill.drivers.media.medium import MediumFacts
from doorsill.policy.document import Policy
from doorsill.vault import marker
from doorsill.vault.chain import LeaseInterval, Surroundings


@dataclass(frozen=True, slots=True)
class Newest:
    """The body of the newest certificate; None before the first one."""

    body: dict[str, Any] | None

    def covers(self, key_id: str) -> bool:
        """Whether it is about the key of that marker.

        So it is if the power failed after the certificate was written and before the
        marker was removed.
        """
        if self.body is None or key_id == marker.UNKNOWN_KEY:
            return False
        return bool(self.body["key"]["id"] == key_id)

    def is_of_start(self, boot: str, facts: MediumFacts, policy: Policy | None) -> bool:
        """Whether it says what a start in this boot, on this medium, would say.

        Under a policy that allows no faces it has to name that policy.
        """
        digest = policy.digest if policy else None
        return (
            self.body is not None
            and self.body["reason"] in (Reason.START, Reason.NEW_MEDIUM)
            and self.body["boot"] == boot
            and self.body["medium"] == asdict(facts)
            and (allows_faces(policy) or self.body["policy"] == digest)
        )

    @property
    def is_silent(self) -> bool:
        """Whether it says that the medium had no power."""
        return self.body is not None and claims.NO_ANSWER in self.body["methods"]

    def reason_of_start(self, facts: MediumFacts) -> Reason:
        """Why a start blanks this medium."""
        same = self.body is None or self.body["medium"] == asdict(facts)
        return Reason.START if same else Reason.NEW_MEDIUM

    def forward(
        self, around: Surroundings, leases: tuple[LeaseInterval, ...]
    ) -> Surroundings:
        """``around`` for the next certificate, whose time never goes back.

        If the clock was set back since the last certificate of this boot, or since the
        session opened, the certificate states that earlier-known time instead, and that
        the clock is not known to be synchronised.
        """
        known = [each.closed_ms for each in leases]
        if self.body is not None and self.body["boot"] == around.boot:
            known.append(self.body["time"]["utc_ms"])
        least = max(known, default=0)
        if around.utc_ms >= least:
            return around
        return replace(around, utc_ms=least, time_source=claims.NOT_SYNCHRONISED)


def allows_faces(policy: Policy | None) -> bool:
    """Whether it has a consent part; no policy allows nothing."""
    return policy is not None and policy.consent is not None
