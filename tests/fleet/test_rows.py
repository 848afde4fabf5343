"""Only what the wire schema allows becomes a row, and a wrong clock is seen."""

from __future__ import annotations

from typing import Any

import pytest
from any_message import messages
from hypothesis import given
from hypothesis import strategies as st
from messages import LINE, ZONE

from doorsill.errors import UntrustedError
from doorsill.privacy.floors import DAY_S
from doorsill.wire.codec import decode, encode
from doorsill.wire.messages import STREAMS, Message, stream_of, topic
from doorsill_fleet.store.doubt import AHEAD_S, KEPT_DAYS, doubt_of
from doorsill_fleet.store.rows import NOBODY, row_of, sender_of

NOW = LINE.end + 5
NAMES = st.text("abz019-", min_size=1, max_size=16)
TOPIC = f"doorsill/{'a'}/{'b'}/interval"


@given(messages, NAMES, NAMES)
def test_a_row_holds_every_column_and_its_sender(
    message: Message, site: str, device: str
) -> None:
    where = topic(site, device, stream_of(message))
    try:
        row = row_of(where, encode(message), NOW)
    except UntrustedError:  # a name that begins with a dash is none
        assert sender_of(where) == NOBODY
        return
    assert row.sender == (site, device) == sender_of(where)
    assert row.values.keys() == {column.name for column in row.table.columns}


PIECES = st.one_of(
    st.binary(max_size=80),
    st.text(max_size=40).map(str.encode),
    messages.map(encode),
)


@given(
    st.lists(PIECES, min_size=1, max_size=3).map(b"".join),
    st.sampled_from([*STREAMS, "snapshot", "#", ""]),
)
def test_whatever_comes_is_a_message_of_the_schema_or_refused(
    payload: bytes, stream: str
) -> None:
    try:
        row = row_of(f"doorsill/a/b/{stream}", payload, NOW)
    except UntrustedError:
        return
    assert encode(decode(stream, payload)) == payload
    assert all(isinstance(each, int | str | None) for each in row.values.values())


@given(st.text(max_size=90))
def test_whatever_the_topic_is_only_a_camera_has_a_row(name: str) -> None:
    with pytest.raises(UntrustedError):
        row_of(name, b"{}", NOW)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        pytest.param(NOW, "", id="now"),
        pytest.param(NOW + AHEAD_S, "", id="a clock that is a little ahead"),
        pytest.param(NOW + AHEAD_S + 1, "future", id="a time still to come"),
        pytest.param(NOW - KEPT_DAYS * DAY_S, "", id="as old as a device can keep it"),
        pytest.param(NOW - KEPT_DAYS * DAY_S - 1, "old", id="older than that"),
        pytest.param(NOW - 400 * DAY_S, "old", id="a clock 400 days back"),
        pytest.param(0, "old", id="1970"),
    ],
)
def test_a_time_that_cannot_be_is_doubted(end: int, said: str) -> None:
    assert doubt_of(end, NOW) == said


def test_a_zone_is_a_place_as_a_line_is() -> None:
    values: dict[str, Any] = row_of(TOPIC, encode(ZONE), NOW).values
    assert (values["place"], values["visits"], values["quality"]) == (1, 12, "")
    values = row_of(TOPIC, encode(LINE), NOW).values
    assert (values["place"], values["count_in"], values["quality"]) == (
        0,
        3,
        "dark gap",
    )
