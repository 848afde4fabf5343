"""Home Assistant learns what the device is, in one packet, by its own rules."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jinja2
import jsonschema
import pytest
from messages import LINE, ZONE

from doorsill.policy.document import LINES_LIMIT, ZONES_LIMIT
from doorsill.wire import messages
from doorsill.wire.codec import encode
from doorsill.wire.discovery import describe
from doorsill.wire.guard import DISCOVERY_LARGEST_BYTES

# What Home Assistant takes at the root of a device packet, and what a sensor needs.
TEXT = {"type": "string", "minLength": 1}
HOME_ASSISTANT: dict[str, Any] = {
    "type": "object",
    "required": ["dev", "o", "cmps"],
    "additionalProperties": False,
    "properties": {
        "dev": {"type": "object", "required": ["ids"]},
        "o": {"type": "object", "required": ["name"]},
        "avty": {"type": "array", "items": {"type": "object", "required": ["t"]}},
        "stat_t": TEXT,
        "cmps": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["p"],
                "dependentRequired": {
                    "uniq_id": ["val_tpl", "name"],
                    "val_tpl": ["uniq_id"],
                },
                "properties": {
                    "p": {"enum": ["sensor", "binary_sensor"]},
                    "uniq_id": TEXT,
                    "stat_cla": {"enum": ["total_increasing", "measurement"]},
                    "ent_cat": {"enum": ["diagnostic"]},
                    "exp_aft": {"type": "integer", "minimum": 1},
                },
            },
        },
    },
}


def parts_of(packet: dict[str, Any]) -> dict[str, Any]:
    """What is there, without the places that are named to be removed."""
    parts = packet["cmps"].items()
    return {name: part for name, part in parts if set(part) != {"p"}}


def packet(lines: list[str], zones: list[str] | None = None) -> dict[str, Any]:
    said = describe("shop-1", "cam-01", "0.1.0", lines, zones or [])
    table: dict[str, Any] = json.loads(said)
    return table


def test_the_packet_is_what_home_assistant_takes() -> None:
    jsonschema.validate(packet(["door", "lift"], ["till"]), HOME_ASSISTANT)


def test_in_and_out_only_grow_and_quality_is_a_diagnostic() -> None:
    parts = parts_of(packet(["door"]))
    assert set(parts) == {
        "l0_in",
        "l0_out",
        "quality",
        "waiting",
        "problem",
        "problems",
        "firmware",
    }
    assert (
        parts["l0_in"]["stat_cla"] == parts["l0_out"]["stat_cla"] == "total_increasing"
    )
    assert parts["quality"]["ent_cat"] == "diagnostic"
    assert parts["l0_in"]["val_tpl"] == "{{value_json.lines[0]['in']}}"


def test_availability_follows_the_state_and_its_will() -> None:
    (availability,) = packet(["door"])["avty"]
    assert availability["t"] == messages.topic("shop-1", "cam-01", "state")
    assert "value_json.state" in availability["val_tpl"]
    assert "ready" in availability["val_tpl"]
    assert "lost" not in availability["val_tpl"]


def test_no_camera_no_picture_no_command() -> None:
    text = describe("shop-1", "cam-01", "0.1.0", ["door"]).decode()
    for word in ("camera", "image", "cmd_t", "command", "json_attr", "url"):
        assert word not in text


def test_ids_are_unique_over_lines_and_devices() -> None:
    one = parts_of(packet(["a", "b"], ["a", "b"]))
    other = parts_of(json.loads(describe("shop-1", "cam-02", "0.1.0", ["a", "b"])))
    ids = [each["uniq_id"] for part in (one, other) for each in part.values()]
    assert len(ids) == len(set(ids))


def test_every_place_that_a_policy_could_have_is_there_or_is_removed() -> None:
    """Home Assistant keeps what a packet leaves out; a platform alone removes it."""
    names = {name for each in range(LINES_LIMIT + 1) for name in places(each, 0)}
    names |= {name for each in range(ZONES_LIMIT + 1) for name in places(0, each)}
    for lines, zones in ((0, 0), (1, 0), (2, 3), (LINES_LIMIT, ZONES_LIMIT)):
        found = packet(["l"] * lines, ["z"] * zones)["cmps"]
        assert names <= set(found)
        kept = {name for name in parts_of({"cmps": found}) if name in names}
        assert kept == set(places(lines, zones))


def places(lines: int, zones: int) -> list[str]:
    found = [f"l{n}_{way}" for n in range(lines) for way in ("in", "out")]
    shown = ("visits", "occupancy", "dwell")
    return found + [f"z{n}_{name}" for n in range(zones) for name in shown]


@pytest.mark.parametrize("lines", [0, 1, LINES_LIMIT])
@pytest.mark.parametrize("zones", [0, 1, ZONES_LIMIT])
def test_the_longest_packet_passes_the_guard(lines: int, zones: int) -> None:
    names = ["l" * 16] * lines, ["z" * 16] * zones
    longest = describe("s" * 16, "d" * 16, "10.10.100", *names)
    assert len(longest) <= DISCOVERY_LARGEST_BYTES


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        pytest.param(replace(ZONE, zone=1), ["12", "4", "320"], id="this zone"),
        pytest.param(replace(ZONE, zone=0), ["", "", ""], id="another"),
        pytest.param(LINE, ["", "", ""], id="a line"),
        pytest.param(
            replace(ZONE, visits=3, dwell_s=None, occupancy_max=None),
            ["3", "", ""],
            id="fewer than k: what was shown stays",
        ),
    ],
)
def test_a_zone_shows_what_was_told(
    message: messages.Message, shown: list[str]
) -> None:
    """In jinja2, which is Home Assistant's own language."""
    parts = packet(["door"], ["till", "sofa"])["cmps"]
    told = json.loads(encode(message))
    names = ("visits", "occupancy", "dwell")
    assert [
        jinja2.Template(parts[f"z1_{name}"]["val_tpl"]).render(value_json=told)
        for name in names
    ] == shown


def test_the_wire_has_room_for_every_line_and_zone_of_a_policy() -> None:
    assert (messages.LINES_LIMIT, messages.ZONES_LIMIT) == (LINES_LIMIT, ZONES_LIMIT)
