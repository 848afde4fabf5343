"""A certificate goes home as numbers, hashes, ids, and words of a list."""

from __future__ import annotations

import json

import pytest
from messages import CERTIFICATE

from doorsill.certificates import claims
from doorsill.consent.reasons import Reason
from doorsill.errors import UntrustedError
from doorsill.wire import certificate as wire
from doorsill.wire.codec import decode, encode
from doorsill.wire.rules import OrNull, Rows, Text, Whole, fields_of


def test_the_words_are_those_of_the_certificates() -> None:
    """The room below does not know the room above; so a test compares them."""
    assert set(wire.REASONS) == set(claims.REASONS) == {*Reason, claims.DIED}
    assert wire.MEDIA == claims.MEDIA and wire.METHODS == claims.METHODS
    assert wire.LARGEST_MEDIUM == claims.LARGEST_MEDIUM


def test_the_longest_message_fits_four_kibibytes() -> None:
    table = {}
    for attribute, _, rule in fields_of(wire.Certificate):
        value = getattr(CERTIFICATE, attribute)
        inner = rule.rule if isinstance(rule, OrNull) else rule
        if isinstance(inner, Whole):
            value = inner.most
        if isinstance(inner, Rows):
            value = ({name: each.most for name, each in inner.columns},) * inner.most
        if attribute == "read_back":
            value = "ff" * 32
        table[attribute] = value
    longest = encode(wire.Certificate(**{**table, "methods": wire.METHODS}))
    assert len(encode(CERTIFICATE)) < len(longest) <= wire.LARGEST_BYTES == 4096


def test_every_text_has_one_length() -> None:
    """Hashes and ids: no field is as long as somebody likes."""
    for _, name, rule in fields_of(wire.Certificate):
        inner = rule.rule if isinstance(rule, OrNull) else rule
        if isinstance(inner, Text) and name != "release":
            assert "," not in inner.pattern and inner.bits <= 256, name


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"reason": "because Anna said so"}, id="a reason of its own"),
        pytest.param({"medium_named": "vault.img"}, id="the name of a medium"),
        pytest.param({"lease_purpose": "validation"}, id="the name of a purpose"),
        pytest.param({"core_dumps": "to |/bin/sh"}, id="a path"),
        pytest.param({"disks": [{"kind": 99, "number": 0, "sectors": 1}]}, id="a disk"),
        pytest.param({"disks": [{"name": "anna"}]}, id="a disk with a name"),
        pytest.param({"note": "x"}, id="one more field"),
        pytest.param({"lease_sealed": 10_001}, id="more crops than any policy allows"),
    ],
)
def test_a_word_of_its_own_is_refused(change: dict[str, object]) -> None:
    table = {**json.loads(encode(CERTIFICATE)), **change}
    with pytest.raises(UntrustedError):
        decode("certificate", json.dumps(table, separators=(",", ":")).encode())
