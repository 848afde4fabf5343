"""A certificate leaves at a moment that is fixed, in the place of the gauges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from messages import CERTIFICATE, STATE

from doorsill.channels.tray import Tray
from doorsill.uplink.courier import LOOK_EVERY_S, Courier
from doorsill.uplink.outbox import Outbox
from doorsill.wire.codec import encode


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.db", lambda: 20_000)
    yield made
    made.close()


def lay_out(path: Path, *counters: int) -> None:
    tray = Tray(path)
    for counter in counters:
        tray.put(counter, encode(replace(CERTIFICATE, counter=counter)))
    tray.close()


def moments(courier: Courier, count: int) -> str:
    """What each moment is for: C a certificate or its rest, g the gauges."""
    return "".join("C" if courier.takes_moment() else "g" for _ in range(count))


def test_a_certificate_takes_two_moments_and_the_gauges_have_the_next(
    tmp_path: Path, outbox: Outbox
) -> None:
    courier = Courier(tmp_path / "tray", outbox)
    assert moments(courier, 2) == "gg"
    lay_out(tmp_path / "tray", 1, 2)
    courier.look(0.0)
    assert moments(courier, 8) == "CCgCCggg"
    assert len(outbox.due(9)) == 2


def test_they_go_in_their_order(tmp_path: Path, outbox: Outbox) -> None:
    lay_out(tmp_path / "tray", 258, 2, 257, 1)  # 257 and 1 have one place
    courier = Courier(tmp_path / "tray", outbox)
    courier.look(0.0)
    moments(courier, 12)
    sent = [each.payload for each in outbox.due(9)]
    wanted = [encode(replace(CERTIFICATE, counter=number)) for number in (1, 2)]
    assert sent == wanted


def test_what_is_no_certificate_is_not_taken(tmp_path: Path, outbox: Outbox) -> None:
    tray = Tray(tmp_path / "tray")
    tray.put(1, encode(STATE))
    tray.put(2, b'{"note":"anna, 34, red coat"}')
    tray.close()
    courier = Courier(tmp_path / "tray", outbox)
    courier.look(0.0)
    assert moments(courier, 3) == "ggg" and outbox.due(9) == []


def test_it_looks_again_and_a_vault_that_is_not_there_is_no_fault(
    tmp_path: Path, outbox: Outbox
) -> None:
    courier = Courier(tmp_path / "tray", outbox)
    courier.look(0.0)
    lay_out(tmp_path / "tray", 1)
    courier.look(1.0)
    assert moments(courier, 1) == "g"
    courier.look(LOOK_EVERY_S)
    assert moments(courier, 1) == "C"
