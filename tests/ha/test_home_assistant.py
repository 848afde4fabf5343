"""Our real packets in a real Home Assistant, over the bridge that we ship.

In order: each test leaves the house as the next one finds it.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

from broker import FAST
from children import cut_power
from messages import HEALTH, LINE, LIVE, ZONE

from doorsill.uplink.publisher import Publisher
from doorsill.uplink.tls import Address
from doorsill.wire.codec import encode
from doorsill.wire.discovery import describe
from doorsill.wire.guard import DISCOVERY, EgressGuard
from doorsill.wire.messages import Message, State, stream_of
from doorsill_fleet.broker.mosquitto import HOST
from doorsill_fleet.stage.shop import DEVICE, SITE

from .house import OTHER, House, known, until

UP_WITHIN_S = 10.0  # what we promise, from the connection on
A_MINUTE_S = 150.0  # for a window of a zone, twice
OURS = {
    "door_1_in", "door_1_out", "door_2_in", "door_2_out", "quality", "windows_waiting",
    "problem", "problems", "firmware",
}  # fmt: skip
OF_ZONE = {"till_visits", "till_occupancy", "till_dwell"}


def names(house: House, site: str = SITE) -> dict[str, str]:
    """Our entities without the name of the camera before them, and their states."""
    found = {}
    before = f"{site}_{DEVICE}_".replace("-", "_")
    for entity, state in house.states().items():
        _, _, name = entity.partition(".")
        if name.startswith(before):
            found[name.removeprefix(before)] = state
    return found


def lines(states: dict[str, str]) -> dict[str, str]:
    return {name: state for name, state in states.items() if name in OURS}


def test_entities_are_up_within_ten_seconds(house: House) -> None:
    house.start_camera()
    connected = b"connected to the broker"
    until(lambda: connected in house.log("camera").read_bytes(), 60.0)
    began = time.monotonic()
    until(lambda: set(names(house)) >= OURS)
    there = time.monotonic() - began
    until(lambda: known(lines(names(house))))
    print(
        f"\nentities after {there:.1f} s, each known {time.monotonic() - began:.1f} s"
    )
    assert there <= UP_WITHIN_S
    assert names(house)["problem"] == "off"
    assert names(house)["problems"] == "none"


def test_the_device_says_what_it_is(house: House) -> None:
    entity = f"sensor.{SITE}_{DEVICE}_door_1_in".replace("-", "_")
    said = [
        house.template("{{ device_attr('%s', '%s') }}" % (entity, name))  # noqa: UP031
        for name in ("manufacturer", "model", "sw_version")
    ]
    assert said[:2] == ["doorsill", "people counter"]
    assert names(house)["firmware"] == said[2]


def test_a_line_counts_up_and_a_zone_shows_its_minute(house: House) -> None:
    until(lambda: int(names(house)["door_1_in"]) > 0, A_MINUTE_S)
    until(lambda: names(house)["till_visits"].isdigit(), A_MINUTE_S)
    assert set(names(house)) >= OURS | OF_ZONE


def test_nothing_is_unknown_after_home_assistant_starts_again(house: House) -> None:
    before = names(house)
    house.stop("home-assistant")
    house.start_home_assistant()
    until(lambda: known(lines(names(house))), A_MINUTE_S)
    assert names(house)["till_visits"] not in ("unknown", "unavailable")
    assert set(names(house)) == set(before)


def test_nothing_is_unknown_after_either_broker_starts_again(house: House) -> None:
    house.stop("theirs")  # which keeps nothing on disk
    house.start_their_broker()
    until(lambda: known(lines(names(house))), A_MINUTE_S)
    house.shop.broker.restart()
    until(lambda: known(lines(names(house))), A_MINUTE_S)


def test_a_camera_that_is_gone_is_unavailable_and_a_problem(house: House) -> None:
    cut_power(house.children["camera"])
    house.stop("camera")
    until(lambda: names(house)["problem"] == "on", 120.0)
    assert names(house)["door_1_in"] == "unavailable"
    house.start_camera()
    until(lambda: known(lines(names(house))), A_MINUTE_S)
    until(lambda: names(house)["problem"] == "off", A_MINUTE_S)


def test_a_line_that_is_removed_vanishes(house: House) -> None:
    house.stop("camera")
    house.shop.number, house.shop.version = 1, 2
    house.shop.sign_again()
    house.start_camera()
    until(lambda: "door_2_in" not in names(house), A_MINUTE_S)
    until(lambda: known(lines(names(house))), A_MINUTE_S)
    assert "door_1_in" in names(house)


def test_two_shops_with_a_camera_of_one_name_do_not_collide(house: House) -> None:
    """The other shop's is our uplink's own parts, with messages that are known."""
    stage = house.shop
    issued = stage.authority.issue_device(OTHER, DEVICE, datetime.now(UTC))
    folder = house.folder / "other"
    folder.mkdir()
    pem, key = issued.write(folder, DEVICE)
    ca, port = stage.broker.folder / "ca.pem", stage.broker.port
    address = Address(DEVICE, HOST, port, ca, pem, key, OTHER)
    description = describe(OTHER, DEVICE, "0.1.0", ["door-1"], ["till"])
    guard = EgressGuard(OTHER, DEVICE, description)
    publisher = Publisher(address, guard.will(encode(State(state="lost"))), FAST)
    publisher.start()
    until(lambda: (publisher.poll(), publisher.connected)[1])
    said: tuple[Message, ...] = (
        State(state="ready"),
        replace(LIVE, lines=({"in": 4711, "out": 4},), quality=()),
        HEALTH,
        replace(ZONE, zone=0, visits=17, dwell_s=90, occupancy_max=5),
        LINE,
    )
    publisher.send(guard.check(DISCOVERY, description, 0.0))
    for each in said:
        publisher.send(guard.check(stream_of(each), encode(each), 0.0))
    until(lambda: (publisher.poll(), names(house, OTHER).get("door_1_in") == "4711")[1])
    both = [
        each for each in house.states() if each.endswith(("door_1_in", "door_1_in_2"))
    ]
    assert len(both) == 2
    last = said[-2], "interval"  # again: nobody listened yet when it came first

    def shown() -> bool:
        publisher.send(guard.check(last[1], encode(last[0]), time.monotonic()))
        publisher.poll()
        return {"17", "90", "5"} <= set(house.states().values())

    until(shown)
    assert known(lines(names(house)))
    publisher.stop()
    print(json.dumps(house.states(), indent=1))


def test_its_log_is_clean(house: House) -> None:
    assert house.complaints() == []
