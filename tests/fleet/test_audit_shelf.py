"""Certificates are on disk before the broker hears that we have them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from messages import CERTIFICATE, STATE

from doorsill.errors import UplinkError
from doorsill.wire.codec import encode
from doorsill_fleet.audit.shelf import SAME_NUMBER_MOST, Shelf

TOPIC = "doorsill/shop-1/cam-01/certificate"


def test_each_is_kept_once(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "home")
    shelf.keep([(TOPIC, encode(CERTIFICATE))] * 2)
    shelf.keep([(TOPIC, encode(replace(CERTIFICATE, counter=8)))])
    assert [each.counter for each in shelf.of("shop-1", "cam-01")] == [7, 8]
    assert shelf.of("shop-1", "cam-02") == []


def test_several_folders_are_read_as_one_and_a_copy_is_no_second(
    tmp_path: Path,
) -> None:
    first, second = Shelf(tmp_path / "a"), Shelf(tmp_path / "b")
    both = Shelf(tmp_path / "a", (tmp_path / "b",))
    assert both.of("shop-1", "cam-01") == []  # neither is there yet
    second.keep([(TOPIC, encode(replace(CERTIFICATE, counter=8)))])
    for each in (first, second):
        each.keep([(TOPIC, encode(CERTIFICATE))])
    assert [each.counter for each in both.of("shop-1", "cam-01")] == [7, 8]
    assert str(both) == f"{tmp_path}/a or {tmp_path}/b"


def test_another_of_the_same_number_lies_beside_it_up_to_a_bound(
    tmp_path: Path,
) -> None:
    shelf = Shelf(tmp_path)
    for number in range(SAME_NUMBER_MOST + 3):
        shelf.keep([(TOPIC, encode(replace(CERTIFICATE, swap_bytes=number)))])
    assert len(shelf.of("shop-1", "cam-01")) == SAME_NUMBER_MOST


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("doorsill/../cam-01/certificate", encode(CERTIFICATE)),
        ("doorsill/shop-1/CAM/certificate", encode(CERTIFICATE)),
        ("doorsill/shop-1/cam-01/state", encode(STATE)),
        (TOPIC, b"{}"),
        (TOPIC, encode(CERTIFICATE) + b" "),
        (TOPIC, encode(replace(CERTIFICATE, counter=20_001))),
    ],
    ids=["a folder above", "no device", "state", "nothing", "a blank", "too high"],
)
def test_nothing_else_is_kept(tmp_path: Path, topic: str, payload: bytes) -> None:
    Shelf(tmp_path / "home").keep([(topic, payload)])
    assert not (tmp_path / "home").exists()


def test_a_disk_that_takes_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    with pytest.raises(UplinkError, match="cannot be kept"):
        Shelf(tmp_path / "home").keep([(TOPIC, encode(CERTIFICATE))])
