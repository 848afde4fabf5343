"""The door's own loop: what is due goes out at once, whoever listens."""

from __future__ import annotations

import time

import pytest
from bench.door import door

from doorsill.link import CellClient
from doorsill.values import LineCell


def test_a_closed_window_goes_at_once_though_the_uplink_is_looked_for_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with door() as found:
        monkeypatch.setattr("doorsill.vision.door.UPLINK_S", 1000.0)
        uplink = CellClient(found.config.cell_socket)
        found._tick()  # takes the uplink
        assert uplink.receive(0) is None
        found._window._end = int(time.time())  # the minute is over
        found._tick()
        sequence, cell = uplink.receive(0) or pytest.fail("nothing was sent")
        assert isinstance(cell, LineCell) and cell.closed
        uplink.acknowledge(sequence)
        found._tick()
        assert found.cells.pending == 1  # not yet looked at
        found._uplink_at = 0.0
        found._tick()
        assert found.cells.pending == 0
        uplink.close()
