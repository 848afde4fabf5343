"""A shop's draft: one document for each camera, or every problem in one answer."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorsill.documents import canonical
from doorsill.errors import ConfigError
from doorsill.policy import document
from doorsill.policy.draft import toml
from doorsill_fleet.cli.main import parser_for
from doorsill_fleet.policies.draft import FORMAT, first_text, part_text, read, text_of

SITE, MEMBERS = "porto-1", ["cam-01", "cam-02"]
DOOR = [{"id": "door", "points": [[0.0, 0.5], [1.0, 0.5]]}]
BACK = [{"id": "back", "points": [[0.5, 0.0], [0.5, 1.0]]}]
SHARED: dict[str, Any] = {
    "version": 3, "site": SITE, "purpose": "count", "timezone": "UTC",
    "controller": "Example Stores, 1 Road", "attributes": False, "k": 10,
    "epsilon_per_day": 1.0,
    "hours": [{"days": ["mon"], "opens": "09:00", "closes": "20:00"}],
    "holidays": [{"date": "2026-12-25"}],
}  # fmt: skip


def draft(**changed: Any) -> bytes:
    shared = {**copy.deepcopy(SHARED), **changed}
    shared = {key: value for key, value in shared.items() if value is not ...}
    return text_of(shared, {"cam-01": DOOR, "cam-02": BACK}).encode()


def test_two_doors_of_one_shop_are_two_parts_of_one_draft() -> None:
    found = read(draft(), SITE, MEMBERS)
    assert found.devices == ("cam-01", "cam-02") and found.version == 3
    one, two = (found.policies[name] for name in MEMBERS)
    assert (one.devices, two.devices) == (("cam-01",), ("cam-02",))
    assert [one.lines[0].id, two.lines[0].id] == ["door", "back"]
    assert one.hours == two.hours and one.holidays == two.holidays != ()
    assert found.bodies["cam-01"]["format"] == document.FORMAT
    assert one.digest == canonical.digest(found.bodies["cam-01"])


def test_a_camera_without_a_part_has_what_the_shop_says() -> None:
    text = text_of({**SHARED, "lines": DOOR}, {"cam-02": BACK})
    found = read(text.encode(), SITE, [*MEMBERS, "cam-03"])
    lines = [found.policies[name].lines[0].id for name in found.devices]
    assert lines == ["door", "back", "door"]


def test_the_first_draft_wants_a_name_and_nothing_else() -> None:
    with pytest.raises(ConfigError) as caught:
        read(first_text(SITE, MEMBERS).encode(), SITE, MEMBERS)
    assert caught.value.args == (
        "policy.controller names nobody yet; put a name and an address in",
    )


COLOUR = b"colour = 1\n" + draft()
NO_VERSION = draft().replace(b"version = 3", b"")
PROBLEMS: list[Any] = [
    pytest.param(COLOUR, "policy.colour is not an option", id="an unknown key"),
    pytest.param(draft(k=9), "policy.k = 9 is below the minimum", id="below a floor"),
    pytest.param(draft(site="porto-2"), "draft of porto-1", id="another site"),
    pytest.param(draft(site="../x"), "'../x'", id="a path as site"),
    pytest.param(NO_VERSION, "version is missing", id="no version"),
    pytest.param(
        draft(hours=..., holidays=[{"date": "2026-02-30"}]), "is no day", id="no day"
    ),
    pytest.param(
        draft() + part_text("cam-09", DOOR).encode(), "'cam-09' is no camera", id="who?"
    ),
    pytest.param(
        draft() + part_text("cam-01", DOOR).encode(), "stands twice", id="twice"
    ),
    pytest.param(
        draft() + b'hours = "no"\n', "hours", id="an option of the shop in a part"
    ),
    pytest.param(b'format = "doorsill-policy/1"\n', FORMAT, id="a device's draft"),
    pytest.param(b"format = \xff", "", id="no text"),
    pytest.param(b"[[devices", "", id="no TOML"),
    pytest.param(b'devices = ["cam-01"]\n', "must be tables", id="names, not tables"),
    # Debian 12 still knows it; Debian 13 does not.
    pytest.param(draft(timezone="Portugal"), "'Portugal' is ", id="an old zone"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "said"), PROBLEMS)
def test_a_draft_that_cannot_be_is_refused_in_words(data: bytes, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(data, SITE, MEMBERS)
    assert said in str(caught.value)
    assert len(set(caught.value.args)) == len(caught.value.args)  # each one once


def test_what_one_camera_alone_has_wrong_names_it() -> None:
    text = text_of({**SHARED, "lines": []}, {"cam-01": DOOR})
    with pytest.raises(ConfigError, match=r"^cam-02: policy\.lines has nothing to"):
        read(text.encode(), SITE, MEMBERS)


def test_17_kib_are_refused_before_anybody_signs() -> None:
    cards = {"purposes": ["validation"], "ca": "ab" * 32, "max_seconds": 600,
             "max_bytes": 4096, "max_crops": 1}  # fmt: skip
    few, many = (
        {**cards, "revoked": [f"{number:040x}" for number in range(count)]}
        for count in (300, 400)
    )
    assert read(draft(consent=few), SITE, MEMBERS)
    with pytest.raises(
        ConfigError, match=r"would have 17[0-9]{3} bytes.* 16384 at most"
    ):
        read(draft(consent=many), SITE, MEMBERS)


def test_a_shop_without_cameras_has_nothing_to_sign() -> None:
    with pytest.raises(ConfigError, match="porto-1 has no camera yet"):
        read(text_of(SHARED, {}).encode(), SITE, [])


@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_whatever_is_in_the_file_it_is_a_sentence(data: bytes) -> None:
    with pytest.raises(ConfigError):
        read(data, SITE, MEMBERS)


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)


@given(
    st.sampled_from([*SHARED, "devices", "lines", "zones", "consent", "format"]),
    st.recursive(
        VALUES.filter(lambda each: each is not None),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=4,
    ),
)
def test_a_value_of_any_kind_is_a_policy_or_a_sentence(name: str, value: Any) -> None:
    if "\x7f" in str(value):
        return  # which TOML has no place for
    body = {**SHARED, "format": FORMAT, "lines": DOOR, name: value}
    tables = ("hours", "holidays", "lines")
    text = "".join(
        f"{key} = {toml(each)}\n" for key, each in body.items() if key not in tables
    ).encode()
    for key in tables:
        if key == name:
            text = f"{key} = {toml(value)}\n".encode() + text
    try:
        found = read(text, SITE, MEMBERS)
    except ConfigError:
        return
    assert all(each.site == SITE for each in found.policies.values())


def test_each_command_that_a_draft_names_is_one_that_takes_it() -> None:
    """`doorsill policy sign` and `show` refuse a shop's draft: it has parts."""
    text = first_text(SITE, MEMBERS)
    assert "doorsill policy" not in text and "FILE" not in text
    named = re.findall(r"doorsill-fleet (policy \w+ [\w-]+)", text)
    assert {each.split()[1] for each in named} == {"diff", "sign", "push"}
    for each in named:
        assert parser_for(each.split()).parse_args(each.split()).site == SITE
