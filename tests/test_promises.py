"""Each line of the promises, and the test that would break with it.

The sentences are the README's. A promise that is kept by a part has its many cases in
that part's tests; here it is shown whole, once, from outside.
"""

from __future__ import annotations

import ast
import random
import secrets
import socket
import ssl
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from broker import SITE, Listener, Site, device, until
from kills import Camera, database, run
from messages import EVERY, line

from doorsill.cells import LineCell, Quality
from doorsill.errors import UntrustedError
from doorsill.privacy.budget import Ledger
from doorsill.privacy.floors import SLOT_S
from doorsill.uplink.codec import decode, encode
from doorsill.uplink.guard import RATES, EgressGuard, Outgoing
from doorsill.uplink.looks import Desk, Rules, consider
from doorsill.uplink.publisher import Answered
from doorsill.uplink.reports import Release
from doorsill.uplink.rules import rules_of
from doorsill.uplink.wire import Attributes, stream_of
from doorsill_fleet.broker import client_context
from doorsill_fleet.ca import Authority

FIRMWARE = Path(__file__).parent.parent / "firmware" / "doorsill"
RELEASE = Release("0.1.0", "ab" * 16, "cd" * 16)


# P1


def test_only_counts_leave_the_camera_no_message_can_carry_an_image() -> None:
    """Nor an embedding, a box, a track id or free text: there is no room for them."""
    picture = random.Random(7).randbytes(1024)
    guard = EgressGuard(SITE, "cam-01", b"{}")
    for stream in RATES:
        for size in (16, 64, 512, 1024):
            with pytest.raises(UntrustedError):
                guard.check(stream, picture[:size], 0.0)
    for message in EVERY:
        assert sum(rule.bits for _, _, rule in rules_of(type(message))) < 128 * 8
        assert guard.check(stream_of(message), encode(message), 0.0)
    with pytest.raises(UntrustedError, match="only the egress guard"):
        Outgoing("doorsill/x", picture, False, None)


def test_only_the_publisher_can_put_a_byte_on_the_network() -> None:
    """By the imports: TLS and MQTT stand in one file of what runs at a door.

    ``models_fetch`` is a command that a person gives; no process of ours loads it.
    """
    found = set()
    for path in FIRMWARE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            if any(name.split(".")[0] in {"paho", "ssl", "http"} for name in names):
                found.add(path.relative_to(FIRMWARE).as_posix())
    assert found - {"models_fetch.py"} == {"uplink/publisher.py"}


# P7


def minute(slot: int, looked_at: int) -> LineCell:
    day = 20_000 * 86_400
    return LineCell(
        epoch=1, line=0, start=day + slot * SLOT_S, duration_s=60, closed=True,
        count_in=looked_at + 2, count_out=0, total_in=1, total_out=0,
        coverage_ms=60_000, quality=Quality.GOOD,
        ages=(0, 0, looked_at, 0, 0), expressions=(looked_at, 0, 0),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("people", "reports"),
    [
        pytest.param([9, 0], [], id="nine are never told"),
        pytest.param([10, 0], [12], id="ten are, with those not looked at as unknown"),
        pytest.param([4, 5, 3, 0], [18], id="few are told together with later ones"),
        pytest.param([500, 500, 0], [502, 502], id="many are told in disjoint spans"),
    ],
)
def test_age_and_expression_are_told_of_ten_people_or_more_with_noise_from_a_budget(
    people: list[int], reports: list[int]
) -> None:
    cells = [minute(slot, number) for slot, number in enumerate(people)]
    rules = Rules(attributes=True, k=1, daily_micro=10**9, lines=1)  # asks for too much
    voice = (RELEASE, secrets.randbelow)
    told = consider(Desk(), cells, rules, Ledger(0, 0), voice)
    messages = [decode("attributes", each.payload) for each in told.reports]
    assert all(isinstance(each, Attributes) and each.k == 10 for each in messages)
    assert [each.people for each in messages if isinstance(each, Attributes)] == reports
    spent = told.ledger.spent_micro if told.ledger else 0
    assert spent == 250_000 * len(reports) <= 2_000_000


def test_two_reports_of_the_same_people_differ_by_their_noise() -> None:
    rules = Rules(attributes=True, k=10, daily_micro=2_000_000, lines=1)
    cells = [minute(0, 100), minute(1, 0)]
    told = {
        consider(Desk(), cells, rules, Ledger(0, 0), (RELEASE, secrets.randbelow))
        .reports[0]
        .payload
        for _ in range(5)
    }
    assert len(told) == 5


# P11


def test_nothing_is_lost_a_crash_loses_no_closed_window(
    own_site: Site, tmp_path: Path
) -> None:
    with database(own_site, tmp_path) as (store, subscriber):
        camera = Camera(own_site, tmp_path / "cam", "cam-01")
        outcome = run(camera, store, subscriber, kills=1, seed=11)
    assert (outcome.lost, outcome.invented) == (0, 0)


# P12


def test_a_stranger_gets_nothing(site: Site) -> None:
    """No certificate, a certificate of another CA, an older TLS, no TLS at all."""
    theirs = site.address("cam-90", Authority.create("theirs", datetime.now(UTC)))
    ours = site.address("cam-91")
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.load_verify_locations(ours.ca)
    older = client_context(ours.ca, ours.certificate, ours.key)
    older.minimum_version = older.maximum_version = ssl.TLSVersion.TLSv1_2
    stranger = client_context(theirs.ca, theirs.certificate, theirs.key)
    for context in (nobody, older, stranger, None):
        assert greeting(site, context)[:1] != b"\x20"
    friend = client_context(ours.ca, ours.certificate, ours.key)
    assert greeting(site, friend)[:1] == b"\x20"  # negative control: a CONNACK


def greeting(site: Site, context: ssl.SSLContext | None) -> bytes:
    """What the broker answers to an MQTT 5 CONNECT, nothing if it hangs up."""
    try:
        with socket.create_connection(("127.0.0.1", site.broker.port), 5) as plain:
            link = (
                plain
                if context is None
                else context.wrap_socket(plain, server_hostname="localhost")
            )
            with link:
                link.sendall(
                    bytes.fromhex("101300044d5154540502003c00000663616d2d3931")
                )
                return link.recv(4)
    except OSError:
        return b""


def test_a_device_can_write_only_its_own_topics_and_read_no_others(site: Site) -> None:
    camera = device(site.address("cam-92")).connect()
    as_other = EgressGuard(SITE, "cam-93")
    with (
        closing(Listener(site.address("store"), f"doorsill/{SITE}/#")) as store,
        closing(Listener(site.address("cam-94"), "#")) as nosy,
    ):
        camera.publisher.send(as_other.check("interval", encode(line(60)), 0.0), 1)
        camera.publisher.send(camera.guard.check("interval", encode(line(0)), 0.0), 2)
        camera.wait(lambda: len(camera.heard(Answered)) == 2)
        until(lambda: any("/cam-92/" in topic for topic, _, _ in store.messages))
        assert [event.accepted for event in camera.heard(Answered)] == [False, True]
        assert not any("/cam-93/" in topic for topic, _, _ in store.messages)
        assert nosy.messages == []
    camera.publisher.stop()
