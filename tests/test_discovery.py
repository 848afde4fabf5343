"""Home Assistant is told what the device is, in one packet, by its own rules."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from doorsill.policy import LINES_LIMIT, ZONES_LIMIT
from doorsill.uplink import wire
from doorsill.uplink.discovery import describe
from doorsill.uplink.guard import DISCOVERY_LARGEST_BYTES

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
        "qos": {"enum": [0, 1, 2]},
        "cmps": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["p", "uniq_id", "val_tpl"],
                "properties": {
                    "p": {"enum": ["sensor", "binary_sensor"]},
                    "uniq_id": TEXT,
                    "stat_cla": {"enum": ["total_increasing", "measurement"]},
                    "ent_cat": {"enum": ["diagnostic"]},
                },
            },
        },
    },
}


def packet(lines: list[str]) -> dict[str, Any]:
    table: dict[str, Any] = json.loads(describe("shop-1", "cam-01", "0.1.0", lines))
    return table


def test_the_packet_is_what_home_assistant_takes() -> None:
    jsonschema.validate(packet(["door", "lift"]), HOME_ASSISTANT)


def test_in_and_out_only_grow_and_quality_is_a_diagnostic() -> None:
    parts = packet(["door"])["cmps"]
    assert set(parts) == {
        "l0_in",
        "l0_out",
        "quality",
        "waiting",
        "problem",
        "problems",
    }
    assert (
        parts["l0_in"]["stat_cla"] == parts["l0_out"]["stat_cla"] == "total_increasing"
    )
    assert parts["quality"]["ent_cat"] == "diagnostic"
    assert parts["l0_in"]["val_tpl"] == "{{value_json.lines[0]['in']}}"


def test_availability_follows_the_state_and_its_will() -> None:
    (availability,) = packet(["door"])["avty"]
    assert availability["t"] == wire.topic("shop-1", "cam-01", "state")
    assert "value_json.state" in availability["val_tpl"]
    assert "ready" in availability["val_tpl"]
    assert "lost" not in availability["val_tpl"]


def test_no_camera_no_picture_no_command() -> None:
    text = describe("shop-1", "cam-01", "0.1.0", ["door"]).decode()
    for word in ("camera", "image", "cmd_t", "command", "json_attr", "url"):
        assert word not in text


def test_ids_are_unique_over_lines_and_devices() -> None:
    one = packet(["a", "b"])["cmps"]
    other = json.loads(describe("shop-1", "cam-02", "0.1.0", ["a", "b"]))["cmps"]
    ids = [each["uniq_id"] for part in (one, other) for each in part.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("lines", [0, 1, LINES_LIMIT])
def test_the_longest_packet_passes_the_guard(lines: int) -> None:
    longest = describe("s" * 16, "d" * 16, "10.10.100", ["l" * 16] * lines)
    assert len(longest) <= DISCOVERY_LARGEST_BYTES


def test_the_wire_has_room_for_every_line_and_zone_of_a_policy() -> None:
    assert (wire.LINES_LIMIT, wire.ZONES_LIMIT) == (LINES_LIMIT, ZONES_LIMIT)
