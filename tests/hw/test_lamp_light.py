"""The power lamp can be seen, by calculation."""

from __future__ import annotations

import pytest

from interlock.lamp import SEEN_LUX, lux, words
from interlock.netlist import load_board


def test_it_is_seen_at_a_metre_at_its_worst() -> None:
    # (3.135 - 2.05) V / 474.7 ohm = 2.29 mA; 12.5 cd/A and half of it
    assert lux(load_board()) == pytest.approx(0.0143, abs=0.0002)
    assert lux(load_board()) > 10 * SEEN_LUX
    assert "14 times what is seen by day" in words(load_board())


def test_at_two_metres_it_is_a_quarter() -> None:
    assert lux(load_board(), 2.0) == pytest.approx(lux(load_board()) / 4)
