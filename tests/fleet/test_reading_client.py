"""Many acknowledgements, one write: mosquitto takes one record of a client a turn."""

from __future__ import annotations

from pathlib import Path

import pytest
from broker import Site, device, publish, reader
from limits import wait_until

from doorsill_fleet.ingest.reading_client import AT_ONCE, RECORD_BYTES, acknowledgements
from doorsill_fleet.ingest.subscriber import Subscriber
from doorsill_fleet.store.windows import Store

WINDOWS = 500
EMPTY_BYTES = 1024  # of mosquitto's file that holds a session and no message


@pytest.mark.parametrize(
    ("count", "writes"),
    [
        pytest.param(0, 0, id="nothing to say"),
        pytest.param(1, 1, id="one"),
        pytest.param(500, 1, id="a batch is one write"),
        pytest.param(AT_ONCE, 1, id="as many as a record holds"),
        pytest.param(AT_ONCE + 1, 2, id="one more"),
    ],
)
def test_acknowledgements_go_together(count: int, writes: int) -> None:
    numbers = [1 + each % 65_535 for each in range(count)]
    found = acknowledgements(numbers)
    assert len(found) == writes
    assert all(len(each) <= RECORD_BYTES for each in found)
    whole = b"".join(found)
    assert whole == b"".join(b"\x40\x02" + each.to_bytes(2, "big") for each in numbers)


def test_mosquitto_keeps_nothing_that_was_acknowledged(
    own_site: Site, tmp_path: Path
) -> None:
    """It saves all that it holds at each turn: what it holds must stay small."""
    store = Store(tmp_path / "store.db")
    subscriber = Subscriber(reader(own_site), store)
    camera = device(own_site.address("cam-01")).connect()
    subscriber.start()
    try:
        assert subscriber.ready.wait(10)
        publish(camera, range(WINDOWS))
        wait_until(lambda: subscriber.kept.new >= WINDOWS, lambda: subscriber.kept)
        held = own_site.broker.folder / "mosquitto.db"
        wait_until(lambda: held.stat().st_size < EMPTY_BYTES, lambda: held.stat())
        assert subscriber.kept.repeated == 0
    finally:
        camera.publisher.stop()
        subscriber.stop()
        store.close()
