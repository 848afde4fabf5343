"""What the uplink answers a person who asks ``doorsill status``. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from doorsill.cells import HealthCell
from doorsill.uplink.standing import Facts, problems_of


@dataclass(frozen=True, slots=True)
class Line:
    """The state of the connection to the broker; times are monotonic s."""

    connected: bool
    answered_at: float | None  # when its last PUBACK came
    away: str  # why there is no connection, in words; empty while there is one
    refusal: str  # which message it last refused for good and why, in words


def answer_of(
    facts: Facts, line: Line, health: HealthCell | None, now: float
) -> dict[str, Any]:
    """One JSON object; ages are in s, and None for what never happened.

    ``now`` is monotonic s.
    """
    return {
        "problems": list(problems_of(facts)),
        "vision": {
            "heard_s": _rounded(facts.vision_heard_s),
            "picture": facts.picture.name.lower(),
            "frame_rate": health.frame_rate_milli / 1000 if health else 0.0,
            "camera_restarts": health.camera_restarts if health else 0,
        },
        "broker": {
            "connected": line.connected,
            "answered_s": None
            if line.answered_at is None
            else _rounded(now - line.answered_at),
            "away": line.away,
            "refusal": line.refusal,
            "refused_s": _rounded(facts.refused_s),
            "taken_over_s": _rounded(facts.taken_over_s),
        },
        "disk_takes": facts.disk_takes,
        "locks": list(facts.device.locks),
        "synchronised": facts.device.synchronised,
        "clock_good": facts.device.clock_good,
        "policy_obeyed": facts.device.policy_obeyed,
        "reader": facts.device.reader,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
