"""Tell Home Assistant what this device is: one retained packet, from the policy alone.

Device discovery: ``homeassistant/device/<site>_<device>/config`` with ``dev``, ``o``
and ``cmps`` (Home Assistant 2024.11 and later). In and out are ``total_increasing``,
quality is a diagnostic, availability follows ``state``. Nothing in it depends on who
came in.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from doorsill.uplink.wire import client, topic


def described_at(site: str, device: str) -> str:
    """The topic that Home Assistant looks for it at."""
    return f"homeassistant/device/{client(site, device)}/config"


def describe(site: str, device: str, firmware: str, lines: Sequence[str]) -> bytes:
    """The packet for a device that counts ``lines`` (ids, in order of the policy)."""
    ours = client(site, device)
    live, health = topic(site, device, "live"), topic(site, device, "health")
    packet = {
        "dev": {
            "ids": [f"doorsill_{ours}"],
            "name": device,
            "mf": "doorsill",
            "mdl": "people counter",
            "sw": firmware,
            "sa": site,
        },
        "o": {"name": "doorsill", "sw": firmware},
        "avty": [
            {
                "t": topic(site, device, "state"),
                "val_tpl": "{{'online' if value_json.state in "
                "('ready','alert','sleeping') else 'offline'}}",
            }
        ],
        "stat_t": live,
        "qos": 1,
        "cmps": {
            **_line_sensors(ours, lines),
            "quality": _quality(ours),
            "waiting": _waiting(ours, health),
            "problem": _problem(ours, topic(site, device, "state")),
            "problems": _problems(ours, health),
        },
    }
    return json.dumps(packet, separators=(",", ":"), ensure_ascii=True).encode()


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
        for way in ("in", "out")
    }


def _quality(ours: str) -> dict[str, Any]:
    return {
        "p": "sensor",
        "uniq_id": f"doorsill_{ours}_quality",
        "name": "quality",
        "ent_cat": "diagnostic",
        "val_tpl": "{{value_json.quality|join(' ') or 'good'}}",
    }


def _waiting(ours: str, health: str) -> dict[str, Any]:
    return {
        "p": "sensor",
        "uniq_id": f"doorsill_{ours}_waiting",
        "name": "windows waiting",
        "ent_cat": "diagnostic",
        "stat_t": health,
        "stat_cla": "measurement",
        "val_tpl": "{{value_json.waiting}}",
    }


def _problem(ours: str, state: str) -> dict[str, Any]:
    """Also while the device is lost: that is one. Who starts or left is neither."""
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


def _problems(ours: str, health: str) -> dict[str, Any]:
    return {
        "p": "sensor",
        "uniq_id": f"doorsill_{ours}_problems",
        "name": "problems",
        "ent_cat": "diagnostic",
        "stat_t": health,
        "val_tpl": "{{value_json.problems|join(' ') or 'none'}}",
    }
