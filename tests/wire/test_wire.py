"""The wire schema is closed: small whole numbers, words, short hashes, nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from any_message import messages
from hypothesis import given
from hypothesis import strategies as st
from messages import EVERY, LINE, LIVE, ZONE

from doorsill.cells import Quality
from doorsill.errors import UntrustedError
from doorsill.wire import codec, rules
from doorsill.wire import messages as wire
from doorsill.wire.certificate import Certificate
from doorsill.wire.codec import decode, encode
from doorsill.wire.messages import (
    KINDS,
    LARGEST_BYTES,
    Health,
    Message,
    largest_bytes,
    quality_words,
    stream_of,
    topic,
)
from doorsill.wire.rules import fields_of

SCHEMA = Path(codec.__file__).with_name("schema.json")
validator = jsonschema.Draft202012Validator(codec.json_schema())
KIND_LIST: list[type] = [kind for kinds in KINDS.values() for kind in kinds]


def test_the_shipped_schema_is_the_one_of_the_dataclasses() -> None:
    assert SCHEMA.read_text() == codec.schema_text()
    jsonschema.Draft202012Validator.check_schema(codec.json_schema())


@given(messages)
def test_every_message_survives_the_wire_and_fits(message: Message) -> None:
    payload = encode(message)
    assert len(payload) <= largest_bytes(stream_of(message))
    assert decode(stream_of(message), payload) == message
    validator.validate(json.loads(payload))


@pytest.mark.parametrize("kind", KIND_LIST, ids=lambda kind: kind.__name__)
def test_no_field_can_hold_64_bytes_and_no_message_128(kind: type) -> None:
    bits = {name: rule.bits for _, name, rule in fields_of(kind)}
    assert max(bits.values()) < 64 * 8
    if kind is not Certificate:  # hashes, keys and a signature, of the vault alone
        assert sum(bits.values()) < 128 * 8


@pytest.mark.parametrize("kind", KIND_LIST, ids=lambda kind: kind.__name__)
def test_the_schema_has_no_free_text_and_no_unbounded_number(kind: type) -> None:
    def walk(schema: dict[str, object]) -> None:
        if schema.get("type") == "integer":
            assert {"minimum", "maximum"} <= set(schema)
        if schema.get("type") == "string":
            assert "pattern" in schema
            assert "*" not in str(schema["pattern"])
            assert "+" not in str(schema["pattern"])
        if schema.get("type") == "array":
            assert "maxItems" in schema
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
        for value in schema.values():
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, dict):
                    walk(each)

    walk(codec.json_schema()["$defs"][kind.__name__])


FORBIDDEN = {"image", "embedding", "box", "boxes", "track", "id", "face", "name", "net"}


def test_no_message_has_a_place_for_a_person() -> None:
    names = {name for kind in KIND_LIST for _, name, _ in fields_of(kind)}
    assert not names & FORBIDDEN


def test_in_and_out_are_never_published_as_a_net_number_alone() -> None:
    table = json.loads(encode(LINE))
    assert {"in", "out", "total_in", "total_out", "epoch", "coverage_s"} <= set(table)


@pytest.mark.parametrize(
    "quality",
    [pytest.param(Quality(bits), id=str(bits)) for bits in (0, 1, 2, 65, 255)],
)
def test_every_quality_has_its_words(quality: Quality) -> None:
    words = quality_words(quality)
    assert sum(Quality[word.upper()] for word in words) == quality


def test_topics_are_site_device_stream() -> None:
    assert topic("shop-1", "cam-01", "live") == "doorsill/shop-1/cam-01/live"
    assert {stream_of(each) for each in EVERY} == set(wire.STREAMS)


def changed(message: Message, **changes: object) -> bytes:
    table = {**json.loads(encode(message)), **changes}
    return json.dumps(table, separators=(",", ":")).encode()


GOOD = encode(LINE)


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        pytest.param(changed(LINE, note="hi"), "must hold exactly", id="an extra key"),
        pytest.param(
            GOOD.replace(b'"in":3,', b""), "must hold exactly", id="a key less"
        ),
        pytest.param(
            GOOD.replace(b'"in":3,', b'"in":3,"in":3,'),
            "must be JSON",
            id="a key twice",
        ),
        pytest.param(changed(LINE, **{"in": 10**9}), "outside of 0..", id="too large"),
        pytest.param(changed(LINE, **{"in": -1}), "outside of 0..", id="below 0"),
        pytest.param(
            changed(LINE, **{"in": True}), "whole number", id="true as a number"
        ),
        pytest.param(changed(LINE, **{"in": 1.5}), "must be JSON", id="a fraction"),
        pytest.param(changed(LINE, **{"in": "3"}), "whole number", id="text as number"),
        pytest.param(GOOD.replace(b":3,", b":3e0,", 1), "must be JSON", id="exponent"),
        pytest.param(
            GOOD.replace(b":3,", b":NaN,", 1), "must be JSON", id="not a number"
        ),
        pytest.param(GOOD.replace(b",", b", ", 1), "another way", id="a space"),
        pytest.param(GOOD + b"\n", "another way", id="a new line"),
        pytest.param(
            GOOD.replace(b"line", b"\\u006cine", 1), "another way", id="escapes"
        ),
        pytest.param(changed(LINE, kind="face"), "LineInterval.kind", id="other kind"),
        pytest.param(changed(LINE, kind="zone"), "must hold exactly", id="mixed kinds"),
        pytest.param(changed(LINE, schema=2), "and here it is 1", id="other version"),
        pytest.param(
            changed(LINE, quality=["gap", "dark"]), "more than", id="reordered"
        ),
        pytest.param(
            changed(LINE, quality=["dark", "dark"]), "more than", id="repeated"
        ),
        pytest.param(changed(LINE, quality=["happy"]), "more than", id="strange word"),
        pytest.param(changed(LINE, model="AB" * 16), "does not match", id="upper case"),
        pytest.param(
            changed(LINE, model="ab" * 99), "does not match", id="a long hash"
        ),
        pytest.param(
            changed(LINE, firmware="1.0.0-anna"), "does not match", id="suffix"
        ),
        pytest.param(
            changed(LINE, firmware="1.0.٣"), "must be JSON|match", id="digits"
        ),
        pytest.param(changed(ZONE, dwell_s=-1), "outside of", id="negative dwell"),
        pytest.param(
            changed(LIVE, lines=[{"in": 1}]), "must hold exactly|only", id="row"
        ),
        pytest.param(b"[]", "one JSON object", id="a list"),
        pytest.param(b"", "must be JSON", id="nothing"),
        pytest.param(b"\xff\xd8\xff\xe0JFIF", "must be JSON", id="a JPEG"),
        pytest.param(b"[" * 900, "must be JSON", id="nested without end"),
        pytest.param(b" " * 1025, "is over 1024", id="too long"),
    ],
)
def test_anything_else_is_refused(payload: bytes, sentence: str) -> None:
    stream = "live" if b'"lines"' in payload else "interval"
    with pytest.raises(UntrustedError, match=sentence):
        decode(stream, payload)


def test_an_unknown_stream_is_refused() -> None:
    with pytest.raises(UntrustedError, match="the stream is none of"):
        decode("snapshot", GOOD)


@given(st.binary(max_size=1100), st.sampled_from(wire.STREAMS))
def test_noise_never_passes_and_never_crashes(noise: bytes, stream: str) -> None:
    with pytest.raises(UntrustedError):
        decode(stream, noise)


def longest(rule: Any) -> object:
    """The value of a rule that takes the most bytes."""
    if isinstance(rule, rules.OrNull):
        return longest(rule.rule)
    if isinstance(rule, rules.Whole):
        return max(rule.least, rule.most, key=lambda each: len(str(each)))
    if isinstance(rule, rules.Word):
        return max(rule.words, key=len)
    if isinstance(rule, rules.Words):
        return rule.words
    if isinstance(rule, rules.Flag):
        return False
    assert isinstance(rule, rules.Text)
    return next(
        each for each in ("ab" * 16, "99.99.999") if re.fullmatch(rule.pattern, each)
    )


def test_health_fits_even_if_everything_is_wrong_at_once() -> None:
    worst = {name: longest(rule) for name, _, rule in fields_of(Health)}
    assert len(encode(Health(**worst))) <= LARGEST_BYTES
