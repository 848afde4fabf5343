"""The whole chain's access list: every shop's cameras, the reader, office and bridges.

No line has a wild card for writing, and none a pattern: a pattern would hold for every
client, readers included.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from doorsill.wire.messages import POLICY, STREAMS, client, topic
from doorsill_fleet.broker.mosquitto import access_list
from doorsill_fleet.ca.authority import OFFICE, bridge_name

Members = Mapping[str, Sequence[str]]  # the devices of each site


def whole_list(
    members: Members, readers: Sequence[str], bridged: Collection[str] = ()
) -> str:
    """The list; ``bridged`` are the sites that have a broker of their own."""
    parts = [access_list(site, ids, readers) for site, ids in members.items()]
    parts += [_bridge(site, members[site]) for site in members if site in bridged]
    if members:
        parts.append(_office(members))
    return "\n".join(parts)


def _office(members: Members) -> str:
    """Writes each device's policy, and reads what the devices say of it."""
    lines = [f"user {OFFICE}"]
    for site, ids in members.items():
        lines += [f"topic write {topic(site, each, POLICY)}" for each in ids]
        lines.append(f"topic read doorsill/{site}/#")
    return "\n".join([*lines, ""])


def _bridge(site: str, ids: Sequence[str]) -> str:
    """Hands on what each device of its shop may write, and fetches their policies."""
    lines = [f"user {bridge_name(site)}"]
    for device in ids:
        lines += [f"topic write {topic(site, device, each)}" for each in STREAMS]
        described = f"homeassistant/device/{client(site, device)}/config"
        lines += [
            f"topic write {described}",
            f"topic read {topic(site, device, POLICY)}",
        ]
    return "\n".join([*lines, ""])
