"""What a broker states in its CONNACK is kept, and every window still arrives."""

from __future__ import annotations

import importlib.util
import logging
import secrets
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from broker import FAST, SITE, Site, reader
from hypothesis import given
from hypothesis import strategies as st
from limits import wait_until
from messages import EVERY, LINE
from places import SHARED
from strict_broker import States, StrictBroker, first_of
from uplinks import AT_ONCE, RELEASE, RULES

from doorsill.channels.cell_link import CellClient
from doorsill.errors import UplinkError
from doorsill.services.uplink_loop import Uplink
from doorsill.uplink import attributes
from doorsill.uplink.delivery import Delivery
from doorsill.uplink.intake import Intake
from doorsill.uplink.limits import Limits, limits_of, packet_bytes, remarks
from doorsill.uplink.outbox import Outbox
from doorsill.uplink.paho_client import Client
from doorsill.uplink.patience import Timing
from doorsill.uplink.pieces import Places
from doorsill.uplink.publisher import IN_FLIGHT_LIMIT, Publisher
from doorsill.uplink.reasons import NEVER, REASONS, words
from doorsill.uplink.retained import Voice
from doorsill.uplink.rows import Batch, Entry
from doorsill.uplink.tally import Tally
from doorsill.uplink.tls import Address
from doorsill.wire.codec import encode
from doorsill.wire.discovery import describe, described_at
from doorsill.wire.guard import EgressGuard
from doorsill.wire.messages import STREAMS, State, stream_of, topic
from doorsill_fleet.ca.authority import Authority
from doorsill_fleet.ingest.subscriber import Subscriber
from doorsill_fleet.store.windows import Store

ROWS = 60
NAME = "cam-01"
DESCRIPTION = describe(SITE, NAME, "0.1.0", ["door", "lift"])
FIELD_CASE = SHARED / "field-cases/mqtt/strict_broker.py"
WITHIN_S = 60.0


def window(minute: int) -> bytes:
    start = 1_800_000_000 + 60 * minute
    return encode(replace(LINE, start=start, end=start + 60))


@dataclass
class Sender:
    """An uplink with windows that wait, and no vision."""

    folder: Path
    address: Address
    timing: Timing = FAST
    rows: int = ROWS
    left: bool = False  # by the test itself
    outbox: Outbox = field(init=False)
    uplink: Uplink = field(init=False)

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.folder / "outbox.db", lambda: 20_000)
        rows = [Entry(f"e{n}", "interval", window(n)) for n in range(self.rows)]
        self.outbox.store(Batch(entries=tuple(rows)))
        guard = EgressGuard(SITE, NAME, DESCRIPTION)
        will = guard.will(encode(State(state="lost")))
        self.publisher = Publisher(self.address, will, self.timing)
        nobody = self.folder / "nobody.sock"
        intake = Intake(
            lambda: CellClient(nobody),
            self.outbox,
            RULES,
            RELEASE,
            secrets.randbelow,
            Tally(Places(1, 0), 7, 0),
        )
        delivery = Delivery(self.outbox, self.publisher, guard)
        voice = Voice(self.publisher, guard, DESCRIPTION)
        self.uplink = Uplink(intake, delivery, voice, AT_ONCE)
        self.publisher.start()

    def turn(self, done: Callable[[], Any], within_s: float = WITHIN_S) -> None:
        wait_until(done, within_s=within_s, between=lambda: self.uplink.step(0.02))

    def deliver(self) -> int:
        """Until nothing waits and nothing is on its way; how many windows wait."""
        self.turn(lambda: not self.outbox.waiting() and self.uplink.delivery.idle)
        return self.outbox.waiting()


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[StrictBroker]:
    found = StrictBroker(tmp_path)
    yield found
    found.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Sender]]:
    made: list[Sender] = []

    def start_one(address: Address, **changes: Any) -> Sender:
        made.append(Sender(tmp_path, address, **changes))
        return made[-1]

    yield start_one
    for each in made:
        if not each.left:
            each.uplink.leave()


Start = Callable[..., Sender]


# --- what is stated, and how large a packet is ---------------------------------------


def test_a_broker_that_states_nothing_takes_what_the_standard_says() -> None:
    assert limits_of(SimpleNamespace()) == Limits(65_535, 268_435_460, 1, True)
    assert limits_of(None) == Limits()


def test_what_is_stated_is_kept() -> None:
    said = SimpleNamespace(
        ReceiveMaximum=10, MaximumPacketSize=1024, MaximumQoS=0, RetainAvailable=0
    )
    assert limits_of(said) == Limits(10, 1024, 0, False)


@given(st.integers(0, 20_000), st.text("abc/ö", min_size=1, max_size=60))
def test_a_packet_is_as_large_as_its_bytes(length: int, name: str) -> None:
    body = len(name.encode()) + 5 + length
    head = bytearray([0x32])
    left = body
    while True:
        left, byte = left >> 7, left & 0x7F
        head.append(byte | (0x80 if left else 0))
        if not left:
            break
    assert packet_bytes(name, bytes(length)) == len(head) + body


def test_all_but_health_fits_a_kibibyte_and_every_window_fits_half_of_it() -> None:
    sizes = {
        stream_of(each): packet_bytes(topic("s" * 16, "d" * 16, stream_of(each)), said)
        for each in EVERY
        if (said := encode(each))
    }
    assert sizes.pop("certificate") <= 4096
    assert max(sizes.values()) <= 1024
    assert sizes["interval"] <= 512
    assert {*sizes, "certificate"} == set(STREAMS)


def test_a_person_hears_what_is_missing() -> None:
    assert remarks(Limits()) == []
    assert "QoS 0" in remarks(Limits(qos=0))[0]
    assert "retain_available" in remarks(Limits(retain=False))[0]


# --- a broker that keeps them to the letter -------------------------------------------

CASES = [
    pytest.param(States(), id="no limits"),
    pytest.param(States(packet_bytes=1024), id="packets of 1,024 bytes"),
    pytest.param(States(packet_bytes=512), id="packets of 512 bytes"),
    pytest.param(States(on_way=10), id="ten messages on their way"),
    pytest.param(States(on_way=1), id="one message on its way"),
    pytest.param(States(packet_bytes=512, on_way=1), id="both"),
    pytest.param(States(retain=0), id="no retained messages"),
    pytest.param(States(aliases=0, session_s=0), id="no aliases, no session"),
    pytest.param(States(qos=1, aliases=10, session_s=99), id="QoS 1, a session"),
]


@pytest.mark.parametrize("says", CASES)
def test_no_window_waits_in_the_end_and_the_connection_stays(
    strict: StrictBroker, start: Start, says: States
) -> None:
    strict.says = says
    sender = start(strict.address)
    assert sender.deliver() == 0
    sender.turn(lambda: strict.on("state") and strict.on("live") is not None)
    assert strict.breaches == []
    assert strict.connections == 1
    assert [each.payload for each in strict.on("interval")] == [
        window(number) for number in range(ROWS)
    ]
    assert strict.most_on_way <= (says.on_way or IN_FLIGHT_LIMIT)
    described = [
        each for each in strict.messages if each.topic == described_at(SITE, NAME)
    ]
    fits = says.packet_bytes is None
    assert len(described) >= fits
    assert fits or described == []


def test_what_is_left_out_is_said_once_and_the_rest_goes_on(
    strict: StrictBroker, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    strict.says = States(packet_bytes=512)
    with caplog.at_level(logging.WARNING):
        sender = start(strict.address)
        sender.deliver()
        for _ in range(3):
            before = strict.connections
            strict.hang_up()
            sender.turn(lambda: strict.connections > before)  # noqa: B023
        sender.turn(lambda: len(strict.on("state")) >= 2)
    said = [each.getMessage() for each in caplog.records]
    about = [each for each in said if "description for Home Assistant" in each]
    assert len(about) == 1
    assert "512 bytes at most" in about[0] and "max_packet_size" in about[0]
    assert sender.uplink.delivery.refusal == ""  # it is no fault of the counts


def test_what_was_left_out_is_sent_when_the_broker_takes_it(
    strict: StrictBroker, start: Start
) -> None:
    strict.says = States(packet_bytes=300)  # less than a window has
    sender = start(strict.address)
    sender.turn(lambda: sender.outbox.counters().dead_letters == ROWS)
    sender.turn(lambda: strict.on("state"))
    assert strict.on("interval") == []
    assert "too large" in sender.uplink.delivery.refusal  # that is a fault
    strict.says = States()
    strict.hang_up()
    sender.turn(lambda: len(strict.on("interval")) == ROWS)
    assert sender.deliver() == 0
    assert any(each.topic == described_at(SITE, NAME) for each in strict.messages)
    assert strict.breaches == []


def test_what_was_on_its_way_goes_again_within_the_limits_of_the_next_broker(
    strict: StrictBroker, start: Start
) -> None:
    strict.ack_s = 3600.0  # it never answers
    sender = start(strict.address)
    sender.turn(lambda: len(strict.on("interval")) == ROWS)
    strict.says, strict.ack_s = States(on_way=2, packet_bytes=512, retain=0), 0.002
    strict.most_on_way = 0
    strict.hang_up()
    assert sender.deliver() == 0
    assert strict.most_on_way <= 2
    assert strict.breaches == []


def test_what_paho_does_not_take_again_at_once_is_tried_until_it_does(
    strict: StrictBroker, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict.ack_s = 3600.0
    sender = start(strict.address)
    sender.turn(lambda: len(strict.on("interval")) == ROWS)
    take, refusals = Client.take, iter([True, True, True])

    def full(client: Client, *message: Any) -> int:
        if message[0].endswith("/interval") and next(refusals, False):
            raise UplinkError("paho takes no message")
        return take(client, *message)

    monkeypatch.setattr(Client, "take", full)
    strict.ack_s = 0.002
    strict.hang_up()
    assert sender.deliver() == 0
    assert next(refusals, None) is None
    assert strict.breaches == []


def test_a_broker_of_qos_0_gets_the_rest_and_the_windows_wait(
    strict: StrictBroker, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing that is not acknowledged is forgotten here."""
    strict.says = States(qos=0)
    with caplog.at_level(logging.WARNING):
        sender = start(strict.address)
        sender.turn(lambda: strict.on("health") and strict.on("state"))
        assert sender.outbox.waiting() == ROWS
        assert strict.on("interval") == [] and strict.breaches == []
        assert all(each.qos == 0 for each in strict.messages)
    said = [each.getMessage() for each in caplog.records]
    assert sum("QoS 0 alone" in each for each in said) == 1
    assert "max_qos" in sender.uplink.delivery.refusal
    strict.says = States()
    strict.hang_up()
    assert sender.deliver() == 0


@pytest.mark.parametrize(
    ("code", "flags"),
    [
        pytest.param(0x9A, 0x0E, id="retain: the next will is not retained"),
        pytest.param(0x9B, 0x26, id="QoS: the next will has QoS 0"),
    ],
)
def test_a_will_that_is_refused_is_made_smaller(
    strict: StrictBroker, start: Start, code: int, flags: int
) -> None:
    strict.refusal = bytes([0x20, 3, 0, code, 0])
    sender = start(strict.address, rows=1)
    sender.turn(lambda: len(strict.wills) >= 2)
    assert strict.wills[0] & 0x3E == 0x2E  # retained, QoS 1, a will, a clean start
    assert strict.wills[1] & 0x3E == flags
    strict.refusal = b""
    assert sender.deliver() == 0


def test_the_servers_keep_alive_is_kept(strict: StrictBroker, start: Start) -> None:
    strict.says = States(keep_alive=1)
    sender = start(strict.address, timing=replace(FAST, keepalive_s=600), rows=1)
    sender.turn(lambda: strict.pings >= 2)


def test_the_last_word_waits_for_room(strict: StrictBroker, start: Start) -> None:
    strict.says = States(on_way=1)
    # No ping: its answer, unread at the end, would be a reset, and nobody's last word.
    sender = start(strict.address, timing=replace(FAST, keepalive_s=600), rows=5)
    sender.deliver()
    sender.left = True
    sender.uplink.leave()
    assert strict.on("state")[-1].payload == encode(State(state="disconnected"))
    wait_until(lambda: strict.last_words)
    assert strict.last_words == b"\xe0\x00"  # and so the will is not said


def test_without_room_for_a_last_word_the_will_is_said(
    strict: StrictBroker, start: Start
) -> None:
    strict.says, strict.ack_s = States(on_way=1), 3600.0
    sender = start(strict.address, timing=replace(FAST, farewell_s=0.3))
    sender.turn(lambda: strict.messages)
    sender.left = True
    sender.uplink.leave()
    wait_until(lambda: strict.last_words)
    assert strict.last_words[2] == 0x04  # disconnect with will


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_reason_has_words_and_a_next_step(
    strict: StrictBroker, start: Start, code: int
) -> None:
    says, _, step = words(code).partition("; ")
    assert says.endswith(f"({code:#04x})") and step
    if code not in (0x87, 0x86, 0x84, 0x9D):
        return
    moved = b"\x1c\x00\x0dbroker-2:8883" if code == 0x9D else b""
    body = bytes([0, code]) + bytes([len(moved)]) + moved
    strict.refusal = bytes([0x20, len(body)]) + body
    sender = start(strict.address, rows=1)
    sender.turn(lambda: sender.uplink.away)
    where = strict.address.where
    assert sender.uplink.away.startswith(f"the broker at {where} refuses us: {says}")
    assert ("broker-2:8883" in sender.uplink.away) == (code == 0x9D)


def test_a_code_that_we_do_not_know_is_said_as_well() -> None:
    assert "0xfe" in words(0xFE)
    assert set(REASONS) >= NEVER


def test_a_broker_of_mqtt_3_is_named(strict: StrictBroker, start: Start) -> None:
    strict.refusal = bytes([0x20, 2, 0, 1])
    sender = start(strict.address, rows=1)
    sender.turn(lambda: sender.uplink.away)
    assert "does not speak MQTT 5" in sender.uplink.away


def test_negative_control_the_broker_notices_a_breach(
    strict: StrictBroker, start: Start
) -> None:
    strict.says = States(on_way=3)
    sender = start(strict.address)
    sender.turn(lambda: sender.publisher.connected)
    sender.publisher.limits = Limits()  # as if nothing had been stated
    with suppress(AssertionError):
        sender.turn(lambda: strict.breaches, 10.0)
    assert strict.breaches
    assert first_of(b"\x30\x02ab") == (b"\x30\x02ab", 2)


# --- mosquitto, and the broker of the shared data -------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["max_packet_size 1024"], id="max_packet_size 1024"),
        pytest.param(["max_packet_size 512"], id="max_packet_size 512"),
        pytest.param(["max_inflight_messages 10"], id="max_inflight_messages 10"),
        pytest.param(["max_inflight_messages 1"], id="max_inflight_messages 1"),
        pytest.param(["message_size_limit 512"], id="message_size_limit 512"),
        pytest.param(["retain_available false"], id="retain_available false"),
        pytest.param(["max_keepalive 10"], id="max_keepalive 10"),
        pytest.param(["max_topic_alias 0"], id="max_topic_alias 0"),
    ],
)
def test_mosquitto_with_limits_gets_every_window(
    own_site: Site, start: Start, tmp_path: Path, lines: list[str]
) -> None:
    file = own_site.broker.folder / "mosquitto.conf"
    names = [each.split()[0] for each in lines]
    kept = [
        each for each in file.read_text().splitlines() if each.split()[0] not in names
    ]
    file.write_text("\n".join([*kept, *lines]) + "\n")
    own_site.broker.restart()
    store = Store(tmp_path / "store.db", SITE)
    unlimited = "max_packet_size" not in lines[0]
    subscriber = Subscriber(reader(own_site), store) if unlimited else None
    if subscriber is not None:
        subscriber.start()
        assert subscriber.ready.wait(20)
    sender = start(own_site.address(NAME))
    assert sender.deliver() == 0
    assert sender.uplink.connections == 1
    assert sender.outbox.counters().dead_letters == 0
    if subscriber is not None:
        wait_until(lambda: len(store.windows(NAME, LINE.line)) == ROWS)
        subscriber.stop()
    store.close()


class _Authority(Authority):
    """The shared broker asks for a client's certificate as it once was called."""

    def issue_client(self, name: str, now: datetime) -> Any:
        return self.issue_device(SITE, name, now)


# The modules of today by the names that they have in the shared broker.
ONCE_CALLED = {
    "doorsill.link": "doorsill.channels.cell_link",
    "doorsill.uplink.codec": "doorsill.wire.codec",
    "doorsill.uplink.discovery": "doorsill.wire.discovery",
    "doorsill.uplink.guard": "doorsill.wire.guard",
    "doorsill.uplink.looks": "doorsill.uplink.attributes",
    "doorsill.uplink.service": "doorsill.services.uplink_loop",
    "doorsill.uplink.timing": "doorsill.uplink.patience",
    "doorsill.uplink.voice": "doorsill.uplink.retained",
    "doorsill.uplink.wire": "doorsill.wire.messages",
    "doorsill_fleet.ca": "doorsill_fleet.ca.authority",
}


@pytest.mark.skipif(
    not FIELD_CASE.exists(), reason=f"{FIELD_CASE.name} is not in shared data"
)
@pytest.mark.parametrize("case", ["plain", "size", "window"])
def test_the_field_cases_broker_gets_every_window(
    start: Start, tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("field_case", FIELD_CASE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "field_case", module)
    for once, today in ONCE_CALLED.items():
        monkeypatch.setitem(sys.modules, once, importlib.import_module(today))
    monkeypatch.setattr(attributes, "Rules", attributes.AttributeRules, raising=False)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "Authority", _Authority)
    folder = tmp_path / "theirs"
    folder.mkdir()

    class Ending(module.Strict):  # type: ignore[misc, name-defined]
        def run(self) -> None:
            with suppress(OSError):  # nobody listens any more
                super().run()

    strict = Ending(folder, **module.CASES[case])
    strict.start()
    files = (folder / "ca.pem", folder / f"{NAME}.pem", folder / f"{NAME}.key")
    try:
        sender = start(Address(NAME, "127.0.0.1", strict.port, *files, SITE))
        assert sender.deliver() == 0
        assert strict.broken == [] and strict.connections == 1
        assert strict.windows == ROWS
    finally:
        strict.listener.shutdown(socket.SHUT_RDWR)
        strict.listener.close()
