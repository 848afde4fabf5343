"""From a cell to the shop's database: real link, real disk, real broker, all of it."""

from __future__ import annotations

import json
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from broker import FAST, SITE, Site, reader
from limits import PROGRAM_S, wait_until
from outboxes import keep_connections
from uplinks import AT_ONCE, RELEASE, RULES

from doorsill.cells import HealthCell, LineCell, LooksCell, Quality, ZoneCell
from doorsill.channels.cell_link import CellClient, CellServer
from doorsill.errors import UplinkError
from doorsill.privacy.budget import Ledger
from doorsill.privacy.floors import DAY_S, SLOT_S
from doorsill.services.uplink_loop import Uplink
from doorsill.services.uplink_opening import tally_in
from doorsill.uplink import intake as intake_module
from doorsill.uplink.attributes import AttributeRules, ReportContext, consider
from doorsill.uplink.delivery import Delivery
from doorsill.uplink.intake import Intake
from doorsill.uplink.outbox import Outbox
from doorsill.uplink.pace import Pace
from doorsill.uplink.pieces import Places
from doorsill.uplink.publisher import Publisher
from doorsill.uplink.retained import Voice
from doorsill.uplink.rows import Bounds
from doorsill.uplink.standing import Device
from doorsill.wire.codec import decode, encode
from doorsill.wire.discovery import describe
from doorsill.wire.guard import EgressGuard, RateError
from doorsill.wire.messages import Attributes, Health, LineInterval, State
from doorsill_fleet.ingest.subscriber import Subscriber
from doorsill_fleet.store.windows import Store

MIDNIGHT = 20_000 * 86_400
EPOCH = 0xBEEF


def cell(minute: int, *, closed: bool = True, **changes: Any) -> LineCell:
    """One person in and out in each minute."""
    values: dict[str, Any] = {
        "line": 0,
        "start": MIDNIGHT + 60 * minute,
        "duration_s": 60,
        "closed": closed,
        "count_in": 1,
        "count_out": 1,
        "coverage_ms": 60_000,
        "quality": Quality.GOOD,
    }
    return LineCell(**{**values, **changes})


@dataclass
class Shop:
    """Vision's end of the link, an uplink, a broker and the shop's database."""

    site: Site
    folder: Path
    name: str = "cam-01"
    rules: AttributeRules = RULES
    bounds: Bounds = field(default_factory=Bounds)
    pace: Pace = AT_ONCE
    lived_s: int = DAY_S  # a young outbox spends nothing
    utc: Callable[[], float] = lambda: MIDNIGHT + 3 * 86_400.0
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    def open(self) -> Shop:
        self.vision = CellServer(self.folder / "cells.sock")
        self.store = Store(self.folder / "store.db", SITE)
        self.subscriber = Subscriber(
            reader(self.site), self.store, lambda *each: self.heard.append(each)
        )
        self.subscriber.start()
        assert self.subscriber.ready.wait(20)
        self.start()
        return self

    def start(self) -> None:
        outbox = Outbox(self.folder / "outbox.db", lambda: 19_000, self.bounds)
        outbox.live(self.lived_s)
        outbox.exhume()
        discovery = describe(SITE, self.name, "0.1.0", ["door"])
        guard = EgressGuard(SITE, self.name, discovery)
        publisher = Publisher(
            self.site.address(self.name), guard.will(encode(State(state="lost"))), FAST
        )
        socket = self.folder / "cells.sock"
        intake = Intake(
            lambda: CellClient(socket),
            outbox,
            self.rules,
            RELEASE,
            secrets.randbelow,
            tally_in(outbox, self.rules.places, 0),
        )
        self.uplink = Uplink(
            intake,
            Delivery(outbox, publisher, guard),
            Voice(publisher, guard, discovery),
            self.pace,
            self.utc,
        )
        publisher.start()

    def turn(self, done: Callable[[], Any], within_s: float = 30.0) -> Any:
        """Turn the loop until ``done``."""
        return wait_until(done, within_s=within_s, between=self._step)

    def _step(self) -> None:
        self.vision.poll()
        self.uplink.step(0.02)

    def kill(self) -> None:
        """The uplink goes without a word: nothing is flushed."""
        if self.uplink.intake.link is not None:
            self.uplink.intake.link.close()
        self.uplink.delivery.publisher.connection.client.will_clear()
        self.uplink.delivery.publisher.stop()
        self.uplink.delivery.outbox.close()

    def close(self) -> None:
        """Everybody leaves; what the uplink said is heard out."""
        self.uplink.leave()
        wait_until(self._said_goodbye)
        self.subscriber.stop()
        self.store.close()
        self.vision.close()

    def _said_goodbye(self) -> bool:
        """After it had said something else: the last goodbye is retained."""
        words = [each.state for each in self.on("state")]
        gone = ("disconnected", "lost")
        return any(each not in gone for each in words) and words[-1] in gone

    def on(self, stream: str) -> list[Any]:
        """What the broker gave out on one stream, decoded."""
        name = f"doorsill/{SITE}/{self.name}/{stream}"
        return [
            decode(stream, payload) for topic, payload in self.heard if topic == name
        ]

    def stored(self) -> list[int]:
        """The minutes in the shop's database that are in ``heard`` as well.

        The subscriber stores first: who waits for this may look at both.
        """
        heard = {each.start for each in self.on("interval")}
        starts = [start for start, *_ in self.store.windows(self.name, 0)]
        return [(start - MIDNIGHT) // 60 for start in starts if start in heard]


@pytest.fixture
def shop(own_site: Site, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(own_site, tmp_path).open()
    yield shop
    shop.close()


@pytest.fixture
def tried_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that failed is tried again after two seconds at the latest."""
    monkeypatch.setattr("doorsill.uplink.intake.RETRY_MOST_S", 2.0)
    monkeypatch.setattr("doorsill.services.uplink_loop.DISK_RETRY_S", 2.0)


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    return keep_connections(monkeypatch)


def test_a_window_reaches_the_database_and_is_acknowledged(shop: Shop) -> None:
    for minute in range(50):
        shop.vision.send(cell(minute))
    shop.turn(lambda: len(shop.stored()) == 50)
    assert shop.stored() == list(range(50))
    assert shop.store.totals("cam-01", 0) == (50, 50)
    shop.turn(lambda: shop.vision.pending == 0)
    shop.turn(lambda: shop.uplink.delivery.outbox.waiting() == 0)
    (first, *_) = shop.on("interval")
    assert isinstance(first, LineInterval)
    assert (first.start, first.end) == (MIDNIGHT, MIDNIGHT + 60)
    assert (first.firmware, first.model, first.policy) == (
        "0.1.0",
        "ab" * 16,
        "cd" * 16,
    )


def test_state_live_health_and_description_are_told(shop: Shop) -> None:
    shop.turn(lambda: shop.on("state"))
    assert shop.on("state")[0].state == "init"
    shop.vision.send(HealthCell(MIDNIGHT, 750, 700, 12_480, 9_000, 2_000, 80_000, 0))
    shop.vision.send(cell(0, count_in=4, count_out=2))
    shop.turn(lambda: shop.on("live"))
    assert shop.on("live")[-1].lines == ({"in": 4, "out": 2},)
    assert shop.on("live")[-1].quality == ()
    shop.turn(lambda: [each.state for each in shop.on("state")] == ["init", "ready"])
    shop.turn(lambda: shop.on("health") and shop.on("health")[-1].frames)
    health = shop.on("health")[-1]
    assert isinstance(health, Health)
    assert health.uplink_kib > 10_000
    assert (health.frames, health.frame_rate_milli) == (768, 12_500)  # rounded
    assert health.vision_kib == 81_920


def test_heat_that_vision_could_make_is_told_once_in_half_an_hour(
    own_site: Site, tmp_path: Path
) -> None:
    now, began = [0.0], MIDNIGHT + 86_400.0
    pace = replace(AT_ONCE, gauges_s=1800.0)
    shop = Shop(own_site, tmp_path, pace=pace, utc=lambda: began + now[0]).open()
    uplink = shop.uplink
    for utc, word, celsius, told in (
        (0.0, "good", 48, ("good", 50)),
        (60.0, "throttled", 84, ("good", 50)),
        (1_799.0, "good", 71, ("good", 50)),
        (1_800.0, "throttled", 84, ("throttled", 80)),
    ):
        now[0], seen = utc, Device(power=word, temperature_c=celsius)
        uplink.lookout = lambda now, seen=seen: seen
        uplink.step(0.0)
        device = uplink.facts(time.monotonic()).device
        assert (device.power, device.temperature_c) == told
        exact = uplink.exact_facts(time.monotonic()).device
        assert exact == seen  # for who asks on the device
    shop.turn(lambda: shop.on("state"))
    shop.close()


def test_cameras_that_earlier_visions_lost_are_counted(shop: Shop) -> None:
    """A vision ends with its camera, so by itself each knows of one at most."""
    for lost, expected in ((0, 0), (1, 1), (0, 1), (1, 2), (3, 5)):
        if expected != lost or lost:
            shop.vision.close()
            shop.vision = CellServer(shop.folder / "cells.sock")
        told = HealthCell(MIDNIGHT, 750, 700, 12_480, 9_000, 2_000, 80_000, lost)
        shop.vision.send(told)
        shop.turn(lambda: shop.vision.pending == 0)
        health = shop.uplink.intake.health
        assert health is not None and health.camera_restarts == expected


@pytest.mark.parametrize(
    ("live_s", "told"),
    [
        pytest.param(1.0, 4, id="closed minutes, as they are reported anyway"),
        pytest.param(0.2, 7, id="the open one too, where the policy asks for it"),
    ],
)
def test_live_tells_closed_minutes_and_the_open_one_only_if_asked(
    own_site: Site, tmp_path: Path, live_s: float, told: int
) -> None:
    pace = replace(AT_ONCE, live_s=live_s, minute_s=1.0)
    utc = lambda: MIDNIGHT + 86_400.0 + time.monotonic()  # noqa: E731
    shop = Shop(own_site, tmp_path, pace=pace, utc=utc).open()
    shop.turn(lambda: shop.uplink.intake.link)
    shop.vision.send(cell(0, count_in=4))
    shop.vision.send(cell(1, closed=False, count_in=3, duration_s=4, coverage_ms=0))
    shop.turn(lambda: shop.uplink.intake.tally.running)
    deadline = time.monotonic() + 2.5
    shop.turn(lambda: time.monotonic() > deadline)
    assert shop.on("live")[-1].lines == ({"in": told, "out": 1 + (told == 7)},)
    shop.close()


def test_outside_the_opening_hours_the_state_is_sleeping(shop: Shop) -> None:
    shop.vision.send(cell(0, quality=Quality.CLOSED, count_in=0))
    shop.turn(lambda: shop.on("state") and shop.on("state")[-1].state == "sleeping")


def test_leaving_says_disconnected(own_site: Site, tmp_path: Path) -> None:
    shop = Shop(own_site, tmp_path).open()
    shop.vision.send(cell(0))
    shop.turn(lambda: shop.stored() == [0])
    shop.vision.send(cell(1))  # on its way when we are asked to stop
    shop.close()
    assert shop.on("state")[-1].state == "disconnected"
    assert [each.start for each in shop.on("interval")] == [MIDNIGHT, MIDNIGHT + 60]


def test_an_outage_is_bridged_in_order_and_told_as_history(shop: Shop) -> None:
    shop.vision.send(cell(0))
    shop.turn(lambda: shop.stored() == [0])
    shop.site.broker.stop()
    for minute in range(1, 200):
        shop.vision.send(cell(minute))
    shop.turn(lambda: shop.vision.pending == 0)
    shop.uplink.utc = lambda: MIDNIGHT + 200 * 60 + 30.0
    shop.site.broker.start()
    shop.turn(lambda: len(shop.stored()) == 200)
    intervals = [each for each in shop.on("interval") if each.start > MIDNIGHT]
    seen = list(dict.fromkeys(each.start for each in intervals))
    assert seen == sorted(seen)
    for each in intervals:
        late = shop.uplink.utc() - each.end > 300
        assert each.is_historical == late


def test_an_uplink_that_dies_between_disk_and_broker_loses_nothing(shop: Shop) -> None:
    shop.site.broker.stop()
    for minute in range(20):
        shop.vision.send(cell(minute))
    shop.turn(lambda: shop.vision.pending == 0)
    shop.kill()
    for minute in range(20, 30):
        shop.vision.send(cell(minute))
    shop.site.broker.start()
    shop.start()
    shop.turn(lambda: len(shop.stored()) == 30)
    assert shop.store.totals("cam-01", 0) == (30, 30)


def test_an_uplink_that_dies_before_it_acknowledges_counts_nothing_twice(
    shop: Shop,
) -> None:
    for minute in range(10):
        shop.vision.send(cell(minute))
    acknowledge = CellClient.acknowledge
    CellClient.acknowledge = lambda *_: None  # type: ignore[method-assign]
    try:
        shop.turn(lambda: len(shop.stored()) == 10)
        shop.turn(lambda: shop.uplink.delivery.outbox.waiting() == 0)
        shop.kill()
    finally:
        CellClient.acknowledge = acknowledge  # type: ignore[method-assign]
    assert shop.vision.pending == 10
    shop.start()
    shop.vision.send(cell(10))
    shop.turn(lambda: len(shop.stored()) == 11)
    assert shop.store.totals("cam-01", 0) == (11, 11)
    assert [each.start for each in shop.on("interval")].count(MIDNIGHT) == 1


def test_the_totals_of_a_running_window_survive_a_power_cut(shop: Shop) -> None:
    """Vision and uplink go at once; what had been counted is told, with its gap."""
    shop.vision.send(cell(0))
    shop.turn(lambda: shop.stored() == [0])
    shop.vision.send(cell(1, closed=False, count_in=7, coverage_ms=31_000))
    shop.turn(lambda: shop.uplink.intake.tally.running)
    shop.kill()
    shop.vision.close()
    shop.vision = CellServer(shop.folder / "cells.sock")
    shop.start()
    shop.vision.send(cell(5))
    shop.turn(lambda: len(shop.stored()) == 3)
    assert shop.store.windows("cam-01", 0)[1] == (MIDNIGHT + 60, 7, 1, "gap")
    assert shop.store.totals("cam-01", 0) == (9, 3)


def test_a_running_window_that_closes_after_all_is_told_once(shop: Shop) -> None:
    shop.turn(lambda: shop.uplink.intake.link)
    shop.vision.send(cell(1, closed=False, count_in=7))
    shop.turn(lambda: shop.uplink.intake.tally.running)
    shop.kill()
    shop.start()
    shop.vision.send(cell(1, count_in=9))
    shop.vision.send(cell(2, count_in=0))
    shop.turn(lambda: len(shop.stored()) == 2)
    assert shop.store.totals("cam-01", 0) == (9, 2)
    assert shop.uplink.intake.tally.running == {}


def test_a_vision_that_starts_again_within_a_minute_loses_nobody(shop: Shop) -> None:
    """Two pieces, one window: at most a minute, and the time between is a gap."""
    first = cell(0, duration_s=24, count_in=7, coverage_ms=24_000, quality=Quality.GAP)
    shop.vision.send(first)
    shop.turn(lambda: shop.vision.pending == 0)
    shop.vision.close()
    shop.vision = CellServer(shop.folder / "cells.sock")
    again = replace(first, start=MIDNIGHT + 29, duration_s=31, coverage_ms=31_000)
    shop.vision.send(again)
    shop.turn(lambda: shop.stored() == [0])
    (told,) = shop.on("interval")
    assert (told.count_in, told.total_in, told.coverage_s) == (14, 14, 55)
    assert (told.start, told.end, told.quality) == (MIDNIGHT, MIDNIGHT + 60, ("gap",))


def test_totals_and_epoch_survive_a_restart_and_the_last_live_is_not_the_lower_one(
    own_site: Site, tmp_path: Path
) -> None:
    """Home Assistant adds up what ``live`` gains; a total that falls loses people."""
    totals, epochs = [], set()
    for turn in range(3):
        shop = Shop(own_site, tmp_path).open()
        shop.turn(lambda: shop.uplink.connections)  # noqa: B023
        shop.vision.send(cell(10 * turn, count_in=5))
        last = cell(10 * turn + 1, count_in=2, duration_s=30, coverage_ms=30_000)
        shop.vision.send(last)  # vision was asked to stop in the middle of a minute
        shop.turn(lambda: shop.vision.pending == 0)  # noqa: B023
        shop.close()
        interval, live = shop.on("interval")[-1], shop.on("live")[-1]
        assert live.lines[0]["in"] == interval.total_in == 7 * (turn + 1)
        totals += [each.lines[0]["in"] for each in shop.on("live")]
        epochs |= {each.epoch for each in shop.on("live")}
    assert totals == sorted(totals)
    assert len(epochs) == 1


def test_an_uplink_that_stops_alone_leaves_the_open_minute_to_vision(
    shop: Shop,
) -> None:
    shop.turn(lambda: shop.uplink.intake.link)
    shop.vision.send(cell(0, closed=False, count_in=3))
    shop.turn(lambda: shop.uplink.intake.tally.running)
    shop.uplink.leave()
    shop.start()
    shop.vision.send(cell(0, count_in=4))
    shop.turn(lambda: shop.stored() == [0])
    assert shop.store.totals("cam-01", 0) == (4, 1)


def test_what_waits_goes_out_at_one_moment_of_the_minute(
    own_site: Site, tmp_path: Path
) -> None:
    """When a window goes out is not vision's to choose."""
    clock = [MIDNIGHT + 5.0]
    shop = Shop(own_site, tmp_path, pace=Pace(), utc=lambda: clock[0]).open()
    shop.turn(lambda: shop.on("state"))
    clock[0] = MIDNIGHT + 61.0
    for _ in range(3):
        shop.uplink.step(0.02)  # the moment of the minute before passes
    shop.vision.send(cell(0))
    shop.turn(lambda: shop.vision.pending == 0)
    deadline = time.monotonic() + 1.0
    shop.turn(lambda: time.monotonic() > deadline)
    assert (shop.on("interval"), shop.on("live")) == ([], [])
    clock[0] = MIDNIGHT + 70.0
    shop.turn(lambda: shop.stored() == [0])
    shop.turn(lambda: shop.on("live"))
    assert shop.on("live")[-1].lines == ({"in": 1, "out": 1},)
    shop.close()


def test_minutes_without_a_vision_are_told_as_gaps(
    own_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "SILENT_S", 0.0)
    clock = [MIDNIGHT + 5.0]
    shop = Shop(own_site, tmp_path, utc=lambda: clock[0]).open()
    shop.turn(lambda: shop.on("state"))
    for minute in range(1, 6):
        clock[0] = MIDNIGHT + 60.0 * minute + 5
        shop.turn(lambda: len(shop.stored()) == max(0, minute - 2))  # noqa: B023
    assert shop.store.windows("cam-01", 0) == [
        (MIDNIGHT + 60 * each, 0, 0, "gap") for each in (1, 2, 3)
    ]
    shop.close()


def test_vision_does_not_fill_memory_or_log_with_cells_that_are_none(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5000):
        shop.vision.send(cell(0, line=1 + number % 60_000, count_in=number))
    shop.vision.send(cell(0))
    shop.turn(lambda: shop.stored() == [0])
    assert shop.uplink.intake.refused == 5000
    assert set(shop.uplink.intake.newest) == {"line-0"}
    assert set(shop.uplink.intake.tally.settled) <= {"line-0"}
    assert caplog.text.count("is refused") == 1
    assert "4999" not in caplog.text  # nor is a number of vision's in it


def test_a_full_disk_stops_the_reading_and_not_the_counting(
    connections: list[sqlite3.Connection], tried_soon: None, shop: Shop
) -> None:
    shop.vision.send(cell(0))
    shop.turn(lambda: shop.stored() == [0])
    (database,) = connections
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    for minute in range(1, 1500):
        shop.vision.send(cell(minute))
    intake = shop.uplink.intake
    shop.turn(lambda: intake.disk_failures >= 1)
    shop.turn(lambda: intake.wants is None)  # bounded: the rest stays with vision
    assert shop.vision.pending > 0
    shop.uplink.voice.greet()
    shop.turn(lambda: shop.on("health")[-1].disk_failures >= 1)
    database.execute("PRAGMA max_page_count = 1000000")
    shop.turn(lambda: len(shop.stored()) == 1500, within_s=60)
    assert shop.store.totals("cam-01", 0) == (1500, 1500)


def test_a_broker_that_forgets_our_rights_gets_no_endless_retry(shop: Shop) -> None:
    access = shop.site.broker.folder / "access"
    good = access.read_text()
    access.write_text(good.replace("/interval", "/nothing"))
    shop.site.broker.restart()
    shop.turn(lambda: shop.uplink.connections == 2 or shop.uplink.connections == 1)
    for minute in range(5):
        shop.vision.send(cell(minute))
    outbox = shop.uplink.delivery.outbox
    shop.turn(lambda: outbox.counters().dead_letters == 5)
    assert outbox.waiting() == 0
    access.write_text(good)
    shop.site.broker.restart()
    shop.kill()
    shop.start()  # a technician has mended it: nothing was thrown away
    shop.turn(lambda: shop.stored() == list(range(5)))


def test_a_clock_that_jumps_a_day_and_back_loses_no_window(shop: Shop) -> None:
    clock = Quality.CLOCK
    day = 24 * 60
    minutes = [0, 1, 2 + day, 3 + day, 2, 3]
    now = [MIDNIGHT + 61.0]
    shop.uplink.utc = lambda: now[0]
    for order, minute in enumerate(minutes):
        flags = clock if order in (2, 4) else Quality.GOOD
        now[0] = MIDNIGHT + 60.0 * minute + 1
        shop.uplink.step(0.02)  # sees that the clock was set
        now[0] += 60
        shop.vision.send(cell(minute, quality=flags))
        shop.turn(lambda: shop.vision.pending == 0)
    shop.turn(lambda: len(shop.stored()) == 6)
    assert shop.store.totals("cam-01", 0) == (6, 6)
    epochs = [each.epoch for each in sorted(shop.on("interval"), key=_order)]
    assert len(set(epochs)) == 2  # so that a minute which comes twice is recognised


def _order(told: LineInterval) -> int:
    return told.total_in


def test_a_clock_set_back_into_the_same_minute_loses_nobody(shop: Shop) -> None:
    shop.vision.send(cell(5))
    shop.vision.send(cell(5, quality=Quality.CLOCK))
    shop.vision.send(cell(6))
    shop.turn(lambda: len(shop.stored()) == 2)
    assert shop.store.totals("cam-01", 0) == (3, 3)
    assert shop.store.windows("cam-01", 0)[1] == (MIDNIGHT + 360, 2, 2, "clock")


def test_a_cell_that_fits_no_message_is_refused_and_counted(shop: Shop) -> None:
    shop.vision.send(cell(0, count_in=2_000_000))
    shop.vision.send(cell(1))
    shop.turn(lambda: shop.stored() == [1])
    assert shop.uplink.intake.refused == 1
    shop.turn(lambda: shop.vision.pending == 0)


def test_a_new_vision_is_not_acknowledged_what_the_old_one_said(
    tried_soon: None, shop: Shop
) -> None:
    """The disk fails, vision crashes and counts from 1 again, the disk is back."""
    for minute in range(20):
        shop.vision.send(cell(minute))
    intake, store = shop.uplink.intake, Outbox.store
    Outbox.store = _full  # type: ignore[method-assign]
    try:
        shop.turn(lambda: intake.disk_failures)
        shop.vision.close()
        shop.vision = CellServer(shop.folder / "cells.sock")
        for minute in range(30, 35):
            shop.vision.send(cell(minute))
        shop.turn(lambda: intake.link is None)
    finally:
        Outbox.store = store  # type: ignore[method-assign]
    shop.turn(lambda: len(shop.stored()) == 25)
    assert shop.store.totals("cam-01", 0) == (25, 25)


def _full(*_: Any) -> list[str]:
    raise UplinkError("database or disk is full")


@pytest.fixture
def zone_shop(own_site: Site, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(own_site, tmp_path, rules=replace(RULES, places=Places(0, 1))).open()
    yield shop
    shop.close()


def test_how_long_one_person_stayed_is_not_told(zone_shop: Shop) -> None:
    few = ZoneCell(0, MIDNIGHT, 60, True, 1, 37, 1, 616, 60_000, Quality.GOOD)
    many = replace(few, start=MIDNIGHT + 60, visits=12, dwell_s=400, occupancy_max=9)
    zone_shop.vision.send(few)
    zone_shop.vision.send(many)
    zone_shop.turn(lambda: len(zone_shop.on("interval")) == 2)
    first, second = zone_shop.on("interval")
    assert (first.visits, second.visits) == (1, 12)
    assert (first.dwell_s, first.occupancy_max, first.occupancy_mean_milli) == (
        (None,) * 3
    )
    assert (second.dwell_s, second.occupancy_max, second.occupancy_mean_milli) == (
        384,
        10,
        500,
    )


# --- attributes ---------------------------------------------------------------------


def slots(count: int) -> list[LineCell | LooksCell]:
    """13 people in the first minute of each slot, and the sum of their looks after."""
    cells: list[LineCell | LooksCell] = []
    for slot in range(count):
        start = MIDNIGHT + SLOT_S * slot
        cells.append(replace(cell(0, count_in=13), start=start))
        if slot:
            cells.append(looks(start - SLOT_S))
    return cells


def looks(start: int, **changes: Any) -> LooksCell:
    found = LooksCell(0, start, start + SLOT_S, (1, 11, 1), (5, 6, 2))
    return replace(found, **changes)


def test_attributes_go_out_with_noise_and_their_cost_is_on_disk(shop: Shop) -> None:
    for each in slots(3):
        shop.vision.send(each)
    shop.turn(lambda: len(shop.on("attributes")) == 2)
    for report in shop.on("attributes"):
        assert isinstance(report, Attributes)
        assert (report.people, report.k, report.epsilon_micro) == (13, 10, 50_000)
    assert shop.uplink.delivery.outbox.ledger() == Ledger(20_000, 100_000)
    shop.kill()
    shop.start()
    shop.turn(lambda: shop.uplink.connections)
    assert shop.uplink.delivery.outbox.ledger() == Ledger(20_000, 100_000)


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(looks(MIDNIGHT, ages=(0, 9, 0), expressions=(9, 0, 0)),
                     id="of fewer than k"),
        pytest.param(looks(MIDNIGHT, ages=(0, 14, 0), expressions=(14, 0, 0)),
                     id="of more than came in"),
        pytest.param(looks(MIDNIGHT, ages=(3_000_000_000, 0, 0)),
                     id="not of the same people"),
        pytest.param(looks(MIDNIGHT, line=7), id="of no line of ours"),
        pytest.param(looks(MIDNIGHT, end=MIDNIGHT + 60), id="of a minute"),
        pytest.param(looks(MIDNIGHT + SLOT_S), id="of a time that is not over"),
        pytest.param(looks(MIDNIGHT - SLOT_S), id="of a time when nobody came"),
    ],
)  # fmt: skip
def test_looks_that_cannot_be_are_refused_and_stop_nothing(
    shop: Shop, odd: LooksCell
) -> None:
    first, second, good = slots(2)
    for each in (first, second, odd, good):
        shop.vision.send(each)
    shop.turn(lambda: shop.on("attributes"))
    assert shop.uplink.intake.refused == 1
    shop.turn(lambda: shop.vision.pending == 0)


def test_looks_of_one_span_are_told_once(shop: Shop) -> None:
    for each in (*slots(2), looks(MIDNIGHT)):
        shop.vision.send(each)
    shop.turn(lambda: shop.vision.pending == 0)
    shop.turn(lambda: shop.on("attributes"))
    assert shop.uplink.intake.refused == 1
    assert shop.uplink.delivery.outbox.ledger() == Ledger(20_000, 50_000)


def test_a_report_counts_who_interval_counts_whatever_the_clock_did(
    shop: Shop,
) -> None:
    """A window with a doubtful clock is in both: the difference of them is nobody."""
    shop.vision.send(cell(0, count_in=12))
    shop.vision.send(cell(1, count_in=1, quality=Quality.CLOCK))
    shop.vision.send(cell(2, count_in=3))
    shop.vision.send(replace(cell(0, count_in=0), start=MIDNIGHT + SLOT_S))
    shop.vision.send(looks(MIDNIGHT))
    shop.turn(lambda: shop.on("attributes"))
    (report,) = shop.on("attributes")
    public = sum(
        each.count_in
        for each in shop.on("interval")
        if report.start <= each.start < report.end
    )
    assert report.people == public == 16


def test_looks_never_touch_a_disk_without_noise(own_site: Site, tmp_path: Path) -> None:
    """The cell's look counts are numbers that stand nowhere else; search every byte.

    The policy allows no attributes, so that no noisy number can be the same by chance.
    """
    shop = Shop(own_site, tmp_path, rules=replace(RULES, attributes=False)).open()
    for minute in range(6):
        shop.vision.send(cell(minute, count_in=599, count_out=0))
    shop.vision.send(replace(cell(0), start=MIDNIGHT + SLOT_S))
    shop.vision.send(looks(MIDNIGHT, ages=(0, 3_141, 0), expressions=(3_141, 0, 0)))
    shop.turn(lambda: len(shop.stored()) == 7 and not shop.vision.pending)
    assert shop.uplink.intake.refused == 0
    files = [path for path in shop.folder.iterdir() if path.name.startswith("outbox")]
    written = b"".join(path.read_bytes() for path in files)
    shop.close()
    assert b"3594" in written  # negative control: the counts are there
    assert b"3141" not in written


def test_without_a_notice_in_the_policy_no_attribute_leaves(
    own_site: Site, tmp_path: Path
) -> None:
    shop = Shop(own_site, tmp_path, rules=replace(RULES, attributes=False)).open()
    for each in slots(3):
        shop.vision.send(each)
    shop.turn(lambda: len(shop.stored()) == 3)
    shop.close()
    assert shop.on("attributes") == []


def test_a_day_never_costs_more_than_its_budget() -> None:
    """Clock tricks included: the same day again and again, and refused."""
    ledger, told = Ledger(0, 0), 0
    context = ReportContext(RELEASE, secrets.randbelow)
    for _ in range(40):
        for slot in range(8):
            span = looks(MIDNIGHT + SLOT_S * slot)
            done = consider(span, 13, RULES, ledger, context)
            told += done.report is not None
            ledger = done.ledger
    assert told == 40  # of 320 that are asked for
    assert ledger == Ledger(20_000, 2_000_000)


# --- the process --------------------------------------------------------------------


def test_the_process_loads_no_picture_library() -> None:
    code = (
        "import sys, doorsill.services.uplink, json\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=PROGRAM_S,
    )
    loaded = set(json.loads(done.stdout))
    assert "paho" in loaded
    assert not loaded & {"numpy", "av", "ai_edge_litert", "PIL", "cv2", "rich"}


def test_the_disk_holds_no_more_than_its_bounds(own_site: Site, tmp_path: Path) -> None:
    shop = Shop(own_site, tmp_path, bounds=Bounds(rows=10)).open()
    shop.site.broker.stop()
    for minute in range(30):
        shop.vision.send(cell(minute))
        shop.turn(lambda: shop.vision.pending == 0)
    assert shop.uplink.delivery.outbox.counters().dropped == 20
    shop.site.broker.start()
    shop.turn(lambda: shop.on("health") and shop.on("health")[-1].dropped == 20)
    shop.turn(lambda: len(shop.stored()) == 10)
    assert shop.stored() == list(range(20, 30))
    shop.close()


def test_a_farewell_that_the_rate_refuses_leaves_the_last_will(
    own_site: Site, tmp_path: Path
) -> None:
    shop = Shop(own_site, tmp_path).open()
    shop.vision.send(cell(0))
    shop.turn(lambda: shop.on("state") and shop.on("state")[-1].state == "ready")
    ready = encode(State(state="ready"))
    with pytest.raises(RateError, match="state: more than 20 messages"):
        while True:
            shop.uplink.voice.guard.check("state", ready, time.monotonic() + 3600)
    shop.close()
    assert shop.on("state")[-1].state == "lost"  # and not "ready" for ever
