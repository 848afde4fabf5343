"""The sign follows the policy: what it promises, a key of the policy binds."""

from __future__ import annotations

from typing import Any

import pytest

from doorsill.policy import document
from doorsill.policy.notice import WIDTH, notice_text

BODY: dict[str, Any] = {
    "format": document.FORMAT, "version": 7, "site": "porto-1",
    "purpose": "see who comes", "controller": "Example, 1 Road", "attributes": False,
    "k": 10, "epsilon_per_day": 1, "timezone": "UTC",
    "lines": [{"id": "a", "points": [[0, 0], [1, 1]]}],
}  # fmt: skip
CONSENT: dict[str, Any] = {
    "purposes": ["validation", "training-staff"],
    "ca": "00" * 32,
    "revoked": [],
    "max_seconds": 601,
    "max_bytes": 4096,
    "max_crops": 1,
}
ZONE = {"id": "z", "kind": "count", "polygon": [[0, 0], [1, 0], [1, 1]]}
HOURS = [{"days": ["mon"], "opens": "09:00", "closes": "20:00"}]
OTHER = {"date": "2026-12-26", "opens": "10:00", "closes": "13:00"}
LIT = {"consent": {**CONSENT, "lamp": True}}

SENTENCES: list[tuple[str, dict[str, Any], str, str]] = [
    ("no attributes", {}, "Age and gender are not estimated.", "also estimates"),
    (
        "attributes",
        {"attributes": True, "notice": "sign-7", "k": 20},
        "Only totals of at least 20 crossings leave it",
        "are not estimated",
    ),
    (
        "two bands of age",
        {"attributes": True, "notice": "sign-7"},
        "who looks like a child and who like an adult",
        "age band",
    ),
    (
        "what noise does not hide",
        {"attributes": True, "notice": "sign-7"},
        "It does not hide somebody who crosses many times a day, such as staff.",
        "no one person",
    ),
    ("no consent", {}, "No face is ever stored.", "card"),
    ("no picture", {}, "No picture, no face and no video leaves it.", "encrypted"),
    (
        "people who pass",
        {"consent": CONSENT},
        "then the faces of people who pass may be stored, at most 11 minutes at a time",
        "agreed",
    ),
    ("for what", LIT, "stored for validation and training-staff, and only", "is ever"),
    ("export", LIT, "only so that the holder of the card alone can", "no face and"),
    ("lamp", LIT, "card is in the camera and the consent lamp is on", "no lamp"),
    ("no lamp", {"consent": CONSENT}, "in the camera; no lamp shows it", "lamp is on"),
    ("exact", {}, "it every minute, and they are exact: they may be 1.", "seconds"),
    ("live", {"live_seconds": 5}, "They leave it every 5 seconds, and", "every minute"),
    ("live, seldom", {"live_seconds": 3600}, "every minute", "60"),
    ("a line", {}, "counts how many people walk in and out.", "stay in a part"),
    ("a zone", {"zones": [ZONE]}, "and out and how many people stay in", "nobody."),
    (
        "a zone alone",
        {"zones": [ZONE], "lines": []},
        "A camera here counts how many people stay in a part of the room, and how",
        "walk in",
    ),
    ("hours", {"hours": HOURS}, "no picture: mon 09:00-20:00 (UTC).", "always"),
    (
        "a closed day",
        {"holidays": [{"date": "2026-12-25"}]},
        "On 2026-12-25 it takes no picture.",
        "other hours",
    ),
    (
        "another day",
        {"holidays": [OTHER]},
        "its hours are: 2026-12-26 10:00-13:00",
        "no picture.",
    ),
    ("who", {}, "object to: Example, 1 Road. site porto-1 | policy 7", "Notice"),
    ("a notice", {"notice": "sign-7"}, "Notice sign-7 | site porto-1", "none"),
    ("why", {}, "Purpose: see who comes.", "hours"),
]


@pytest.mark.parametrize(
    ("changes", "there", "not_there"),
    [case[1:] for case in SENTENCES],
    ids=[case[0] for case in SENTENCES],
)
def test_a_sentence_follows_from_its_key(
    changes: dict[str, Any], there: str, not_there: str
) -> None:
    sign = notice_text(document.parse(BODY | changes))
    flat = " ".join(sign.split())
    assert there in flat
    assert not_there not in flat.replace("Example", "")


def test_it_can_be_printed() -> None:
    long = {"purpose": "count " * 33, "controller": "x" * 200, "hours": HOURS * 28}
    sign = notice_text(document.parse(BODY | long | LIT))
    rows = sign.splitlines()
    assert (
        max(map(len, rows)) <= WIDTH and rows[0] == rows[2] == rows[-1] == "=" * WIDTH
    )
    assert document.parse(BODY | long | LIT).digest[:32] in sign


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (61, "2 minutes"),
        (600, "10 minutes"),
        (14400, "240 minutes"),
    ],
)
def test_no_time_is_promised_shorter_than_it_is(seconds: int, words: str) -> None:
    consent = {"consent": {**CONSENT, "max_seconds": seconds}}
    flat = " ".join(notice_text(document.parse(BODY | consent)).split())
    assert f"at most {words} at a time" in flat
