"""Every byte passes the guard; an attempt to smuggle something is stopped."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import replace

import pytest
from messages import EVERY, LINE, LIVE

from doorsill.errors import UntrustedError, UplinkError
from doorsill.wire import guard as guard_module
from doorsill.wire.codec import encode
from doorsill.wire.discovery import describe
from doorsill.wire.guard import DISCOVERY, RATES, EgressGuard, Outgoing, RateError
from doorsill.wire.messages import LARGEST_BYTES, Message, stream_of

DESCRIPTION = describe("shop-1", "cam-01", "0.1.0", ["door"])
PICTURE = random.Random(1).randbytes(96 * 96 * 3)


def guard() -> EgressGuard:
    return EgressGuard("shop-1", "cam-01", DESCRIPTION)


@pytest.mark.parametrize("message", EVERY, ids=lambda each: type(each).__name__)
def test_a_good_message_passes_under_our_own_topic(message: Message) -> None:
    stream = stream_of(message)
    outgoing = guard().check(stream, encode(message), 0.0)
    assert outgoing.topic == f"doorsill/shop-1/cam-01/{stream}"
    assert outgoing.retain == (stream in {"live", "health", "state"})


def test_what_passed_is_counted() -> None:
    eye = guard()
    outgoing = eye.check("interval", encode(LINE), 0.0)
    assert eye.passed == 1
    assert eye.passed_bytes == len(outgoing.payload) + len(outgoing.topic)


def stuffed(**changes: object) -> bytes:
    return json.dumps({**json.loads(encode(LINE)), **changes}).encode()


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(PICTURE, id="a raw picture"),
        pytest.param(PICTURE[:900], id="a part of a picture"),
        pytest.param(base64.b64encode(PICTURE[:600]), id="base64 alone"),
        pytest.param(
            stuffed(image=base64.b64encode(PICTURE[:300]).decode()), id="an extra key"
        ),
        pytest.param(
            stuffed(model=base64.b64encode(PICTURE[:48]).decode()), id="base64 as hash"
        ),
        pytest.param(
            stuffed(total_in=int.from_bytes(PICTURE[:300], "big")),
            id="a number of 2,400 bits is a picture",
        ),
        pytest.param(
            encode(LIVE).replace(b'"in":3', b'"in":%d' % 2**1600, 1), id="in a row"
        ),
        pytest.param(stuffed(quality=["anna, 34, red coat"]), id="free text as word"),
        pytest.param(stuffed(line=[0.1] * 60), id="an embedding as line"),
        pytest.param(
            json.dumps(
                {"x0": 0.1, "y0": 0.2, "x1": 0.3, "y1": 0.9, "track": 7}
            ).encode(),
            id="a box and a track id",
        ),
        pytest.param(
            b" ".join(encode(LINE).partition(b",")), id="bits in the white space"
        ),
        pytest.param(encode(LINE) + encode(LINE), id="two messages in one"),
        pytest.param(DESCRIPTION, id="the description on another stream"),
    ],
)
def test_smuggling_is_stopped_on_every_stream(payload: bytes) -> None:
    eye = guard()
    for stream in RATES:
        if stream == DISCOVERY and payload == DESCRIPTION:
            continue
        with pytest.raises(UntrustedError):
            eye.check(stream, payload, 0.0)
    assert eye.passed == eye.passed_bytes == 0


def test_negative_control_the_same_bytes_unstuffed_pass() -> None:
    """The tries above fail for what was stuffed in, not for how they are made."""
    table = json.loads(encode(LINE))
    assert guard().check(
        "interval", json.dumps(table, separators=(",", ":")).encode(), 0
    )


@pytest.mark.parametrize("kind", [bytearray, memoryview, str])
def test_only_bytes_can_pass(kind: type) -> None:
    payload = encode(LINE)
    with pytest.raises(UntrustedError, match="is not bytes"):
        guard().check("interval", payload.decode() if kind is str else kind(payload), 0)


def test_nobody_else_makes_an_outgoing_message() -> None:
    with pytest.raises(UntrustedError, match="only the egress guard"):
        Outgoing("doorsill/shop-1/cam-01/interval", PICTURE, False, object())
    passed = guard().check("interval", encode(LINE), 0.0)
    assert "seal" not in repr(passed)
    with pytest.raises(UntrustedError, match="only the egress guard"):
        replace(passed, payload=PICTURE, seal=None)


def test_the_description_passes_only_as_it_follows_from_the_policy() -> None:
    eye = guard()
    assert eye.check(DISCOVERY, DESCRIPTION, 0).topic == (
        "homeassistant/device/shop-1_cam-01/config"
    )
    with pytest.raises(UntrustedError, match="not the description"):
        eye.check(DISCOVERY, DESCRIPTION.replace(b"people", b"Miller"), 0)
    with pytest.raises(UntrustedError, match="not the description"):
        EgressGuard("shop-1", "cam-01", None).check(DISCOVERY, DESCRIPTION, 0)


@pytest.mark.parametrize("stream", list(RATES))
def test_more_than_the_rate_waits_and_then_passes(stream: str) -> None:
    eye = guard()
    good = {stream_of(each): encode(each) for each in EVERY} | {DISCOVERY: DESCRIPTION}
    rate = RATES[stream]
    for _ in range(rate.burst):
        eye.check(stream, good[stream], 100.0)
    with pytest.raises(RateError, match=f"{stream}: more than {rate.burst}") as caught:
        eye.check(stream, good[stream], 100.0)
    assert isinstance(caught.value, UplinkError)
    with pytest.raises(RateError):
        eye.check(stream, good[stream], 50.0)  # a clock set back gains nothing
    eye.check(stream, good[stream], 101.01 + 1 / rate.per_second)


def test_the_last_will_is_kept_at_the_broker_as_every_state_is() -> None:
    (state,) = (each for each in EVERY if stream_of(each) == "state")
    will = guard().will(encode(state))
    assert will.retain and will.topic == "doorsill/shop-1/cam-01/state"


def test_a_second_gives_its_share_once() -> None:
    eye, live = guard(), encode(LIVE)
    for _ in range(RATES["live"].burst):
        eye.check("live", live, 100.0)
    eye.check("live", live, 101.0)
    with pytest.raises(RateError):
        eye.check("live", live, 101.0)


def test_the_bounds_are_those_that_were_decided() -> None:
    """A person who changes one has to change it here as well."""
    assert {name: (rate.per_second, rate.burst) for name, rate in RATES.items()} == {
        "interval": (600.0, 600),
        "attributes": (1.0, 64),
        "live": (1.0, 10),
        "health": (0.2, 10),
        "state": (0.5, 20),
        "certificate": (0.01, 10),
        "discovery": (0.1, 10),
    }
    assert {guard_module.QOS[name] for name in RATES} == {1}
    assert guard_module.DISCOVERY_LARGEST_BYTES == 24_576


@pytest.mark.parametrize(
    ("size", "good"),
    [(24_576, True), (24_577, False)],
    ids=["as large as may be", "larger"],
)
def test_a_description_has_a_largest_size(size: int, good: bool) -> None:
    eye = EgressGuard("shop-1", "cam-01", bytes(size))
    if good:
        assert eye.check(DISCOVERY, bytes(size), 0).payload == bytes(size)
    else:
        with pytest.raises(UntrustedError, match="not the description"):
            eye.check(DISCOVERY, bytes(size), 0)


def test_the_rates_leave_no_room_for_a_film() -> None:
    """All streams together, each message as full of bits as its rules allow."""
    assert sum(rate.per_second for rate in RATES.values()) * 128 < 100_000
    assert LARGEST_BYTES == 1024


def test_the_will_is_checked_too() -> None:
    with pytest.raises(UntrustedError):
        guard().will(PICTURE)
