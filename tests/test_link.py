"""What leaves vision is a fixed-size message; a closed window is never lost."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorsill import link
from doorsill.errors import UplinkError
from doorsill.link import CellClient, CellServer, pack, unpack
from doorsill.values import Cell, HealthCell, LineCell, Quality, ZoneCell

counts = st.integers(0, 2**32 - 1)
starts = st.integers(0, 2**40)
lines = st.builds(
    LineCell,
    epoch=counts,
    line=st.integers(0, 65535),
    start=starts,
    duration_s=counts,
    closed=st.booleans(),
    count_in=counts,
    count_out=counts,
    total_in=counts,
    total_out=counts,
    coverage_ms=counts,
    quality=st.sampled_from([Quality.GOOD, Quality.DARK | Quality.GAP]),
    ages=st.tuples(*[counts] * 5),
    expressions=st.tuples(*[counts] * 3),
)
zones = st.builds(
    ZoneCell, counts, st.integers(0, 9), starts, counts, st.booleans(), counts, counts,
    counts, counts, counts, st.just(Quality.MOVED),
)  # fmt: skip
healths = st.builds(HealthCell, counts, starts, *[counts] * 9)


def line(start: int, *, closed: bool = True) -> LineCell:
    return LineCell(7, 0, start, 60, closed, 1, 2, 3, 4, 60_000, Quality.GOOD)


@given(st.integers(0, 2**32 - 1), st.one_of(lines, zones, healths))
def test_every_cell_survives_its_message(sequence: int, cell: Cell) -> None:
    message = pack(sequence, cell)
    assert len(message) <= link.MESSAGE_LIMIT
    assert unpack(message) == (sequence, cell)


def test_a_message_has_one_size_whatever_was_seen() -> None:
    quiet = pack(1, line(0))
    busy = pack(1, LineCell(7, 0, 0, 60, True, 9999, 9999, 10**6, 10**6, 1, Quality(3)))
    assert len(quiet) == len(busy)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x01", id="cut short"),
        pytest.param(pack(1, line(0)) + b"\x00", id="one byte more"),
        pytest.param(pack(1, line(0))[:-1], id="one byte less"),
        pytest.param(b"\x02" + pack(1, line(0))[1:], id="other version"),
        pytest.param(b"\x01\x09" + pack(1, line(0))[2:], id="unknown kind"),
        pytest.param(os.urandom(230_400), id="a picture"),
    ],
)
def test_anything_else_is_refused(message: bytes) -> None:
    with pytest.raises(UplinkError):
        unpack(message)


def test_a_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UplinkError, match="LineCell does not fit"):
        pack(1, LineCell(7, 0, 0, 60, True, 2**40, 0, 0, 0, 0, Quality.GOOD))


def drain(server: CellServer, client: CellClient) -> list[tuple[int, Cell]]:
    received = []
    server.poll()
    while (item := client.receive(0)) is not None:
        received.append(item)
        server.poll()
    return received


def test_unacknowledged_windows_are_sent_again_to_the_next_uplink(
    tmp_path: Path,
) -> None:
    server = CellServer(tmp_path / "cells.sock")
    for start in (0, 60, 120):
        server.send(line(start))
    first = CellClient(tmp_path / "cells.sock")
    received = drain(server, first)
    assert [cell.start for _, cell in received] == [0, 60, 120]
    first.acknowledge(received[1][0])
    first.close()
    second = CellClient(tmp_path / "cells.sock")
    assert [cell.start for _, cell in drain(server, second)] == [120]
    second.close()
    server.close()


def test_a_running_window_goes_to_whoever_listens_and_is_not_kept(
    tmp_path: Path,
) -> None:
    server = CellServer(tmp_path / "cells.sock")
    server.send(line(0, closed=False))
    assert server.pending == 0
    client = CellClient(tmp_path / "cells.sock")
    assert drain(server, client) == []
    server.send(line(0, closed=False))
    assert [cell.closed for _, cell in drain(server, client)] == [False]
    client.close()
    server.close()


def test_more_windows_than_the_socket_holds_arrive_in_order(tmp_path: Path) -> None:
    server = CellServer(tmp_path / "cells.sock")
    client = CellClient(tmp_path / "cells.sock")
    for start in range(3000):
        server.send(line(start))
    received = drain(server, client)
    assert [cell.start for _, cell in received] == list(range(3000))
    client.acknowledge(received[-1][0])
    server.poll()
    assert server.pending == 0
    client.close()
    server.close()


def test_the_queue_is_bounded_and_a_loss_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "QUEUE_LIMIT", 5)
    server = CellServer(tmp_path / "cells.sock")
    for start in range(8):
        server.send(line(start))
    assert (server.pending, server.dropped) == (5, 3)
    client = CellClient(tmp_path / "cells.sock")
    assert [cell.start for _, cell in drain(server, client)] == [3, 4, 5, 6, 7]
    client.close()
    server.close()


def test_an_uplink_that_talks_nonsense_is_dropped(tmp_path: Path) -> None:
    server = CellServer(tmp_path / "cells.sock")
    client = CellClient(tmp_path / "cells.sock")
    server.poll()
    client._socket.send(b"give me the picture")
    server.poll()
    with pytest.raises(UplinkError, match="vision went away"):
        client.receive(1)
    client.close()
    server.close()


def test_no_vision_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UplinkError, match=r"vision does not listen on .*cells\.sock"):
        CellClient(tmp_path / "cells.sock")


def test_a_vision_that_hangs_takes_nobody_and_holds_nobody_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(0)
        before = CellClient(tmp_path / "s")
        with pytest.raises(UplinkError, match="vision does not listen"):
            CellClient(tmp_path / "s")
        before.close()


def test_an_acknowledgement_that_nobody_takes_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "VISION_S", 0.05)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(1)
        client = CellClient(tmp_path / "s")
        with pytest.raises(UplinkError, match="vision went away"):
            for number in range(100_000):  # until the kernel keeps no more of them
                client.acknowledge(number)
        client.close()
