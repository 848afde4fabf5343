"""What leaves vision is a fixed-size message; a closed window is never lost."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import time
from dataclasses import fields
from pathlib import Path

import pytest
from children import started
from hypothesis import given
from hypothesis import strategies as st
from limits import END_S

from doorsill.cells import Age
from doorsill.channels import cell_link
from doorsill.channels.cell_link import (
    CellClient,
    CellServer,
    Received,
    connect_to_vision,
    pack,
    unpack,
)
from doorsill.errors import UplinkError
from doorsill.values import Cell, HealthCell, LineCell, LooksCell, Quality, ZoneCell

MANY = 2000  # cells, more than a socket holds
counts = st.integers(0, 2**32 - 1)
starts = st.integers(0, 2**40)
qualities = st.sampled_from([Quality.GOOD, Quality.DARK | Quality.GAP])
lines = st.builds(
    LineCell,
    line=st.integers(0, 65535),
    start=starts,
    duration_s=counts,
    closed=st.booleans(),
    count_in=counts,
    count_out=counts,
    coverage_ms=counts,
    quality=qualities,
)
zones = st.builds(
    ZoneCell,
    st.integers(0, 9),
    starts,
    counts,
    st.booleans(),
    *[counts] * 5,
    qualities,
)
looks = st.builds(
    LooksCell,
    line=st.integers(0, 7),
    start=starts,
    end=starts,
    ages=st.tuples(*[counts] * len(Age)),
    expressions=st.tuples(*[counts] * 3),
)
healths = st.builds(HealthCell, starts, *[counts] * 9)
cells = st.one_of(lines, zones, looks, healths)


def line(start: int, *, closed: bool = True) -> LineCell:
    return LineCell(0, start, 60, closed, 1, 2, 60_000, Quality.GOOD)


def packed(cell: Cell) -> bytes:
    return pack(Received(7, 1, cell))


@given(counts, counts, cells)
def test_every_cell_survives_its_message(run: int, sequence: int, cell: Cell) -> None:
    message = pack(Received(run, sequence, cell))
    assert len(message) <= cell_link.MESSAGE_LIMIT
    assert unpack(message) == Received(run, sequence, cell)


def test_a_message_has_one_size_whatever_was_seen() -> None:
    quiet = packed(line(0))
    busy = packed(LineCell(0, 0, 60, True, 9999, 9999, 1, Quality(3)))
    assert len(quiet) == len(busy)


def test_no_cell_of_a_line_has_a_place_for_what_somebody_looked_like() -> None:
    """The looks of one person never leave vision, not even in a running window."""
    for kind in (LineCell, ZoneCell, HealthCell):
        assert not {each.name for each in fields(kind)} & {"ages", "expressions"}
    assert {each.name for each in fields(LooksCell)} >= {"ages", "expressions"}


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x01", id="cut short"),
        pytest.param(packed(line(0)) + b"\x00", id="one byte more"),
        pytest.param(packed(line(0))[:-1], id="one byte less"),
        pytest.param(b"\x01" + packed(line(0))[1:], id="other version"),
        pytest.param(b"\x02\x09" + packed(line(0))[2:], id="unknown kind"),
        pytest.param(os.urandom(230_400), id="a picture"),
    ],
)
def test_anything_else_is_refused(message: bytes) -> None:
    with pytest.raises(UplinkError):
        unpack(message)


def test_a_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UplinkError, match="LineCell does not fit"):
        packed(LineCell(0, 0, 60, True, 2**40, 0, 0, Quality.GOOD))


def drain(server: CellServer, client: CellClient) -> list[Received]:
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
    assert [each.cell.start for each in received] == [0, 60, 120]
    first.acknowledge(received[1].sequence)
    first.close()
    second = CellClient(tmp_path / "cells.sock")
    assert [each.cell.start for each in drain(server, second)] == [120]
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
    assert [each.cell.closed for each in drain(server, client)] == [False]
    client.close()
    server.close()


def test_more_windows_than_the_socket_holds_arrive_in_order(tmp_path: Path) -> None:
    server = CellServer(tmp_path / "cells.sock")
    client = CellClient(tmp_path / "cells.sock")
    for start in range(3000):
        server.send(line(start))
    received = drain(server, client)
    assert [each.cell.start for each in received] == list(range(3000))
    client.acknowledge(received[-1].sequence)
    server.poll()
    assert server.pending == 0
    client.close()
    server.close()


def test_the_queue_is_bounded_and_a_loss_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_link, "QUEUE_LIMIT", 5)
    server = CellServer(tmp_path / "cells.sock")
    for start in range(8):
        server.send(line(start))
    assert (server.pending, server.dropped) == (5, 3)
    client = CellClient(tmp_path / "cells.sock")
    assert [each.cell.start for each in drain(server, client)] == [3, 4, 5, 6, 7]
    client.close()
    server.close()


def test_an_uplink_that_talks_nonsense_is_dropped(tmp_path: Path) -> None:
    server = CellServer(tmp_path / "cells.sock")
    line_to_vision = connect_to_vision(tmp_path / "cells.sock")
    client = CellClient(tmp_path / "cells.sock", lambda: line_to_vision)
    server.poll()
    line_to_vision.send(b"give me the picture")
    server.poll()
    with pytest.raises(UplinkError, match="vision went away"):
        client.receive(1)
    client.close()
    server.close()


def test_what_was_not_sent_is_not_acknowledged(tmp_path: Path) -> None:
    server = CellServer(tmp_path / "cells.sock")
    client = CellClient(tmp_path / "cells.sock")
    server.poll()
    for number in range(MANY):
        server.send(line(60 * number))  # more than the socket holds
    client.acknowledge(2**32 - 1)
    server.poll()
    sent = 0
    while client.receive(0) is not None:
        sent += 1
    assert 0 < sent < MANY
    assert server.pending == MANY - sent
    client.close()
    server.close()


def test_a_running_cell_acknowledges_the_closed_ones_before_it(tmp_path: Path) -> None:
    server = CellServer(tmp_path / "cells.sock")
    client = CellClient(tmp_path / "cells.sock")
    server.poll()
    server.send(line(0))
    server.send(line(60, closed=False))
    newest = drain(server, client)[-1]
    assert not newest.cell.closed
    client.acknowledge(newest.sequence)
    server.poll()
    assert server.pending == 0
    client.close()
    server.close()


STRANGER = """
import os, socket, struct, sys
os.setgid(12345); os.setuid(12345)
end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
end.connect(sys.argv[1]); end.settimeout(20)
try:
    end.send(struct.pack("<I", 2**32 - 1))
    print(len(end.recv(256)))
except OSError:
    print(0)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_stranger_neither_hears_nor_throws_the_uplink_out_nor_is_believed(
    tmp_path: Path,
) -> None:
    """Under the units the group of the socket is also the vault's and the policy's."""
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    path = tmp_path / "cells.sock"
    server = CellServer(path)
    path.chmod(0o666)  # as for one of the same group
    uplink = CellClient(path)
    for start in range(100):
        server.send(line(60 * start))
    command = [sys.executable, "-S", "-c", textwrap.dedent(STRANGER), str(path)]
    ends = time.monotonic() + END_S
    with started(command, stdout=subprocess.PIPE) as stranger:
        while stranger.poll() is None:
            assert time.monotonic() < ends, "the stranger did not end"
            server.poll()
        assert int(stranger.communicate(timeout=END_S)[0]) == 0
    assert server.pending == 100
    received = drain(server, uplink)
    assert len(received) == 100
    uplink.acknowledge(received[-1].sequence)
    server.poll()
    assert server.pending == 0
    uplink.close()
    server.close()


def test_strangers_do_not_fill_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_link, "user_of", lambda peer: 12345)
    server = CellServer(tmp_path / "cells.sock")
    for _ in range(50):
        CellClient(tmp_path / "cells.sock").close()
        server.poll()
    assert caplog.text.count("is refused as uplink") == 1
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
    monkeypatch.setattr(cell_link, "VISION_S", 0.05)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(1)
        client = CellClient(tmp_path / "s")
        with pytest.raises(UplinkError, match="vision went away"):
            for number in range(100_000):  # until the kernel keeps no more of them
                client.acknowledge(number)
        client.close()
