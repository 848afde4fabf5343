"""All that two policies differ in is said, each in its own sentence."""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any

import pytest

from doorsill.policy import document
from doorsill.policy.document import ConsentRules, Policy
from doorsill.policy.words import differences, summary

BODY: dict[str, Any] = {
    "format": document.FORMAT, "version": 4, "site": "porto-1", "purpose": "count",
    "controller": "Ana", "notice": "sign-1", "attributes": True, "k": 12,
    "epsilon_per_day": 1.5, "timezone": "UTC",
    "consent": {
        "purposes": ["validation"], "ca": "ab" * 32, "revoked": ["0f"],
        "max_seconds": 600, "max_bytes": 1 << 20, "max_crops": 100,
    },
    "hours": [{"days": ["mon"], "opens": "09:00", "closes": "20:00"}],
    "lines": [
        {"id": "door", "points": [[0, 0.5], [1, 0.5]]},
        {"id": "gate", "points": [[0, 0.9], [1, 0.9]]},
    ],
    "zones": [{"id": "till", "kind": "count", "polygon": [[0, 0], [1, 0], [0, 1]]}],
}  # fmt: skip

CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"version": 5}, "version: 4 -> 5"),
    ({"site": "braga"}, "site: porto-1 -> braga"),
    ({"devices": ["cam-01"]}, "devices: every device of the site -> cam-01"),
    (
        {"models": ["ab" * 32]},
        "models: those that came with doorsill -> SHA-256 abababababababab",
    ),
    ({"purpose": "sell"}, "purpose: 'count' -> 'sell'"),
    ({"controller": "Eve"}, "controller: 'Ana' -> 'Eve'"),
    ({"notice": "sign-2"}, "notice: sign-1 -> sign-2"),
    ({"attributes": False}, "attributes: on -> off"),
    ({"k": 20}, "k: 12 -> 20"),
    ({"epsilon_per_day": 2}, "epsilon_per_day: 1.5 -> 2.0"),
    ({"live_seconds": 2}, "live_seconds: 60 -> 2"),
    ({"expires": "2027-12-31"}, "expires: never -> 2027-12-31"),
    ({"timezone": "Europe/Lisbon"}, "timezone: UTC -> Europe/Lisbon"),
    ({"hours": []}, "hours: mon 09:00-20:00 -> always open"),
    ({"holidays": [{"date": "2026-12-25"}]}, "holidays: none -> 2026-12-25 closed"),
    (
        {"lines.0.points.1": [1, 0.6]},
        "line door: 0,0.5 1,0.5; IN is downwards -> 0,0.5",
    ),
    ({"lines.0.id": "exit"}, "line door: is gone (0,0.5 1,0.5; IN is downwards)"),
    ({"lines.0.id": "exit"}, "line exit: is new (0,0.5 1,0.5; IN is downwards)"),
    ({"lines": BODY["lines"][::-1]}, "lines: their order changed"),
    (
        {"zones.0.kind": "exclude"},
        "zone till: counts who is in it; 0,0 1,0 0,1 -> coun",
    ),
    ({"zones": []}, "zone till: is gone"),
    ({"consent": None}, "consent: for validation; needs no lamp; at most 600 s"),
    ({"consent.purposes": ["a", "b"]}, "consent.purposes: validation -> a, b"),
    ({"consent.ca": "cd" * 32}, "consent.ca: abab"),
    ({"consent.revoked": ["0f", "1e"]}, "consent: cards taken back: 1e"),
    ({"consent.revoked": []}, "consent: cards given back: 0f"),
    ({"consent.max_seconds": 5}, "consent.max_seconds: 600 -> 5"),
    ({"consent.max_bytes": 5000}, "consent.max_bytes: 1048576 -> 5000"),
    ({"consent.max_crops": 5}, "consent.max_crops: 100 -> 5"),
    ({"consent.lamp": True}, "consent.lamp: False -> True"),
]


def changed(changes: dict[str, Any]) -> Policy:
    body = copy.deepcopy(BODY)
    for path, value in changes.items():
        table: Any = body
        *steps, last = (int(s) if s.isdecimal() else s for s in path.split("."))
        for step in steps:
            table = table[step]
        table[last] = value
    return document.parse(body)


@pytest.mark.parametrize(("changes", "sentence"), CHANGES)
def test_a_change_is_said(changes: dict[str, Any], sentence: str) -> None:
    told = differences(document.parse(BODY), changed(changes))
    assert any(each.startswith(sentence) for each in told), told
    assert len(told) == (2 if "lines.0.id" in changes else 1)


def test_the_same_differs_in_nothing() -> None:
    assert differences(document.parse(BODY), changed({})) == []


@pytest.mark.parametrize("kind", [Policy, ConsentRules])
def test_no_part_of_a_policy_can_change_unsaid(kind: type[Any]) -> None:
    """A field that is added to a policy must be added to CHANGES, and so here."""
    said = {name.rpartition(".")[2] for changes, _ in CHANGES for name in changes}
    assert {each.name for each in fields(kind)} <= said | {"digest"}


def test_the_summary_shows_all_that_was_signed() -> None:
    text = summary(changed({"consent.lamp": True, "devices": ["cam-01"]}))
    for part in (
        "policy 4 for site porto-1: count",
        "cam-01",
        "on, notice sign-1",
        "k = 12 crossings, epsilon = 1.5 a day, live every 60 s",
        "for validation; only while the consent lamp is lit; at most 600 s, 100 faces",
        "mon 09:00-20:00 (UTC)",
        "door: 0,0.5 1,0.5; IN is downwards",
        "till: counts who is in it; 0,0 1,0 0,1",
    ):
        assert part in text
