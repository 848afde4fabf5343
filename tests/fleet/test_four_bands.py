"""What a camera of an older doorsill says of age is taken over in two bands."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from messages import ATTRIBUTES, LINE

from doorsill.errors import UntrustedError
from doorsill.uplink.reports import as_of_now
from doorsill.wire import four_bands
from doorsill.wire.codec import decode, encode
from doorsill.wire.guard import EgressGuard
from doorsill_fleet.store.csv import CsvStore
from doorsill_fleet.store.rows import row_of
from doorsill_fleet.store.windows import Kept

TOPIC = "doorsill/shop-1/cam-01/attributes"
PARTS = {"age_young_adult": 11, "age_adult": 21, "age_older": 4}


def told(**changes: Any) -> bytes:
    """``ATTRIBUTES`` as schema 1 spelt it."""
    table: dict[str, Any] = {}
    for name, value in json.loads(encode(ATTRIBUTES)).items():
        table |= PARTS if name == "age_adult" else {name: value}
    table |= {"schema": 1, **changes}
    return json.dumps(table, separators=(",", ":")).encode()


def test_the_three_adult_bands_are_added_up_and_the_rest_is_as_it_was() -> None:
    assert sum(PARTS.values()) == ATTRIBUTES.age_adult
    assert four_bands.read("attributes", told()) == ATTRIBUTES


def test_the_wire_itself_refuses_it_and_says_why() -> None:
    with pytest.raises(UntrustedError, match=r"schema 1, and here it is 2: another do"):
        decode("attributes", told())


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        pytest.param(told(age_older=10**7), "age_older is outside", id="a part"),
        pytest.param(told(age_older=True), "age_older must be a whole", id="a flag"),
        pytest.param(told(age_child=1.5), "whole numbers", id="a fraction"),
        pytest.param(told(people=-1), "people is outside", id="another field"),
        pytest.param(told(note=1), "schema 1", id="an extra key"),
        pytest.param(told().replace(b",", b", "), "schema 1", id="spelt otherwise"),
        pytest.param(told(schema=2), "must hold exactly", id="a schema that lies"),
        pytest.param(told(schema=3), "schema 3", id="a newer one"),
        pytest.param(encode(LINE), "schema 1", id="a line"),
        pytest.param(b"[1]", "one JSON object", id="a list"),
        pytest.param(b"[" * 1024, "JSON of whole numbers", id="deep"),
        pytest.param(told(firmware="0" * 2000), "is over 1024", id="long"),
    ],
)
def test_what_is_no_old_message_is_refused_as_ever(payload: bytes, why: str) -> None:
    with pytest.raises(UntrustedError, match=why):
        four_bands.read("attributes", payload)


def test_other_streams_are_read_as_ever() -> None:
    assert four_bands.read("interval", encode(LINE)) == LINE


@pytest.mark.parametrize("late", [False, True])
def test_what_waited_in_an_outbox_during_an_update_goes_out_as_today(
    late: bool,
) -> None:
    now = ATTRIBUTES.end + (3600.0 if late else 1.0)
    payload = as_of_now("attributes", told(), now)
    assert EgressGuard("shop-1", "cam-01").check("attributes", payload, 0.0)
    assert decode("attributes", payload) == replace(ATTRIBUTES, is_historical=late)


def test_it_becomes_one_row_and_the_same_in_the_new_spelling_is_none(
    tmp_path: Path,
) -> None:
    row = row_of(TOPIC, told(), ATTRIBUTES.end)
    assert row.values["age_adult"] == 36
    store = CsvStore(tmp_path / "visitors.csv")
    assert store.keep([(TOPIC, told())]) == Kept(new=1)
    assert store.keep([(TOPIC, encode(ATTRIBUTES))]) == Kept(repeated=1)
    store.close()
    text = (tmp_path / "visitors.attributes.csv").read_text()
    assert ",36," in text and "young" not in text


def test_a_file_with_older_columns_is_set_aside_and_a_new_one_begun(
    tmp_path: Path,
) -> None:
    looks = tmp_path / "visitors.attributes.csv"
    store = CsvStore(tmp_path / "visitors.csv")
    store.keep([(TOPIC, encode(ATTRIBUTES))])
    store.close()
    new = looks.read_text()
    older = new.replace("age_adult", "age_adults")[:-1] + "\n"
    looks.write_text(older[:1] + older[2:])  # as long as it was, with another header
    store = CsvStore(tmp_path / "visitors.csv")
    later = told(start=ATTRIBUTES.end, end=ATTRIBUTES.end + 10_800)
    assert store.keep([(TOPIC, later), (TOPIC, told())]) == Kept(new=1, repeated=1)
    store.close()
    aside = looks.with_name(looks.name + ".older")
    assert "age_adults" in aside.read_text()
    assert looks.read_text().startswith(new.splitlines()[0] + "\n")
    assert len(looks.read_text().splitlines()) == 2
