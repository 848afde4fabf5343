"""From a topic and its bytes to a row: only what the wire schema allows becomes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from doorsill.documents.fields import DEVICE_ID
from doorsill.errors import UntrustedError
from doorsill.wire import four_bands
from doorsill.wire.certificate import Certificate
from doorsill.wire.messages import Attributes, LineInterval, Message, ZoneInterval
from doorsill.wire.rules import fields_of
from doorsill_fleet.store.doubt import doubt_of
from doorsill_fleet.store.schema import (
    AttributeSpan,
    Base,
    Latest,
    LineWindow,
    ZoneWindow,
)

Sender = tuple[str, str]  # site and device
NOBODY: Sender = ("", "")  # sender of what has no camera's topic
_TABLES: dict[type[Message], type[Base]] = {
    LineInterval: LineWindow,
    ZoneInterval: ZoneWindow,
    Attributes: AttributeSpan,
}
_PLACES = ("line", "zone")  # what the message calls the place
_UNSTORED = ("schema", "kind")  # the table says it
# Of each class: (field of the message, column).
_COLUMNS = {
    kind: [
        (name, "place" if name in _PLACES else name)
        for name, _, _ in fields_of(kind)
        if name not in _UNSTORED
    ]
    for kind in _TABLES
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of ``table``; ``end`` is 0 for what is of the moment."""

    sender: Sender
    table: Table
    values: dict[str, Any]
    end: int


def levels_of(topic: str, site: str = "") -> tuple[str, str, str]:
    """Site, device and stream of a camera's topic (of ``site``); or UntrustedError."""
    levels = topic.split("/")
    known = len(levels) == 4 and levels[0] == "doorsill" and site in ("", levels[1])
    if not known or not all(DEVICE_ID.fullmatch(each) for each in levels[1:3]):
        of = f" of site {site}" if site else ""
        raise UntrustedError(f"{topic[:80]} is not the topic of a camera{of}")
    return levels[1], levels[2], levels[3]


def sender_of(topic: str, site: str = "") -> Sender:
    """Who sent it: the broker lets a device write under its own name alone."""
    try:
        shop, device, _ = levels_of(topic, site)
    except UntrustedError:
        return NOBODY
    return shop, device


def row_of(topic: str, payload: bytes, now: int, site: str = "") -> Row:
    """The row that a message becomes; UntrustedError for what is none of a camera's.

    ``now`` is our own clock, UTC s.
    """
    shop, device, stream = levels_of(topic, site)
    message = four_bands.read(stream, payload)
    values: dict[str, Any] = {"site": shop, "device": device, "received": now}
    if isinstance(message, LineInterval | ZoneInterval | Attributes):
        return _span((shop, device), message, values, now)
    time = getattr(message, "time", 0)
    if isinstance(message, Certificate):
        time = message.time_ms // 1000  # all of them are on the shelf; here the last
    values |= {"stream": stream, "time": time, "payload": payload.decode("ascii")}
    return Row((shop, device), _table(Latest), values, 0)


def _span(
    sender: Sender,
    message: LineInterval | ZoneInterval | Attributes,
    values: dict[str, Any],
    now: int,
) -> Row:
    kind = type(message)
    for name, column in _COLUMNS[kind]:
        values[column] = getattr(message, name)
    if "quality" in values:
        values["quality"] = " ".join(values["quality"])
    values["doubt"] = doubt_of(message.end, now)
    return Row(sender, _table(_TABLES[kind]), values, message.end)


def _table(model: type[Base]) -> Table:
    found = model.__table__
    assert isinstance(found, Table)  # noqa: S101 - for the types alone
    return found
