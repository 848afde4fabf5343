"""Each camera's row: in force, pushed, refused with the reason, and the next step."""

from __future__ import annotations

from typing import Any

import pytest

from doorsill.wire.messages import REFUSALS
from doorsill_fleet.policies.standing import REFUSED, Facts, standing

SITE, HASH = "porto-1", "0123456789abcdef" * 2

ROWS: list[Any] = [
    pytest.param({}, ("-", "-", "", "policy edit porto-1"), id="nothing was signed"),
    pytest.param({"signed": 2}, ("-", "-", "", "policy push porto-1"), id="not pushed"),
    pytest.param(
        {"signed": 2, "pushed": 1, "reported": HASH, "in_force": 1},
        ("1", "1", "", "policy push porto-1"),
        id="an older one is out",
    ),
    pytest.param(
        {"signed": 2, "pushed": 2}, ("-", "2", "", "never said"), id="it never spoke"
    ),
    pytest.param(
        {"signed": 2, "pushed": 2, "reported": HASH, "in_force": 1},
        ("1", "2", "", "has not said yet"),
        id="it still obeys the last one",
    ),
    pytest.param(
        {"signed": 2, "pushed": 2, "reported": HASH, "in_force": 2},
        ("2", "2", "", ""),
        id="all is well",
    ),
    pytest.param(
        {"signed": 2, "pushed": 2, "reported": HASH},
        ("another (01234567)", "2", "", "has not said yet"),
        id="it obeys one that is none of ours",
    ),
    pytest.param(
        {"signed": 2, "pushed": 2, "reported": HASH, "in_force": 1, "refused": 2,
         "refusal": "rollback"},
        ("1", "2", "2: not newer than its own", "higher version"),
        id="refused",
    ),
    pytest.param(
        {"signed": 2, "pushed": 2, "reported": HASH, "in_force": 2,
         "refusal": "signature"},
        ("2", "2", "another: not signed by its controller", ""),
        id="a stranger's was refused, and ours is in force",
    ),
    pytest.param(
        {"signed": 3, "pushed": 2, "in_force": 1, "refused": 2, "refusal": "expired"},
        ("1", "2", "2: expired", "policy push porto-1"),
        id="a newer one is signed since",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("known", "row"), ROWS)
def test_a_row_follows_from_what_is_known(
    known: dict[str, Any], row: tuple[str, str, str, str]
) -> None:
    found = standing(Facts("cam-01", **known), SITE)
    assert (found.in_force, found.pushed, found.refused) == row[:3]
    assert row[3] in found.step and bool(row[3]) is bool(found.step)
    assert found.good is not bool(found.step)


def test_every_refusal_of_a_camera_has_words_and_a_step() -> None:
    assert REFUSED.keys() == set(REFUSALS)
    assert all(words and step for words, step in REFUSED.values())
