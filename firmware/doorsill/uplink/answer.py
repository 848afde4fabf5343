"""What the uplink answers a person who asks ``doorsill status``. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from doorsill.cells import HealthCell
from doorsill.uplink.standing import Facts, problems_of


@dataclass(frozen=True, slots=True)
class Line:
    """How it stands with the broker; times in s, monotonic."""

    connected: bool
    answered_at: float | None  # its last PUBACK
    away: str  # why there is no connection, in words; empty while there is one
    refusal: str  # the last message that it refused for good, in words


def answer_of(
    facts: Facts, line: Line, health: HealthCell | None, now: float
) -> dict[str, Any]:
    """One JSON object; ages in s, None for what never was."""
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
