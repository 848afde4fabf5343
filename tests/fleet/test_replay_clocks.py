"""One clock for the office, of many processes that are stopped at any moment."""

from __future__ import annotations

from pathlib import Path

from replay.clocks import ONE, Clocks

NOON = 1_777_000_000  # UTC s


def test_the_office_has_the_clock_that_is_furthest(tmp_path: Path) -> None:
    path = tmp_path / "clocks"
    shops, office = Clocks(path), Clocks(path)
    assert office.latest() == 0
    shops.put(3, NOON, 10)
    shops.put(1, NOON - 86_400, 20)
    assert office.latest() == NOON
    assert sum(sent for _, sent in office.rows()) == 30


def test_its_clock_never_goes_back(tmp_path: Path) -> None:
    """A process that is stopped within a write may leave anything in its row."""
    path = tmp_path / "clocks"
    shops, office = Clocks(path), Clocks(path)
    shops.put(5, NOON, 0)
    assert office.latest() == NOON
    with path.open("r+b") as file:
        file.seek(5 * ONE.size)
        file.write(bytes(ONE.size))
    assert office.rows()[5] == (0, 0)
    assert office.latest() == NOON
