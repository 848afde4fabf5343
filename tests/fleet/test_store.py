"""A window is kept once, also what comes twice, and what is not ours is not kept."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from broker import FAST, SITE, Site, device, publish, reader
from limits import END_S, wait_until
from messages import ATTRIBUTES, EVERY, HEALTH, LINE, LIVE, ZONE, line
from paho.mqtt import client as mqtt
from sqlalchemy import text

from doorsill.errors import ConfigError, UplinkError
from doorsill.wire.codec import encode
from doorsill.wire.messages import Message, stream_of, topic
from doorsill_fleet.ingest.reading_client import ReadingClient
from doorsill_fleet.ingest.subscriber import BATCH, IN_FLIGHT, Subscriber
from doorsill_fleet.store.windows import Kept, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store.db", SITE)
    yield store
    store.close()


def rows(store: Store, query: str) -> list[Any]:
    with store.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def tell(store: Store, pragma: str) -> None:
    """A setting of the one connection that the store has open."""
    with store.engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA {pragma}")


def sent(message: Message, name: str = "cam-01") -> tuple[str, bytes]:
    return topic(SITE, name, stream_of(message)), encode(message)


@pytest.mark.parametrize("message", EVERY, ids=lambda each: type(each).__name__)
def test_every_message_is_kept(store: Store, message: Message) -> None:
    assert store.keep([sent(message)]) == Kept(new=1)


@pytest.mark.parametrize("message", [LINE, ZONE, ATTRIBUTES])
def test_what_comes_twice_is_kept_once(store: Store, message: Message) -> None:
    assert store.keep([sent(message), sent(message)]) == Kept(new=1, repeated=1)
    late = replace(message, is_historical=True)  # type: ignore[type-var]
    assert store.keep([sent(late)]) == Kept(repeated=1)


def test_another_device_or_window_is_another_row(store: Store) -> None:
    pairs = [
        sent(LINE),
        sent(LINE, "cam-02"),
        sent(replace(LINE, line=1)),
        sent(replace(LINE, start=LINE.start + 60)),
    ]
    assert store.keep(pairs) == Kept(new=4)


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(replace(LINE, epoch=1), id="the clock was set back"),
        pytest.param(replace(LINE, line=1), id="another line"),
    ],
)
def test_two_windows_with_one_start_are_both_kept(
    store: Store, second: Message
) -> None:
    assert store.keep([sent(LINE), sent(second)]) == Kept(new=2)
    counted = [store.totals("cam-01", line) for line in (0, 1)]
    assert [sum(each) for each in zip(*counted, strict=True)] == [6, 4]


def test_a_zone_that_tells_of_no_stay_is_kept(store: Store) -> None:
    few = replace(ZONE, dwell_s=None, occupancy_max=None, occupancy_mean_milli=None)
    assert store.keep([sent(few)]) == Kept(new=1)
    query = "SELECT visits, dwell_s, occupancy_max FROM zone_windows"
    assert rows(store, query) == [(12, None, None)]


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        pytest.param(f"doorsill/{SITE}/cam-01/interval", b"\xff\xd8", id="a JPEG"),
        pytest.param(f"doorsill/{SITE}/cam-01/snapshot", encode(LINE), id="a stream"),
        pytest.param("doorsill/shop-2/cam-01/interval", encode(LINE), id="a shop"),
        pytest.param("frigate/cam-01/person/snapshot", encode(LINE), id="a topic"),
        pytest.param(f"doorsill/{SITE}/cam-01/live", encode(LINE), id="mixed up"),
    ],
)
def test_what_is_not_ours_is_rejected_and_counted(
    store: Store, name: str, payload: bytes
) -> None:
    assert store.keep([(name, payload), sent(LINE)]) == Kept(new=1, rejected=1)


def test_what_is_rejected_is_set_aside_with_the_reason(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    assert store.keep([("doorsill/a/b/interval", b"{}"), sent(LINE)]).rejected == 1
    assert store.windows(f"{SITE}/cam-01", 0)  # a device carries its shop here
    query = "SELECT site, device, topic, why, size, text FROM quarantine"
    ((*said, why, size, words),) = rows(store, query)
    assert said == ["a", "b", "doorsill/a/b/interval"]
    assert "must hold exactly" in why and (size, words) == (2, "{}")
    store.close()


def test_the_latest_of_the_retained_streams_is_kept(store: Store) -> None:
    newer = replace(LIVE, time=LIVE.time + 2)
    store.keep([sent(LIVE), sent(newer), sent(HEALTH)])
    assert store.latest("cam-01", "live") == encode(newer)
    assert store.latest("cam-01", "state") is None


def test_totals_and_windows_are_what_was_sent(store: Store, tmp_path: Path) -> None:
    store.keep(
        [sent(line(60 * n, count_in=n, total_in=n, quality=())) for n in range(9)]
    )
    assert store.totals("cam-01", 0) == (36, 18)
    assert store.windows("cam-01", 0)[3] == (180, 3, 2, "")
    again = Store(tmp_path / "store.db", SITE)
    assert again.totals("cam-01", 0) == (36, 18)
    again.close()


def test_a_full_disk_keeps_nothing_of_a_batch(store: Store) -> None:
    store.keep([sent(LINE)])
    ((pages,),) = rows(store, "PRAGMA page_count")
    tell(store, f"max_page_count = {pages}")
    with pytest.raises(UplinkError, match="takes no data"):
        store.keep([sent(line(60 * n)) for n in range(2000)])
    tell(store, "max_page_count = 100000")
    assert store.keep([sent(line(0))]) == Kept(new=1)


def test_a_store_that_cannot_be_opened_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        Store(tmp_path / "nowhere" / "store.db", SITE)


def test_nothing_is_lost_while_the_subscriber_or_the_broker_is_away(
    own_site: Site, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    camera = device(own_site.address("cam-01"), FAST).connect()
    for turn in range(3):
        store = Store(path, SITE)
        subscriber = Subscriber(reader(own_site), store)
        subscriber.start()
        assert subscriber.ready.wait(20)
        publish(camera, range(40 * turn, 40 * turn + 20))
        if turn == 1:
            own_site.broker.restart()
        wait_until(lambda: len(store.windows("cam-01", 0)) >= 40 * turn + 20)  # noqa: B023
        subscriber.stop()
        store.close()
        camera.wait(lambda: camera.publisher.connected)
        publish(camera, range(40 * turn + 20, 40 * turn + 40))
    store = Store(path, SITE)
    subscriber = Subscriber(reader(own_site), store)
    subscriber.start()
    wait_until(lambda: len(store.windows("cam-01", 0)) == 120)
    subscriber.stop()
    starts = [start for start, *_ in store.windows("cam-01", 0)]
    assert starts == [60 * number for number in range(120)]
    store.close()
    camera.publisher.stop()


def test_a_reader_is_not_acknowledged_what_its_disk_did_not_take(
    own_site: Site, tmp_path: Path
) -> None:
    camera = device(own_site.address("cam-01"), FAST).connect()
    store = Store(tmp_path / "store.db", SITE)
    subscriber = Subscriber(reader(own_site), store)
    subscriber.start()
    assert subscriber.ready.wait(20)
    with sqlite3.connect(tmp_path / "store.db", isolation_level=None) as other:
        tell(store, "busy_timeout = 1")
        other.execute("BEGIN EXCLUSIVE")
        publish(camera, range(5))
        other.execute("ROLLBACK")
    other.close()
    wait_until(lambda: len(store.windows("cam-01", 0)) == 5)
    subscriber.stop()
    store.close()
    camera.publisher.stop()


class SlowDisk:
    """Keeps nothing before ``takes`` is set, and then everything."""

    site = ""

    def __init__(self) -> None:
        self.takes = threading.Event()
        self.kept: list[str] = []

    def keep(self, messages: Iterable[tuple[str, bytes]]) -> Kept:
        if not self.takes.wait(0.1):
            raise UplinkError("the disk takes nothing")
        pairs = list(messages)
        self.kept += [topic for topic, _ in pairs]
        return Kept(new=len(pairs))


class Flood(ReadingClient):
    """In the network's place: it hands messages over at QoS 0, as fast as they go.

    The broker keeps its limit for QoS 1 alone, so these come without any.
    """

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self.handed = 0
        self.seen = -1  # of them, at the last look
        self.thread = Thread(target=self._flood, daemon=True)

    def _flood(self) -> None:
        for number in range(3 * IN_FLIGHT):
            message = mqtt.MQTTMessage(topic=f"{number}".encode())
            assert self.on_message is not None
            self.on_message(self, None, message)
            self.handed += 1

    def is_held_up(self) -> bool:
        """Whether nothing was handed over since the last look, or all of it was."""
        before, self.seen = self.seen, self.handed
        held = before == self.seen >= IN_FLIGHT
        return held or not self.thread.is_alive()

    def connect_async(self, *words: Any, **options: Any) -> None:
        """There is nobody to connect to."""

    def loop_start(self) -> mqtt.MQTTErrorCode:
        self.thread.start()
        return mqtt.MQTTErrorCode.MQTT_ERR_SUCCESS

    def loop_stop(self) -> mqtt.MQTTErrorCode:
        self.thread.join(END_S)
        return mqtt.MQTTErrorCode.MQTT_ERR_SUCCESS


@pytest.fixture
def floods(monkeypatch: pytest.MonkeyPatch) -> list[Flood]:
    made: list[Flood] = []

    def make(*words: Any, **options: Any) -> Flood:
        made.append(Flood(*words, **options))
        return made[-1]

    monkeypatch.setattr("doorsill_fleet.ingest.subscriber.ReadingClient", make)
    return made


@contextmanager
def flooded(site: Site, disk: SlowDisk, floods: list[Flood]) -> Iterator[Flood]:
    subscriber = Subscriber(reader(site), disk)
    (flood,) = floods
    subscriber.start()
    wait_until(flood.is_held_up)
    yield flood
    subscriber.stop()


def test_a_slow_disk_fills_no_memory(own_site: Site, floods: list[Flood]) -> None:
    disk = SlowDisk()
    with flooded(own_site, disk, floods) as flood:
        # A queue that is full, and the batch that the disk does not take.
        assert flood.handed <= IN_FLIGHT + BATCH and flood.thread.is_alive()
        disk.takes.set()
        wait_until(lambda: len(disk.kept) == 3 * IN_FLIGHT)
    assert disk.kept == [f"{number}" for number in range(3 * IN_FLIGHT)]


def test_who_waits_for_a_slow_disk_hears_that_it_is_to_stop(
    own_site: Site, floods: list[Flood]
) -> None:
    with flooded(own_site, SlowDisk(), floods) as flood:
        assert flood.thread.is_alive()
    wait_until(lambda: not flood.thread.is_alive())
