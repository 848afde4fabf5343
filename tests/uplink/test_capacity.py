"""What a vision that was taken over can get out: computed, stated, and tried."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from math import log2
from pathlib import Path
from typing import Any

import pytest
from broker import SITE, Site, reader
from hostile import WORDS, noise, read, spelt
from kills import Camera
from limits import wait_until
from places import ROOT
from uplinks import RELEASE

from doorsill.cells import MINUTE_S, Quality, ZoneCell
from doorsill.channels.cell_link import CellServer
from doorsill.services.uplink_opening import booted_at
from doorsill.uplink import capacity
from doorsill.uplink.courier import MOMENTS
from doorsill.uplink.pace import Moments, Pace
from doorsill.uplink.pieces import ZoneSums, minute_of
from doorsill.uplink.reports import interval_of
from doorsill.uplink.tally import Minute
from doorsill.wire.certificate import Certificate
from doorsill.wire.codec import decode
from doorsill.wire.gauges import DEGREES_MOST, DEGREES_STEP, coarse, levels, warmth
from doorsill.wire.guard import RATES
from doorsill.wire.messages import LineInterval, ZoneInterval, quality_words
from doorsill.wire.rules import fields_of
from doorsill_fleet.ingest.subscriber import Subscriber
from doorsill_fleet.store.windows import Store

PROMISED_BITS = 50.0  # a place and minute: README, P1
STRONG = 0.6  # an encoder that reaches less of the stated bound says nothing about it


# --- computed and stated ------------------------------------------------------------


@pytest.mark.parametrize("kind", ["line", "zone"])
def test_the_stated_capacity_is_within_the_promise(kind: str) -> None:
    assert 30 < capacity.bits_of(kind, Pace()) <= PROMISED_BITS


def test_security_states_what_the_rules_give() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    assert capacity.table() in text
    quick = round(capacity.bits_of("line", Pace(live_s=2.0)))
    assert f"`live_seconds = 2` it is {quick} bits" in text


def test_the_number_of_windows_is_the_number_of_words_of_the_encoder() -> None:
    assert 2 ** capacity.line_bits() == pytest.approx(WORDS + 1)
    assert spelt(WORDS - 1, 0, 0).count_out == 600


def stays(dwell_s: int, most: int, presence_ms: int) -> tuple[Any, ...]:
    """What is reported of how long people stayed, for all that vision could say."""
    sums = ZoneSums(10, dwell_s, most, presence_ms, 60_000)
    told = interval_of(Minute(0, 0, {"zone-0": sums}, ()), "zone-0", RELEASE, 10)
    assert isinstance(told, ZoneInterval)
    return told.dwell_s, told.occupancy_max, told.occupancy_mean_milli


def test_a_zone_has_as_many_windows_as_are_counted() -> None:
    dwells = {stays(dwell, 5, 0)[0] for dwell in range(36_001)}
    rooms = {
        stays(0, most, quarters * 15_000)[1:]
        for most in range(101)
        for quarters in range(4 * most + 1)
    }
    windows = 10 + 591 * len(dwells) * len(rooms)  # visits below k; from k on
    assert 2 ** capacity.zone_bits() == pytest.approx(windows * 61 * 2**8 + 1)


def test_a_temperature_has_as_many_values_as_are_counted() -> None:
    told = {warmth(celsius) for celsius in (None, *range(-99, 200))}
    assert len(told) == DEGREES_MOST // DEGREES_STEP + 2


@pytest.mark.parametrize("most", [0, 1, 7, 8, 9, 15, 16, 100, 255, 256, 1000, 36_000])
def test_levels_counts_what_coarse_gives(most: int) -> None:
    found = {coarse(value, most) for value in range(most + 1)}
    assert len(found) == levels(most)
    assert all(abs(coarse(each, most) - each) <= each / 8 for each in range(most // 2))


def test_a_moment_comes_once() -> None:
    moments = Moments(60.0, 10.0)
    came = [second for second in range(1000, 1200) if moments.due(float(second))]
    assert came == [1000, 1030, 1090, 1150]


def test_a_certificate_fits_the_moments_that_it_takes() -> None:
    """Beside the gauges it would add bits; in their place it adds almost none."""
    two = MOMENTS * capacity.gauges_bits(Pace()) * Pace().gauges_s / MINUTE_S
    assert 100 < capacity.one_certificate_bits() < two
    assert 0 < capacity.certificate_bits(Pace()) < 0.001


def test_security_states_what_a_certificate_holds() -> None:
    text = " ".join((ROOT / "SECURITY.md").read_text().split())
    most = sum(rule.bits for _, _, rule in fields_of(Certificate))
    assert f"{capacity.one_certificate_bits():.0f} bits of a vision's" in text
    assert f"up to {most:,.0f} bits" in text
    # Two moments for it and one for the gauges: an hour and a half.
    minutes = (MOMENTS + 1) * Pace().gauges_s / MINUTE_S
    assert f"{most / minutes:.0f} bits a minute. It has no way" in text


def test_the_moments_of_certificates_are_counted_right() -> None:
    """All sequences of an hour, counted one by one, grow no faster than is stated."""
    gauges = capacity.gauges_bits(Pace()) * Pace().gauges_s / MINUTE_S
    ways = [1.0, 2.0**gauges]
    for _ in range(14):
        ways.append(
            2.0**gauges * ways[-1] + 2.0 ** capacity.one_certificate_bits() * ways[-2]
        )
    stated = gauges + capacity.certificate_bits(Pace()) * Pace().gauges_s / MINUTE_S
    assert log2(ways[-1]) <= stated * 15 + 0.01


# --- tried --------------------------------------------------------------------------


@pytest.fixture
def camera(own_site: Site, tmp_path: Path) -> Iterator[Camera]:
    """The uplink process as a device starts it: nothing in it is hurried."""
    found = Camera(own_site, tmp_path / "cam", "cam-01", hurried=False)
    yield found
    if found.alive():
        found.kill()


def minutes_of_this_machine(most: int = 200) -> list[int]:
    """The newest whole minutes that a vision of this machine can have seen."""
    now = time.time()
    first = max(booted_at(now), minute_of(now) - MINUTE_S * most)
    found = list(range(first, minute_of(now), MINUTE_S))
    return found or [minute_of(now)]


def test_a_hostile_vision_gets_most_of_the_stated_bits_out_and_never_more(
    camera: Camera, own_site: Site, tmp_path: Path
) -> None:
    """The real process, a real broker, and a message that could be any bytes.

    Beside the windows that are its channel it sends all else that it can think of, and
    nonsense. None of that arrives.
    """
    minutes, dice = minutes_of_this_machine(), random.Random(12)
    wanted = [dice.randrange(WORDS) for _ in minutes]
    heard = Heard(own_site, tmp_path)
    vision = CellServer(camera.folder / "run" / "cells.sock")
    camera.start()
    for minute, word in zip(minutes, wanted, strict=True):
        vision.send(spelt(word, 0, minute))
    noises = [each for minute in minutes[-5:] for each in noise(minute, dice)]
    for each in noises:
        vision.send(each)
    wait_until(lambda: vision.poll() or not vision.pending, within_s=60)
    wait_until(lambda: heard.store.latest("cam-01", "state"), within_s=60)
    assert camera.stop() == 0, camera.words()
    heard.to_the_end()
    vision.close()
    told = heard.on("interval")
    got = [read(each) for each in told if isinstance(each, LineInterval)]
    right = sum(a == b for a, b in zip(got, wanted, strict=False))
    bits = right * log2(WORDS) / len(minutes)
    stated = capacity.bits_of("line", Pace())
    assert STRONG * stated <= bits <= stated <= PROMISED_BITS
    # With all that it tried: one window a minute, of the one line, and nothing else.
    assert len(told) == len(got) == len({each.start for each in told})
    assert len(told) <= len(minutes) + 2
    assert heard.on("attributes") == []
    assert len(heard.on("live")) <= 2  # and at the end


def test_a_hostile_vision_with_a_zone_alone_gets_no_more_either(
    own_site: Site, tmp_path: Path
) -> None:
    """Each number that a zone can tell, chosen at random among those that pass."""
    camera = Camera(own_site, tmp_path / "cam", "cam-01", hurried=False, zones=True)
    minutes, dice = minutes_of_this_machine(), random.Random(13)
    wanted = {minute: any_zone(minute, dice) for minute in minutes}
    heard = Heard(own_site, tmp_path)
    vision = CellServer(camera.folder / "run" / "cells.sock")
    camera.start()
    for cell in wanted.values():
        vision.send(cell)
    wait_until(lambda: vision.poll() or not vision.pending, within_s=60)
    wait_until(lambda: heard.store.latest("cam-01", "state"), within_s=60)
    assert camera.stop() == 0, camera.words()
    heard.to_the_end()
    vision.close()
    told = {each.start: each for each in heard.on("interval")}
    right = sum(
        told[minute].visits == cell.visits
        and told[minute].dwell_s == cell.dwell_s
        and told[minute].occupancy_max == cell.occupancy_max
        and told[minute].occupancy_mean_milli == cell.occupancy_mean_milli
        and told[minute].coverage_s * 1000 == cell.coverage_ms
        and set(told[minute].quality) - {"gap"} == set(quality_words(cell.quality))
        for minute, cell in wanted.items()
    )
    bits = right * capacity.zone_bits() / len(minutes)
    stated = capacity.bits_of("zone", Pace())
    assert STRONG * stated <= bits <= stated <= PROMISED_BITS


def any_zone(minute: int, dice: random.Random) -> ZoneCell:
    """One of those that the rounding leaves as they are."""
    most = coarse(dice.randrange(1, 101), 100)
    quarters = coarse(dice.randrange(4 * most + 1), 400)
    quality = Quality(dice.randrange(1 << 10)) & ~(Quality.GAP | Quality.FAULT)
    dwell_s = coarse(dice.randrange(36_001), 36_000)
    return ZoneCell(
        0, minute, 60, True, dice.randrange(10, 601), dwell_s, most,
        250 * min(quarters, 4 * most), 1000 * dice.randrange(1, 61), quality,
    )  # fmt: skip


def test_negative_control_an_uplink_that_forwards_gives_gigabytes_a_day() -> None:
    """The rule of before: each field that fits the schema, 600 windows a second."""
    chosen = ("line", "start", "end", "in", "out", "total_in", "total_out", "epoch")
    before = {"in": 100_001, "out": 100_001, "coverage_s": 86_401, "quality": 2**8}
    bits = sum(
        log2(before[name]) if name in before else rule.bits
        for _, name, rule in fields_of(LineInterval)
        if name in (*chosen, "coverage_s", "quality")
    )
    a_day = bits * RATES["interval"].per_second * 86_400 / 8
    assert a_day >= 1e9
    now = capacity.bits_of("line", Pace()) * 1440 / 8
    assert now < 10_000  # bytes a day


class Heard:
    """What a reader of the shop gets from the broker, each message once."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.store = Store(folder / "store.db", SITE)
        self._messages: list[tuple[str, bytes]] = []
        self._subscriber = Subscriber(
            reader(site), self.store, lambda *each: self._messages.append(each)
        )
        self._subscriber.start()
        assert self._subscriber.ready.wait(20)

    def to_the_end(self) -> None:
        wait_until(
            lambda: b"disconnected" in (self.store.latest("cam-01", "state") or b"")
        )
        self._subscriber.stop()
        self.store.close()

    def on(self, stream: str) -> list[Any]:
        """QoS 1 may repeat a message."""
        once = dict.fromkeys(
            payload for topic, payload in self._messages if topic.endswith(stream)
        )
        return [decode(stream, payload) for payload in once]
