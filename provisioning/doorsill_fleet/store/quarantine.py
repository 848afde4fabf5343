"""What is no camera's message is set aside, with who sent it and why; pure.

Of each sender the first KEPT_MOST are kept and all are counted, so that one that sends
garbage for ever fills no disk and hides no other. Text is kept where it is text; of
anything else, which might be a picture, only size and hash.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from doorsill_fleet.store.rows import Sender
from doorsill_fleet.store.schema import TEXT_MOST, WHY_MOST

KEPT_MOST = 100  # messages of one sender


@dataclass(frozen=True, slots=True)
class Stranger:
    """A message that the schema forbids."""

    sender: Sender
    topic: str
    payload: bytes
    why: str


def set_aside(
    strangers: Sequence[Stranger], before: Mapping[Sender, int], now: int
) -> list[dict[str, Any]]:
    """Rows of ``quarantine``; ``before`` is how many each sender had already."""
    counted = Counter(before)
    rows = []
    for each in strangers:
        counted[each.sender] += 1
        if counted[each.sender] <= KEPT_MOST:
            rows.append(_row(each, now))
    return rows


def text_of(payload: bytes) -> str | None:
    """The payload where it is short printable text."""
    text = payload.decode("utf-8", errors="replace")
    if len(payload) <= TEXT_MOST and text.isprintable() and "\ufffd" not in text:
        return text
    return None


def _row(each: Stranger, now: int) -> dict[str, Any]:
    site, device = each.sender
    return {
        "received": now,
        "site": site,
        "device": device,
        "topic": printable(each.topic)[:TEXT_MOST],
        "why": printable(each.why)[:WHY_MOST],
        "size": len(each.payload),
        "sha256": hashlib.sha256(each.payload).hexdigest(),
        "text": text_of(each.payload),
    }


def printable(text: str) -> str:
    """``text`` with a mark for what a terminal or a database could not show."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)
