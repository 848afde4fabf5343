"""Describe this device to Home Assistant: one retained packet, from the policy alone.

Device discovery: ``homeassistant/device/<site>_<device>/config`` with ``dev``, ``o``
and ``cmps`` (Home Assistant 2024.11 and later). In and out are ``total_increasing``,
quality is a diagnostic, availability follows ``state``. Home Assistant keeps a line or
zone that the policy no longer has until a packet names it without content. So each
place that a policy could have is in every packet. Nothing in it depends on people.

A zone has no retained message of its own. Home Assistant itself keeps the values of the
last minute over its restart, because of ``exp_aft``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from doorsill.wire.messages import LINES_LIMIT, ZONES_LIMIT, client, topic

EXPIRE_S = 3600  # after so long without a window, values of a zone are too old
_WAYS = ("in", "out")
# What is shown of a zone: its name, its value, and further keys of its sensor.
_ZONE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("visits", "v.visits", {}),
    ("occupancy", "v.occupancy_max", {}),
    ("dwell", "v.dwell_s", {"dev_cla": "duration", "unit_of_meas": "s"}),
)


def described_at(site: str, device: str) -> str:
    """The topic at which Home Assistant expects the packet."""
    return f"homeassistant/device/{client(site, device)}/config"


def describe(
    site: str,
    device: str,
    firmware: str,
    lines: Sequence[str],
    zones: Sequence[str] = (),
) -> bytes:
    """The packet for a device that counts ``lines`` and ``zones``.

    Both are ids in the order of the policy; of the zones only those that are counted.
    """
    ours = client(site, device)
    live, health = topic(site, device, "live"), topic(site, device, "health")
    packet = {
        "dev": _device(site, device, firmware),
        "o": {"name": "doorsill", "sw": firmware},
        "avty": [
            {
                "t": topic(site, device, "state"),
                "val_tpl": "{{'online' if value_json.state in "
                "('ready','alert','sleeping') else 'offline'}}",
            }
        ],
        "stat_t": live,
        "cmps": {
            **_line_sensors(ours, lines),
            **_zone_sensors(ours, topic(site, device, "interval"), zones),
            "quality": _diagnostic(ours, "quality", "quality|join(' ') or 'good'"),
            "waiting": _waiting(ours, health),
            "problem": _problem(ours, topic(site, device, "state")),
            "problems": _diagnostic(
                ours, "problems", "problems|join(' ') or 'none'", stat_t=health
            ),
            "firmware": _diagnostic(ours, "firmware", "firmware", stat_t=health),
            **_gone(len(lines), len(zones)),
        },
    }
    return json.dumps(packet, separators=(",", ":"), ensure_ascii=True).encode()


def _device(site: str, device: str, firmware: str) -> dict[str, Any]:
    return {
        "ids": [f"doorsill_{client(site, device)}"],
        "name": f"{site} {device}",
        "mf": "doorsill",
        "mdl": "people counter",
        "sw": firmware,
        "sa": site,
    }


def _line_sensors(ours: str, lines: Sequence[str]) -> dict[str, Any]:
    return {
        f"l{index}_{way}": {
            "p": "sensor",
            "uniq_id": f"doorsill_{ours}_l{index}_{way}",
            "name": f"{line} {way}",
            "stat_cla": "total_increasing",
            "ic": "mdi:location-enter" if way == "in" else "mdi:location-exit",
            "val_tpl": f"{{{{value_json.lines[{index}]['{way}']}}}}",
        }
        for index, line in enumerate(lines)
        for way in _WAYS
    }


def _zone_sensors(ours: str, interval: str, zones: Sequence[str]) -> dict[str, Any]:
    """Values of the last minute; the dwell time only if k people left."""
    return {
        f"z{index}_{name}": {
            "p": "sensor",
            "uniq_id": f"doorsill_{ours}_z{index}_{name}",
            "name": f"{zone} {name}",
            "stat_t": interval,
            "stat_cla": "measurement",
            "exp_aft": EXPIRE_S,
            "val_tpl": _of_zone(index, value),
            **more,
        }
        for index, zone in enumerate(zones)
        for name, value, more in _ZONE
    }


def _of_zone(index: int, value: str) -> str:
    """A template that gives nothing for another zone or a line, so the value stays."""
    known = f"v.zone==_ and {value} is not none".replace("_", str(index), 1)
    return f"{{% set v=value_json %}}{{{{{value} if {known}}}}}"


def _gone(lines: int, zones: int) -> dict[str, Any]:
    """Each place that the policy does not have; a platform without more removes it."""
    names = [f"l{n}_{way}" for n in range(lines, LINES_LIMIT) for way in _WAYS]
    names += [f"z{n}_{name}" for n in range(zones, ZONES_LIMIT) for name, *_ in _ZONE]
    return {name: {"p": "sensor"} for name in names}


def _diagnostic(ours: str, key: str, value: str, **more: str) -> dict[str, Any]:
    """A sensor for a person who looks for the cause of a problem."""
    return {
        "p": "sensor",
        "uniq_id": f"doorsill_{ours}_{key}",
        "name": key,
        "ent_cat": "diagnostic",
        "val_tpl": f"{{{{value_json.{value}}}}}",
        **more,
    }


def _waiting(ours: str, health: str) -> dict[str, Any]:
    more = {"name": "windows waiting", "stat_t": health, "stat_cla": "measurement"}
    return _diagnostic(ours, "waiting", "waiting", **more)


def _problem(ours: str, state: str) -> dict[str, Any]:
    """The problem sensor: on while the device is lost; unknown at start and end."""
    words = "{'ready':'OFF','sleeping':'OFF','alert':'ON','lost':'ON'}"
    return {
        "p": "binary_sensor",
        "uniq_id": f"doorsill_{ours}_problem",
        "name": "problem",
        "dev_cla": "problem",
        "stat_t": state,
        "val_tpl": f"{{{{{words}.get(value_json.state)}}}}",
        "avty": [{"t": state, "val_tpl": "online"}],
    }
