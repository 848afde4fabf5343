"""No key of a policy is ignored: pairs of runs that differ in that key alone.

Through the ``main`` of the real processes, with a real broker: code that reads the
policy and then does not heed a key of it fails here. What needs a card is in
``test_vault_service``, what needs a sign in ``test_notice``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from children import started
from limits import wait_until
from uplinks import connected

from doorsill.cells import LineCell, LooksCell, Quality, ZoneCell
from doorsill.channels.cell_link import CellClient, CellServer
from doorsill.policy import document
from doorsill.policy.document import Policy
from doorsill.policy.opening import DAYS
from doorsill.privacy.floors import DAY_S, SLOT_S
from doorsill.services.children import WIPING, prepare
from doorsill.uplink.outbox import Outbox
from doorsill.wire.codec import decode
from doorsill_fleet.broker.mosquitto import running_broker
from doorsill_fleet.ingest.subscriber import Reader, Subscriber
from doorsill_fleet.stage.shop import DEVICE, READER, SITE, Stage
from doorsill_fleet.store.windows import Store

LINE = (((0.022, 0.659), (0.978, 0.659)),)
ZONE = {"id": "z", "kind": "count", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}
LOOKED_AT = 13
# So that what waits goes out at once, and cells of hours ago are not too old.
UPLINK = """\
import sys
from dataclasses import replace
from pathlib import Path
import doorsill.services.uplink_opening as service
import doorsill.services.uplink_start as start
from doorsill.config import load_config
at_once = dict(minute_s=0.0, state_s=0.0, state_rest_s=0.0, gauges_s=0.0)
service.PACE = replace(service.PACE, **at_once)
service.booted_at = lambda utc: 0
start.main(load_config(Path(sys.argv[1])))
"""


@dataclass
class Signed(Stage):
    """A stage whose policy has other values; None takes a key away."""

    changes: dict[str, Any] = field(default_factory=dict)

    def policy_body(self) -> dict[str, Any]:
        body = Stage.policy_body(self) | self.changes
        return {name: each for name, each in body.items() if each is not None}


@dataclass
class Shop:
    """A device's uplink with our vision before it and our shop behind it."""

    stage: Signed
    vision: CellServer
    heard: list[tuple[str, bytes]]

    def on(self, stream: str) -> list[Any]:
        """What the shop heard on a stream, decoded."""
        return [
            decode(stream, payload)
            for topic, payload in list(self.heard)
            if topic.rpartition("/")[2] == stream
        ]

    def until(self, good: Callable[[], Any], within_s: float = 20.0) -> Any:
        """Be vision until then."""

        def done() -> Any:
            self.vision.poll()
            return good()

        return wait_until(done, within_s=within_s)


@contextmanager
def uplink(folder: Path, more: str = "", **changes: Any) -> Iterator[Shop]:
    stage = Signed(folder, LINE, more=more, changes=changes)
    config = stage.set()
    with running_broker(stage.broker):
        prepare(config)
        _let_it_live_a_day(config.outbox)
        vision, heard = CellServer(config.cell_socket), []
        ca, port = folder / "broker" / "ca.pem", stage.broker.port
        pem, key = folder / f"{READER}.pem", folder / f"{READER}.key"
        store = Store(folder / "store.db", SITE)
        subscriber = Subscriber(
            Reader(READER, "127.0.0.1", port, ca, pem, key),
            store,
            lambda *each: heard.append(each),
        )
        subscriber.start()
        command = [sys.executable, "-c", UPLINK, str(stage.configuration)]
        try:
            with started(command, stderr=subprocess.DEVNULL) as child:
                shop = Shop(stage, vision, heard)
                shop.until(lambda: shop.on("state"))
                yield shop
                child.terminate()
        finally:
            vision.close()
            subscriber.stop()
            store.close()


def _let_it_live_a_day(path: Path) -> None:
    """A younger outbox spends nothing of any day's epsilon."""
    outbox = Outbox(path, lambda: 0)
    outbox.live(DAY_S)
    outbox.close()


def line(start: int, count_in: int = 1, index: int = 0) -> LineCell:
    return LineCell(index, start, 60, True, count_in, 0, 60_000, Quality.GOOD)


def begun() -> int:
    """The beginning of a slot that is over, with one after it that is over as well."""
    return (int(time.time()) // SLOT_S - 2) * SLOT_S


def report_of(shop: Shop) -> Any:
    """The report of LOOKED_AT people of one slot, which has to come."""
    looks_of(shop)
    return shop.until(lambda: shop.on("attributes"))[0]


def looks_of(shop: Shop) -> Any:
    """The report of LOOKED_AT people of one slot, or None where there is none."""
    start = begun()
    shop.vision.send(line(start, LOOKED_AT))
    shop.vision.send(line(start + SLOT_S, 1))
    shop.vision.send(
        LooksCell(0, start, start + SLOT_S, (0, LOOKED_AT, 0), (LOOKED_AT, 0, 0))
    )
    for minute in (1, 2):  # sent after the report, if there is one
        shop.vision.send(line(start + SLOT_S + 60 * minute, 1))
    shop.until(lambda: len(shop.on("interval")) == 4)
    found = shop.on("attributes")
    return found[0] if found else None


LOOKS = {"attributes": True, "notice": "sign-7"}


def test_looks_are_told(tmp_path: Path) -> None:
    with uplink(tmp_path, **LOOKS) as shop:
        assert report_of(shop).people == LOOKED_AT


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"k": LOOKED_AT + 1}, id="k"),
        pytest.param({"attributes": False}, id="attributes"),
    ],
)
def test_looks_are_not_told(tmp_path: Path, changes: dict[str, Any]) -> None:
    """The other run of the pair is the test before."""
    with uplink(tmp_path, **{**LOOKS, **changes}) as shop:
        assert looks_of(shop) is None


@pytest.mark.parametrize(
    ("epsilon", "own", "micro"),
    [
        pytest.param(2.0, "", 50_000, id="the ceiling"),
        pytest.param(0.4, "", 10_000, id="less: the policy's"),
        pytest.param(
            2.0, "\n[privacy]\nepsilon_per_day = 0.2\n", 5_000, id="the file's"
        ),
    ],
)
def test_epsilon_is_the_stricter_of_policy_and_file(
    tmp_path: Path, epsilon: float, own: str, micro: int
) -> None:
    with uplink(tmp_path, own, **LOOKS, epsilon_per_day=epsilon) as shop:
        assert report_of(shop).epsilon_micro == micro


def test_k_of_the_file_counts_where_it_is_stricter(tmp_path: Path) -> None:
    with uplink(tmp_path, f"\n[privacy]\nk = {LOOKED_AT + 1}\n", **LOOKS) as shop:
        assert looks_of(shop) is None


@pytest.mark.parametrize(
    ("seconds", "least", "most"),
    [pytest.param(2, 2, 99, id="each two"), pytest.param(3600, 0, 1, id="each hour")],
)
def test_live_seconds(tmp_path: Path, seconds: int, least: int, most: int) -> None:
    with uplink(tmp_path, live_seconds=seconds) as shop:
        start, ends = begun(), time.monotonic() + 7
        for minute in range(1000):
            shop.vision.send(line(start + 60 * minute))
            told = len(shop.on("interval"))
            shop.until(lambda told=told: len(shop.on("interval")) > told)
            if time.monotonic() > ends:
                break
        assert least <= len(shop.on("live")) <= most


@pytest.mark.parametrize(
    ("changes", "lines", "zones"),
    [
        pytest.param({}, {0}, 0, id="one line"),
        pytest.param(
            {"lines": [{"id": n, "points": [[0, 0], [1, 1]]} for n in "ab"]},
            {0, 1},
            0,
            id="two lines",
        ),
        pytest.param({"zones": [ZONE]}, {0}, 1, id="a zone"),
        pytest.param({"zones": [{**ZONE, "kind": "exclude"}]}, {0}, 0, id="no zone"),
    ],
)
def test_only_places_of_the_policy_are_told(
    tmp_path: Path, changes: dict[str, Any], lines: set[int], zones: int
) -> None:
    with uplink(tmp_path, **changes) as shop:
        start = begun()
        for minute in range(2):
            at = start + 60 * minute
            for index in (1, 0):
                shop.vision.send(line(at, index=index))
            shop.vision.send(
                ZoneCell(0, at, 60, True, 0, 0, 1, 500, 60_000, Quality.GOOD)
            )
        wanted = 2 * (len(lines) + zones)
        shop.until(lambda: len(shop.on("interval")) == wanted)
        told = shop.on("interval")
        assert {each.line for each in told if hasattr(each, "line")} == lines
        assert sum(hasattr(each, "zone") for each in told) == 2 * zones


@pytest.fixture(scope="module")
def of_first(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The policy that a message names where nothing is changed."""
    return named(tmp_path_factory.mktemp("first"))


def named(folder: Path, **changes: Any) -> str:
    """The policy that a message names; it is the one in force."""
    with uplink(folder, **changes) as shop:
        shop.vision.send(line(begun()))
        shop.until(lambda: shop.on("interval"))
        told: str = shop.on("interval")[0].policy
        assert told == document.parse(shop.stage.policy_body()).digest[:32]
        return told


@pytest.mark.parametrize(
    "changes",
    [{"version": 2}, {"purpose": "another"}, {"controller": "Eve"}, {"notice": "n-2"},
     {"k": 11}, {"timezone": "Europe/Lisbon"}, {"devices": [DEVICE]}],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_whatever_changes_in_it_the_messages_name_another_policy(
    tmp_path: Path, of_first: str, changes: dict[str, Any]
) -> None:
    assert named(tmp_path, **changes) != of_first


@pytest.mark.parametrize("changes", [{"site": "braga"}, {"devices": ["cam-02"]}])
@pytest.mark.parametrize("process", ["vision", "uplink"])
def test_a_process_does_not_start_under_the_policy_of_another(
    tmp_path: Path, changes: dict[str, Any], process: str
) -> None:
    """Though it lies where the policy in force lies."""
    stage = Signed(tmp_path, LINE, changes=changes)
    config = stage.set()
    prepare_by_hand(config, stage)
    command = [sys.executable, "-m", "doorsill", "run", "--only", process, "--config"]
    done = subprocess.run(
        [*command, str(stage.configuration)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 3 and "the policy is for" in done.stderr


def prepare_by_hand(config: Any, stage: Signed) -> None:
    config.device.run.mkdir(parents=True)
    for path in (config.policy_in_force, config.outbox):
        path.parent.mkdir(parents=True)
    config.policy_in_force.write_bytes((stage.folder / "policy.json").read_bytes())


@contextmanager
def vision(folder: Path, **changes: Any) -> Iterator[CellClient]:
    """The real vision, confined, at the simulated street; we are its uplink."""
    stage = Signed(folder, LINE, changes=changes)
    config = stage.set()
    prepare(config)
    command = [sys.executable, "-m", "doorsill", "run", "--only", "vision", "--config"]
    with started(
        [*command, str(stage.configuration)],
        stderr=subprocess.DEVNULL,
        env={**os.environ, **WIPING},
    ) as child:
        client = wait_until(lambda: connected(config.cell_socket))
        with closing(client):
            yield client
        child.terminate()


def first(
    client: CellClient, good: Callable[[Any], Any], within_s: float = 40.0
) -> Any:
    """The first cell that is ``good``; everything before it is acknowledged."""
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        got = client.receive(0.1)
        if got is not None:
            client.acknowledge(got.sequence)
            if good(got.cell):
                return got.cell
    pytest.fail(f"no such cell within {within_s} s")


def is_line(cell: Any) -> bool:
    return isinstance(cell, LineCell)


def test_hours_and_their_timezone(tmp_path: Path) -> None:
    """A shop that opens in an hour, and one in whose zone it is an hour later."""
    utc = time.gmtime(time.time() + 3600)
    opens = f"{utc.tm_hour:02}:00"
    closes = f"{(utc.tm_hour + 1) % 24:02}:00"
    hours = [{"days": list(DAYS), "opens": opens, "closes": closes}]
    for name, zone, closed in (("1", "UTC", True), ("2", "Etc/GMT-1", False)):
        with vision(tmp_path / name, hours=hours, timezone=zone) as client:
            cell = first(
                client,
                lambda each: (
                    is_line(each)
                    and (Quality.CLOSED in each.quality or each.coverage_ms > 0)
                ),
            )
            assert (Quality.CLOSED in cell.quality) is closed


def test_a_holiday_closes_a_shop_that_is_always_open(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    days = [{"date": str(today + timedelta(days=each))} for each in (0, 1)]
    for name, holidays in (("1", days), ("2", [])):
        with vision(tmp_path / name, holidays=holidays, timezone="UTC") as client:
            cell = first(
                client,
                lambda each: (
                    is_line(each)
                    and (Quality.CLOSED in each.quality or each.coverage_ms > 0)
                ),
            )
            assert (Quality.CLOSED in cell.quality) is bool(holidays)


def test_who_is_in_an_excluded_zone_crosses_no_line(tmp_path: Path) -> None:
    with vision(tmp_path / "1") as client:
        assert first(
            client, lambda each: is_line(each) and each.count_in + each.count_out
        )
    everywhere = {**ZONE, "kind": "exclude"}
    with vision(tmp_path / "2", zones=[everywhere]) as client:
        seen = 0
        ends = time.monotonic() + 12
        while time.monotonic() < ends:
            cell = first(client, is_line)
            seen = max(seen, cell.coverage_ms)
            assert (cell.count_in, cell.count_out) == (0, 0)
        assert seen > 5_000  # it looked all the time


@pytest.mark.parametrize("zones", [[], [ZONE]], ids=["none", "one"])
def test_a_zone_is_counted_where_there_is_one(
    tmp_path: Path, zones: list[dict[str, Any]]
) -> None:
    with vision(tmp_path, zones=zones) as client:
        kinds = set()
        for _ in range(6):
            kinds.add(
                type(first(client, lambda each: isinstance(each, LineCell | ZoneCell)))
            )
        assert kinds == ({LineCell, ZoneCell} if zones else {LineCell})


def test_no_key_of_a_policy_is_without_a_pair() -> None:
    """A key that is added to a policy belongs into a pair of runs, and then here."""
    here = {
        "version", "site", "devices", "purpose", "controller", "notice", "attributes",
        "k", "epsilon_per_day", "live_seconds", "hours", "holidays",
        "timezone", "lines", "zones",
    }  # fmt: skip
    # In test_models_allowed, test_vault_* and test_arrival.
    elsewhere = {"models", "consent", "expires", "digest"}
    assert {each.name for each in fields(Policy)} == here | elsewhere
