"""The body of a policy in which every section is filled."""

from __future__ import annotations

import copy
from typing import Any

from doorsill.policy import document as policy

BODY: dict[str, Any] = {
    "format": policy.FORMAT,
    "version": 4,
    "site": "porto-1",
    "purpose": "count visitors per hour",
    "controller": "Example Stores Ltd, privacy@example.com",
    "notice": "sign-2026-1",
    "attributes": True,
    "k": 12,
    "epsilon_per_day": 1.5,
    "timezone": "Europe/Lisbon",
    "consent": {
        "purposes": ["validation"],
        "ca": "ab" * 32,
        "revoked": ["0f"],
        "max_seconds": 600,
        "max_bytes": 1 << 20,
        "max_crops": 100,
    },
    "hours": [
        {"days": ["mon", "tue", "sat"], "opens": "09:00", "closes": "20:00"},
        {"days": ["sun"], "opens": "22:00", "closes": "02:00"},
    ],
    "holidays": [
        {"date": "2026-12-25"},
        {"date": "2026-12-24", "opens": "10:00", "closes": "13:00"},
    ],
    "lines": [{"id": "door", "points": [[0.1, 0.5], [0.9, 0.5]]}],
    "zones": [
        {"id": "till", "kind": "count", "polygon": [[0, 0], [0.5, 0], [0, 0.5]]},
        {"id": "staff", "kind": "exclude", "polygon": [[1, 1], [0.9, 1], [1, 0.9]]},
    ],
}


def changed(**changes: Any) -> dict[str, Any]:
    """BODY with ``section__option=value`` changes; ``...`` removes the option."""
    body = copy.deepcopy(BODY)
    for name, value in changes.items():
        table: Any = body
        *path, last = name.split("__")
        for step in path:
            table = table[int(step) if step.isdecimal() else step]
        if value is ...:
            del table[last]
        else:
            table[last] = value
    return body
