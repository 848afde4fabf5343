"""What a bad device, a bad disk or a bad clock does to the store, on a real broker."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from any_message import messages
from broker import FAST, SITE, Device, Site, device, publish, reader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limits import END_S, wait_until
from messages import LINE, LIVE, line
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from small_disk import fill
from sqlalchemy import text

from doorsill.privacy.floors import DAY_S
from doorsill.uplink.paho_client import close, end_loop
from doorsill.wire.codec import decode, encode
from doorsill.wire.messages import State, stream_of, topic
from doorsill_fleet.broker.mosquitto import client_context
from doorsill_fleet.ingest.subscriber import Subscriber
from doorsill_fleet.store.quarantine import KEPT_MOST
from doorsill_fleet.store.windows import Store

GARBAGE = 10_000  # messages
NOW = LINE.end + 5
INTERVAL = topic(SITE, "cam-01", "interval")


def rows(store: Store, query: str) -> list[Any]:
    with store.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store.db", SITE, lambda: NOW)
    yield store
    store.close()


def receiving(site: Site, store: Store, exits: ExitStack) -> Subscriber:
    subscriber = Subscriber(reader(site), store)
    subscriber.start()
    exits.callback(subscriber.stop)
    assert subscriber.ready.wait(END_S), subscriber.away
    return subscriber


def camera(site: Site, name: str, exits: ExitStack) -> Device:
    found = device(site.address(name), FAST).connect()
    exits.callback(found.publisher.stop)
    return found


def shout(site: Site, name: str, where: str, payloads: list[bytes]) -> None:
    """Send past the guard, as one with a stolen key would; the broker answers each."""
    own = site.address(name)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, own.client, protocol=mqtt.MQTTv5)
    client.tls_set_context(client_context(own.ca, own.certificate, own.key))
    client.connect(own.host, own.port)
    client.loop_start()
    for sent in [client.publish(where, each, qos=1) for each in payloads]:
        sent.wait_for_publish(60.0)
        assert sent.is_published()
    client.disconnect()
    end_loop(client, END_S)
    close(client)


def test_garbage_is_set_aside_counted_and_hides_nobody(
    own_site: Site, store: Store
) -> None:
    seeded = random.Random(17)
    garbage = [seeded.randbytes(seeded.randrange(200)) for _ in range(GARBAGE)]
    with ExitStack() as exits:
        subscriber = receiving(own_site, store, exits)
        good = camera(own_site, "cam-01", exits)
        shout(own_site, "cam-02", topic(SITE, "cam-02", "interval"), garbage)
        publish(good, range(100))
        wait_until(
            lambda: subscriber.kept.rejected == GARBAGE and subscriber.kept.new >= 100,
            lambda: subscriber.kept,
            within_s=60.0,
        )
    books = rows(store, "SELECT device, kept, refused FROM senders ORDER BY device")
    assert books == [("cam-01", 100, 0), ("cam-02", 0, GARBAGE)]
    assert rows(store, "SELECT count(*), max(device) FROM quarantine") == [
        (KEPT_MOST, "cam-02")
    ]
    assert len(store.windows("cam-01", 0)) == 100


def test_a_message_in_another_devices_name_never_arrives(
    own_site: Site, store: Store
) -> None:
    with ExitStack() as exits:
        subscriber = receiving(own_site, store, exits)
        victim = camera(own_site, "cam-01", exits)
        stolen = [encode(line(60 * n)) for n in range(20)]
        shout(own_site, "cam-02", INTERVAL, stolen)
        publish(victim, range(100, 103))
        shout(own_site, "cam-02", topic(SITE, "cam-02", "interval"), stolen[:3])
        wait_until(lambda: subscriber.kept.new >= 6, lambda: subscriber.kept)
    assert [start for start, *_ in store.windows("cam-01", 0)] == [6000, 6060, 6120]
    assert rows(store, "SELECT count(*) FROM quarantine") == [(0,)]


def test_a_broker_that_restarts_loses_and_doubles_nothing(
    own_site: Site, store: Store
) -> None:
    with ExitStack() as exits:
        receiving(own_site, store, exits)
        sender = camera(own_site, "cam-01", exits)
        for turn in range(3):
            publish(sender, range(100 * turn, 100 * turn + 100))
            own_site.broker.restart()
            sender.wait(lambda: sender.publisher.connected)
        wait_until(
            lambda: len(store.windows("cam-01", 0)) == 300,
            lambda: len(store.windows("cam-01", 0)),
        )
    assert store.totals("cam-01", 0) == (300 * LINE.count_in, 300 * LINE.count_out)


def test_a_full_disk_is_a_sentence_and_no_loss(
    own_site: Site, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(small_disk / "store.db", SITE)
    with ExitStack() as exits:
        exits.callback(store.close)
        receiving(own_site, store, exits)
        sender = camera(own_site, "cam-01", exits)
        publish(sender, range(10))
        wait_until(lambda: len(store.windows("cam-01", 0)) == 10)
        filler = fill(small_disk)
        publish(sender, range(10, 500))
        wait_until(lambda: "takes no data" in caplog.text, caplog.text)
        assert "not acknowledged, tried again" in caplog.text
        assert len(store.windows("cam-01", 0)) < 500
        filler.unlink()
        wait_until(lambda: len(store.windows("cam-01", 0)) == 500)
        assert store.totals("cam-01", 0)[0] == 500 * LINE.count_in


def test_a_clock_400_days_back_loses_nobody_and_is_seen(store: Store) -> None:
    back = line(LINE.start - 400 * DAY_S, epoch=1)
    ahead = line(LINE.start + 400 * DAY_S, epoch=2)
    sent = [(INTERVAL, encode(each)) for each in (back, ahead, LINE)]
    assert store.keep(sent).new == 3
    doubts = rows(store, "SELECT doubt FROM line_windows ORDER BY start")
    assert doubts == [("old",), ("",), ("future",)]
    assert rows(store, "SELECT newest FROM senders") == [(LINE.end,)]
    assert store.totals("cam-01", 0) == (3 * LINE.count_in, 3 * LINE.count_out)


def test_a_late_word_replaces_no_newer_one_unless_that_was_of_the_future(
    store: Store,
) -> None:
    def say(time: int) -> None:
        live = type(LIVE)(time=time, epoch=7, lines=LIVE.lines, quality=())
        store.keep([(topic(SITE, "cam-01", "live"), encode(live))])

    def last() -> Any:
        found = store.latest("cam-01", "live")
        assert found is not None
        return getattr(decode("live", found), "time")  # noqa: B009

    said = []
    for time in (NOW, NOW - 60, NOW + 400 * DAY_S, NOW + 1):
        say(time)
        said.append(last())
    assert said == [NOW, NOW, NOW + 400 * DAY_S, NOW + 1]


PAYLOADS = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60).map(lambda each: each.encode("utf-8", "surrogatepass")),
    messages.map(encode),
)
TOPICS = st.one_of(
    st.text(max_size=60),
    st.sampled_from([topic(SITE, "cam-01", each) for each in ("interval", "state")]),
)


@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(batch=st.lists(st.tuples(TOPICS, PAYLOADS), max_size=8), good=messages)
def test_nothing_is_stored_that_the_schema_forbids(
    store: Store, batch: list[tuple[str, bytes]], good: Any
) -> None:
    own = (topic(SITE, "cam-09", stream_of(good)), encode(good))
    kept = store.keep([*batch, own])
    assert kept.new + kept.repeated + kept.rejected == len(batch) + 1
    for stream, payload in rows(store, "SELECT stream, payload FROM latest"):
        assert encode(decode(stream, payload.encode())) == payload.encode()
    for (where,) in rows(store, "SELECT topic FROM quarantine"):
        assert where.isprintable()


def test_the_state_that_is_retained_comes_to_a_store_that_is_new(
    own_site: Site, store: Store
) -> None:
    with ExitStack() as exits:
        sender = camera(own_site, "cam-01", exits)
        outgoing = sender.guard.check("state", encode(State(state="ready")), 0.0)
        sender.publisher.send(outgoing, tag="state")
        sender.wait(
            lambda: any(getattr(e, "tag", None) == "state" for e in sender.events)
        )
        receiving(own_site, store, exits)
        wait_until(lambda: store.latest("cam-01", "state"))
    assert store.latest("cam-01", "state") == encode(State(state="ready"))
