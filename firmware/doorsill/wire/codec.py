"""One message, one spelling: to bytes, back from bytes, and as JSON Schema.

:func:`decode` refuses every message that :func:`encode` would not have written, to the
last byte. So nothing can hide in spaces, key order or the spelling of a number.
``python -m doorsill.wire.codec`` prints the JSON Schema.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from typing import Any, NoReturn

from doorsill.errors import UntrustedError
from doorsill.wire.messages import (
    KINDS,
    STREAMS,
    VERSION,
    Message,
    ZoneInterval,
    largest_bytes,
    stream_of,
)
from doorsill.wire.rules import Schema, fields_of


def encode(message: Message) -> bytes:
    """The one spelling of ``message``; UntrustedError if a value is not allowed."""
    table: dict[str, object] = {}
    for attribute, name, each in fields_of(type(message)):
        value = getattr(message, attribute)
        each.check(value, f"{type(message).__name__}.{name}")
        table[name] = value
    data = json.dumps(table, separators=(",", ":"), ensure_ascii=True).encode()
    most = largest_bytes(stream_of(message))
    if len(data) > most:
        raise UntrustedError(f"a message of {len(data)} bytes is over {most}")
    return data


def decode(stream: str, payload: bytes) -> Message:
    """The message in ``payload``; UntrustedError for anything else."""
    if stream not in KINDS:
        raise UntrustedError(f"the stream is none of {', '.join(STREAMS)}")
    most = largest_bytes(stream)
    if len(payload) > most:
        raise UntrustedError(f"a message of {len(payload)} bytes is over {most}")
    table = _read(payload)
    kind = KINDS[stream][0]
    if len(KINDS[stream]) > 1 and table.get("kind") == "zone":
        kind = ZoneInterval
    message = _build(kind, table)
    if encode(message) != payload:
        raise UntrustedError(f"{stream}: spelt another way than our one")
    return message


def _read(payload: bytes) -> dict[str, Any]:
    try:
        table = json.loads(
            payload.decode("ascii"),
            object_pairs_hook=_unique,
            parse_float=_refuse,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError):
        raise UntrustedError("a message must be JSON of whole numbers") from None
    if not isinstance(table, dict):
        raise UntrustedError("a message must be one JSON object")
    return table


def _build(kind: type[Any], table: dict[str, Any]) -> Message:
    known = fields_of(kind)
    names = [name for _, name, _ in known]
    _require_version(kind, table)
    if list(table) != names:
        raise UntrustedError(
            f"{kind.__name__} must hold exactly {', '.join(names)}, in that order"
        )
    values = {}
    for attribute, name, each in known:
        each.check(table[name], f"{kind.__name__}.{name}")
        value = table[name]
        values[attribute] = tuple(value) if isinstance(value, list) else value
    message: Message = kind(**values)
    return message


def _require_version(kind: type[Any], table: dict[str, Any]) -> None:
    """What another release of doorsill wrote is refused by that, and not by a field."""
    ours = next(each.default for each in fields(kind) if each.name == "schema")
    told = table.get("schema")
    if type(told) is int and told != ours:
        raise UntrustedError(
            f"{kind.__name__} of schema {told}, and here it is {ours}: another doorsill"
            " wrote it; update the older of the two"
        )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands twice")
    return table


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no whole number")


def json_schema() -> Schema:
    """The JSON Schema (2020-12) of all messages, generated from the dataclasses."""
    definitions = {
        kind.__name__: _definition(kind) for kinds in KINDS.values() for kind in kinds
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"doorsill wire schema {VERSION}",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in definitions],
        "$defs": definitions,
    }


def _definition(kind: type[Any]) -> Schema:
    known = fields_of(kind)
    return {
        "description": " ".join((kind.__doc__ or "").split()),
        "type": "object",
        "properties": {name: each.schema() for _, name, each in known},
        "required": [name for _, name, _ in known],
        "additionalProperties": False,
    }


def schema_text() -> str:
    """The text that ``schema.json`` must have."""
    return json.dumps(json_schema(), indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
