"""A draft says what the policy before it said, to the last letter."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policies import BODY

from doorsill.documents import canonical
from doorsill.documents.reading import parse_toml
from doorsill.errors import ConfigError, DoorsillError
from doorsill.policy import document
from doorsill.policy.draft import (
    draft_text,
    first_body,
    lines_of,
    points_of,
    preview,
    toml,
)
from doorsill.policy.notice import notice_text
from doorsill.policy.sketch import COLUMNS, ROWS, sketch
from doorsill.policy.words import differences, summary

EVERYTHING = {
    **BODY,
    "devices": ["cam-01"],
    "models": ["ab" * 32],
    "live_seconds": 2,
    "consent": {**BODY["consent"], "lamp": True},
}


def test_the_first_draft_is_complete_but_for_the_name() -> None:
    body = parse_toml(draft_text(first_body("porto-1")).encode())
    assert preview(body).site == "porto-1"
    with pytest.raises(ConfigError) as caught:
        document.parse(body)
    assert caught.value.args == (
        "policy.controller names nobody yet; put a name and an address in",
    )


@pytest.mark.parametrize("missing", [None, *EVERYTHING])
def test_what_was_signed_comes_back_from_its_draft(missing: str | None) -> None:
    body = {name: each for name, each in EVERYTHING.items() if name != missing}
    if missing in ("format", "version", "site", "purpose", "controller", "timezone",
                   "attributes", "k", "epsilon_per_day"):  # fmt: skip
        return  # no policy is without it
    again = parse_toml(draft_text(body).encode())
    if missing == "live_seconds":
        body["live_seconds"] = document.LIVE_SECONDS  # which a draft says aloud
    assert canonical.encode(again) == canonical.encode(body)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_comes_back(text: str) -> None:
    if any(ord(each) == 0x7F for each in text):
        return  # which TOML has no place for, nor has a policy
    assert parse_toml(f"a = {toml(text)}".encode()) == {"a": text}
    assert json.loads(toml(text)) == text


@settings(max_examples=60)
@given(st.data())
def test_whatever_is_a_policy_can_be_shown(data: st.DataObject) -> None:
    """Drawn, summed up, compared, put on a sign and drafted again without an error."""
    body = copy.deepcopy(EVERYTHING)
    part = st.floats(0, 1) | st.integers(0, 1)
    points = st.lists(st.tuples(part, part).map(list), min_size=2, max_size=6)
    body["lines"] = [
        {"id": f"l{index}", "points": each}
        for index, each in enumerate(data.draw(st.lists(points, max_size=8)))
    ]
    body["zones"] = [
        {"id": f"z{index}", "kind": data.draw(KINDS), "polygon": each}
        for index, each in enumerate(data.draw(st.lists(points, max_size=3)))
    ]
    try:
        found = document.parse(body)
    except DoorsillError:
        return
    rows = sketch(found).splitlines()
    assert len(rows) == ROWS + 2 and {len(row) for row in rows} == {COLUMNS + 2}
    assert all(line.id in summary(found) for line in found.lines)
    assert found.digest[:32] in notice_text(found)
    assert differences(found, found) == []
    again = document.parse(parse_toml(draft_text(body).encode()))
    assert replace(again, digest=found.digest) == found  # [] is spelt as nothing


KINDS = st.sampled_from(["count", "exclude"])


@pytest.mark.parametrize(
    "text", ["", "0,0", "0,0,1", "0,0,1,1,1", "a,b,c,d", "0;0;1;1", "0,0,1,", "0,0 1,1"]
)
def test_points_that_are_none_are_said_with_their_option(text: str) -> None:
    with pytest.raises(ConfigError, match=f"--line {text} must be X0,Y0,X1,Y1"):
        points_of("--line", text, 2)


def test_one_line_is_the_door_and_several_are_numbered() -> None:
    assert [each["id"] for each in lines_of(["0,0,1,1"])] == ["door"]
    ids = [each["id"] for each in lines_of(["0,0,1,1"] * 8)]
    assert ids == [f"door-{number}" for number in range(1, 9)]
    nine: dict[str, Any] = first_body("a") | {"lines": lines_of(["0,0,1,1"] * 9)}
    with pytest.raises(ConfigError, match="has 9 entries; the limit is 8"):
        preview(nine)
