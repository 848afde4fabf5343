"""From a cell to the shop's database: real link, real disk, real broker, all of it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from broker import FAST, SITE, Site, until
from limits import PROGRAM_S
from test_store import reader

from doorsill.cells import HealthCell, LineCell, Quality, ZoneCell
from doorsill.errors import UplinkError
from doorsill.link import CellClient, CellServer
from doorsill.privacy.budget import Ledger
from doorsill.privacy.floors import SLOT_S
from doorsill.uplink.codec import decode, encode
from doorsill.uplink.delivery import Delivery
from doorsill.uplink.discovery import describe
from doorsill.uplink.guard import EgressGuard
from doorsill.uplink.intake import Intake
from doorsill.uplink.looks import Desk, Rules, consider
from doorsill.uplink.outbox import Outbox
from doorsill.uplink.publisher import Publisher
from doorsill.uplink.reports import Release
from doorsill.uplink.rows import Bounds
from doorsill.uplink.service import Uplink
from doorsill.uplink.voice import Voice
from doorsill.uplink.wire import Attributes, Health, LineInterval, Live, State
from doorsill_fleet.store import Store
from doorsill_fleet.subscriber import Subscriber

RELEASE = Release("0.1.0", "ab" * 16, "cd" * 16)
RULES = Rules(attributes=True, k=10, daily_micro=2_000_000, lines=1)
MIDNIGHT = 20_000 * 86_400
EPOCH = 0xBEEF


def cell(minute: int, *, closed: bool = True, **changes: Any) -> LineCell:
    """One person in and out in each minute, all minutes closed before."""
    values: dict[str, Any] = {
        "epoch": EPOCH,
        "line": 0,
        "start": MIDNIGHT + 60 * minute,
        "duration_s": 60,
        "closed": closed,
        "count_in": 1,
        "count_out": 1,
        "total_in": minute + 1,
        "total_out": minute + 1,
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
    rules: Rules = RULES
    bounds: Bounds = field(default_factory=Bounds)
    utc: Callable[[], float] = lambda: MIDNIGHT + 120.0
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
        outbox = Outbox(self.folder / "outbox.db", 20_000, self.bounds)
        outbox.exhume()
        discovery = describe(SITE, self.name, "0.1.0", ["door"])
        guard = EgressGuard(SITE, self.name, discovery)
        publisher = Publisher(
            self.site.address(self.name), guard.will(encode(State(state="lost"))), FAST
        )
        socket = self.folder / "cells.sock"
        intake = Intake(
            lambda: CellClient(socket), outbox, self.rules, RELEASE, secrets.randbelow
        )
        self.uplink = Uplink(
            intake,
            Delivery(outbox, publisher, guard),
            Voice(publisher, guard, discovery),
            self.rules.lines,
            self.utc,
        )
        publisher.start()

    def turn(self, done: Callable[[], Any], within_s: float = 30.0) -> Any:
        """Turn the loop until ``done``."""
        deadline = time.monotonic() + within_s
        while not (result := done()):
            assert time.monotonic() < deadline, f"not within {within_s} s"
            self.vision.poll()
            self.uplink.step(0.02)
        return result

    def kill(self) -> None:
        """The uplink goes without a word: nothing is flushed."""
        self.uplink.intake.close()
        self.uplink.delivery.publisher._client.will_clear()
        self.uplink.delivery.publisher.stop()
        self.uplink.delivery.outbox.close()

    def close(self) -> None:
        self.uplink.leave()
        self.subscriber.stop()
        self.store.close()
        self.vision.close()

    def on(self, stream: str) -> list[Any]:
        """What the broker gave out on one stream, decoded."""
        name = f"doorsill/{SITE}/{self.name}/{stream}"
        return [
            decode(stream, payload) for topic, payload in self.heard if topic == name
        ]

    def stored(self) -> list[int]:
        """The minutes in the shop's database."""
        windows = self.store.windows(self.name, 0)
        return [(start - MIDNIGHT) // 60 for start, *_ in windows]


@pytest.fixture
def shop(own_site: Site, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(own_site, tmp_path).open()
    yield shop
    shop.close()


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
    shop.vision.send(
        HealthCell(EPOCH, MIDNIGHT, 750, 700, 12_500, 9_000, 2_000, 80_000, 0)
    )
    shop.vision.send(cell(0, closed=False, count_in=4, total_in=4, total_out=2))
    shop.turn(lambda: shop.on("live"))
    live = shop.on("live")[-1]
    assert isinstance(live, Live)
    assert live.lines == ({"in": 4, "out": 2},)
    assert [each.state for each in shop.on("state")] == ["init", "ready"]
    shop.turn(lambda: shop.on("health"))
    health = shop.on("health")[-1]
    assert isinstance(health, Health)
    assert health.uplink_kib > 10_000


def test_an_older_window_that_comes_again_does_not_turn_live_back(shop: Shop) -> None:
    shop.turn(lambda: shop.uplink.intake.link)
    for minute in range(3):
        shop.vision.send(cell(minute))
    shop.turn(lambda: shop.on("live"))
    shop.uplink.intake._note(cell(0))
    assert shop.uplink.intake.newest["line-0"] == cell(2)
    shop.uplink.intake._note(cell(0, epoch=7))  # vision began anew
    assert shop.uplink.intake.newest["line-0"] == cell(0, epoch=7)


def test_outside_the_opening_hours_the_state_is_sleeping(shop: Shop) -> None:
    shop.vision.send(cell(0, quality=Quality.CLOSED, count_in=0, total_in=0))
    shop.turn(lambda: shop.on("state") and shop.on("state")[-1].state == "sleeping")


def test_leaving_says_disconnected(own_site: Site, tmp_path: Path) -> None:
    shop = Shop(own_site, tmp_path).open()
    shop.vision.send(cell(0))
    shop.turn(lambda: shop.stored() == [0])
    shop.vision.send(cell(1))  # on its way when we are asked to stop
    shop.uplink.leave()
    until(lambda: shop.on("state")[-1].state == "disconnected")
    until(lambda: shop.stored() == [0, 1])
    shop.subscriber.stop()
    shop.store.close()
    shop.vision.close()


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
    shop.vision.send(cell(1, closed=False, count_in=7, total_in=8, coverage_ms=31_000))
    shop.turn(lambda: shop.uplink.delivery.outbox.running())
    shop.kill()
    shop.vision.close()
    shop.vision = CellServer(shop.folder / "cells.sock")
    shop.start()
    shop.vision.send(cell(5, epoch=7, total_in=1, total_out=1))
    shop.turn(lambda: len(shop.stored()) == 3)
    assert shop.store.windows("cam-01", 0)[1] == (MIDNIGHT + 60, 7, 1, "gap")
    assert shop.store.totals("cam-01", 0) == (9, 3)


def test_a_running_window_that_closes_after_all_is_told_once(shop: Shop) -> None:
    shop.turn(lambda: shop.uplink.intake.link)
    shop.vision.send(cell(1, closed=False, count_in=7, total_in=8))
    shop.turn(lambda: shop.uplink.delivery.outbox.running())
    shop.kill()
    shop.start()
    shop.vision.send(cell(1, count_in=9, total_in=10))
    shop.vision.send(cell(2, count_in=0, total_in=10))
    shop.turn(lambda: len(shop.stored()) == 2)
    assert shop.store.totals("cam-01", 0) == (9, 2)
    assert shop.uplink.delivery.outbox.running() == []


def test_a_full_disk_stops_the_reading_and_not_the_counting(shop: Shop) -> None:
    shop.vision.send(cell(0))
    shop.turn(lambda: shop.stored() == [0])
    database = shop.uplink.delivery.outbox._database
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    for minute in range(1, 1500):
        shop.vision.send(cell(minute))
    intake = shop.uplink.intake
    shop.turn(lambda: intake.disk_failures >= 1)
    shop.turn(lambda: intake.wants is None)  # bounded: the rest stays with vision
    assert shop.vision.pending > 0
    shop.turn(lambda: shop.on("live")[-1].lines[0]["in"] > 500)  # who is live goes on
    shop.uplink.voice.greet()
    shop.turn(lambda: shop.on("health")[-1].disk_failures >= 1)
    database.execute("PRAGMA max_page_count = 1000000")
    intake._retry_at = shop.uplink._disk_at = 0.0
    shop.turn(lambda: len(shop.stored()) == 1500, within_s=60)
    assert shop.store.totals("cam-01", 0) == (1500, 1500)


def test_a_broker_that_forgets_our_rights_gets_no_endless_retry(shop: Shop) -> None:
    access = shop.site.broker.folder / "access"
    good = access.read_text()
    access.write_text(good.replace("%u/interval", "%u/nothing"))
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
    for order, minute in enumerate(minutes):
        total = order + 1
        flags = clock if order in (2, 4) else Quality.GOOD
        shop.vision.send(cell(minute, total_in=total, total_out=total, quality=flags))
    shop.turn(lambda: len(shop.stored()) == 6)
    assert shop.store.totals("cam-01", 0) == (6, 6)


def test_a_clock_set_back_into_the_same_minute_loses_no_window(shop: Shop) -> None:
    shop.vision.send(cell(5, total_in=6, total_out=6))
    shop.vision.send(cell(5, total_in=7, total_out=7, quality=Quality.CLOCK))
    shop.turn(lambda: len(shop.stored()) == 2)
    assert shop.store.totals("cam-01", 0) == (2, 2)


def test_a_cell_that_fits_no_message_is_refused_and_counted(shop: Shop) -> None:
    shop.vision.send(cell(0, count_in=2_000_000))
    shop.vision.send(cell(1))
    shop.turn(lambda: shop.stored() == [1])
    assert shop.uplink.intake.refused == 1
    shop.turn(lambda: shop.vision.pending == 0)


def test_a_new_vision_is_not_acknowledged_what_the_old_one_said(shop: Shop) -> None:
    """The disk fails, vision crashes and counts its messages anew, the disk is back."""
    for minute in range(20):
        shop.vision.send(cell(minute))
    intake, store = shop.uplink.intake, Outbox.store
    Outbox.store = _full  # type: ignore[method-assign]
    try:
        shop.turn(lambda: intake.disk_failures)
        shop.vision.close()
        shop.vision = CellServer(shop.folder / "cells.sock")
        for minute in range(30, 35):
            shop.vision.send(cell(minute, epoch=7))
        shop.turn(lambda: intake.link is None)
    finally:
        Outbox.store = store  # type: ignore[method-assign]
    intake._retry_at = 0.0
    shop.turn(lambda: len(shop.stored()) == 25)
    assert shop.store.totals("cam-01", 0) == (25, 25)


def _full(*_: Any) -> list[str]:
    raise UplinkError("database or disk is full")


def test_looks_that_fit_no_message_stop_nothing() -> None:
    absurd = [
        replace(
            each, ages=(0, 0, 3_000_000_000, 0, 0), expressions=(3_000_000_000, 0, 0)
        )
        for each in slots(3)
    ]
    told = consider(Desk(), absurd, RULES, Ledger(0, 0), (RELEASE, secrets.randbelow))
    assert told.reports == ()


def test_how_long_one_person_stayed_is_not_told(shop: Shop) -> None:
    few = ZoneCell(EPOCH, 0, MIDNIGHT, 60, True, 1, 37, 1, 900, 60_000, Quality.GOOD)
    many = replace(few, start=MIDNIGHT + 60, visits=12, dwell_s=400)
    shop.vision.send(few)
    shop.vision.send(many)
    shop.turn(lambda: len(shop.on("interval")) == 2)
    assert [each.dwell_s for each in shop.on("interval")] == [None, 400]


# --- attributes ---------------------------------------------------------------------

LOOKED = {"ages": (1, 2, 8, 1, 1), "expressions": (5, 6, 2), "count_in": 13}


def slots(count: int) -> list[LineCell]:
    """The first minute of each of ``count`` slots; 13 people in each."""
    step = SLOT_S // 60
    return [
        cell(step * slot, total_in=13 * (slot + 1), **LOOKED) for slot in range(count)
    ]


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
    assert shop.uplink.delivery.outbox.ledger() == Ledger(20_000, 100_000)


def test_looks_of_an_open_window_never_touch_a_disk(shop: Shop) -> None:
    """The cell's look counts are numbers that stand nowhere else; search every byte."""
    odd: dict[str, Any] = {
        "ages": (0, 0, 3_141_592_653, 0, 0),
        "expressions": (3_141_592_653, 0, 0),
        "count_in": 48_613,
    }
    shop.turn(lambda: shop.uplink.intake.link)
    shop.vision.send(cell(0, closed=False, total_in=48_613, **odd))
    shop.turn(lambda: shop.uplink.delivery.outbox.running())
    shop.vision.send(cell(0, total_in=48_613, **odd))
    shop.turn(lambda: shop.stored() == [0])
    shop.vision.send(cell(1, closed=False, total_in=97_226, **odd))
    shop.turn(lambda: shop.uplink.delivery.outbox.running())
    files = [path for path in shop.folder.iterdir() if path.name.startswith("outbox")]
    written = b"".join(path.read_bytes() for path in files)
    needles = [
        b"3141592653",
        (3_141_592_653).to_bytes(4, "big"),
        (3_141_592_653).to_bytes(4, "little"),
    ]
    assert b"48613" in written  # negative control: the counts are there
    assert not any(needle in written for needle in needles)


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
    desk, ledger, told = Desk(), Ledger(0, 0), 0
    for _ in range(40):
        for each in slots(8):
            done = consider(
                Desk(),
                [each, _later(each)],
                RULES,
                ledger,
                (RELEASE, secrets.randbelow),
            )
            told += len(done.reports)
            ledger = done.ledger or ledger
    assert told == 40  # of 320 that are asked for
    assert ledger == Ledger(20_000, 2_000_000)
    assert desk == Desk()


def test_a_window_with_a_doubtful_clock_is_in_no_report() -> None:
    doubtful = [replace(each, quality=Quality.CLOCK) for each in slots(5)]
    assert (
        consider(
            Desk(), doubtful, RULES, Ledger(0, 0), (RELEASE, secrets.randbelow)
        ).reports
        == ()
    )


def _later(each: LineCell) -> LineCell:
    return replace(each, start=each.start + SLOT_S, ages=(0,) * 5, expressions=(0,) * 3)


# --- the process --------------------------------------------------------------------


def test_the_process_loads_no_picture_library() -> None:
    code = (
        "import sys, doorsill.uplink.service, json\n"
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
