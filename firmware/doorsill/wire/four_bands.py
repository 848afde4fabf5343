"""Looks as an older doorsill spelt them, in the two age bands of today.

Schema 1 of ``attributes`` told four bands of age. What such a camera sends, what waited
in an outbox while its camera was updated, and what an older store kept, is taken over
with its three adult bands added up: nobody is counted twice, nothing finer is kept, and
the sum carries the noise of three cells instead of one.
"""

from __future__ import annotations

import json
from typing import Any

from doorsill.wire.codec import decode
from doorsill.wire.messages import (
    ATTRIBUTES_VERSION,
    LARGEST_BYTES,
    Attributes,
    Message,
)
from doorsill.wire.rules import fields_of

ADULTS = ("age_young_adult", "age_adult", "age_older")  # in their order of schema 1
_RULES = {name: rule for _, name, rule in fields_of(Attributes)}
_NAMES = [
    each for name in _RULES for each in (ADULTS if name == "age_adult" else (name,))
]


def read(stream: str, payload: bytes) -> Message:
    """As ``codec.decode``, and ``attributes`` of schema 1 as today's.

    Raises UntrustedError for anything else.
    """
    found = _four(payload) if stream == "attributes" else None
    if found is None:
        return decode(stream, payload)
    for name in ADULTS:
        _RULES["age_adult"].check(found[name], f"Attributes.{name}")
    found["age_adult"] = sum(found.pop(name) for name in ADULTS)
    found["schema"] = ATTRIBUTES_VERSION
    return decode(stream, _spelt({name: found[name] for name in _RULES}))


def _four(payload: bytes) -> dict[str, Any] | None:
    """The fields of an ``attributes`` of schema 1 as it was spelt, or None."""
    if len(payload) > LARGEST_BYTES:
        return None
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("schema") != 1:
        return None
    if list(found) != _NAMES or _spelt(found) != payload:
        return None
    return found


def _spelt(table: dict[str, Any]) -> bytes:
    return json.dumps(table, separators=(",", ":")).encode()
