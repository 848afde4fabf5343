"""SIGKILL at any moment loses no window and counts none twice; an outage is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from broker import Site
from kills import START, Camera, compare, database, replay, run
from limits import wait_until


@pytest.mark.parametrize("seed", range(2))
def test_kill_9_loses_and_duplicates_nothing(
    own_site: Site, tmp_path: Path, seed: int
) -> None:
    """Two kills a run here; the bench does thirty runs."""
    with database(own_site, tmp_path) as (store, subscriber):
        camera = Camera(own_site, tmp_path / "cam", "cam-01")
        outcome = run(camera, store, subscriber, kills=2, seed=seed)
    assert (outcome.lost, outcome.invented) == (0, 0)
    assert len(outcome.killed_at) == 2


def test_a_back_log_is_told_in_order_and_as_history(
    own_site: Site, tmp_path: Path
) -> None:
    """1,500 minutes here; 90 days, 129,600, in the bench."""
    with database(own_site, tmp_path) as (store, subscriber):
        camera = Camera(own_site, tmp_path / "cam", "cam-01")
        told = replay(camera, store, subscriber, 1500)
    assert told.windows == told.historical == 1500
    assert told.in_order
    assert told.resident_kib < 90 * 1024


def test_the_process_is_confined_small_and_ends_when_asked(
    own_site: Site, tmp_path: Path
) -> None:
    camera = Camera(own_site, tmp_path / "cam", "cam-01")
    with database(own_site, tmp_path) as (store, _):
        camera.start()
        wait_until(lambda: store.latest("cam-01", "state"), within_s=60)
        status = camera.status()
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        assert camera.resident_kib() < 90 * 1024
        assert camera.stop() == 0, camera.words()
        wait_until(lambda: b"disconnected" in (store.latest("cam-01", "state") or b""))


def test_negative_control_a_lost_and_a_doubled_window_are_found() -> None:
    rows = [(START + 60 * n, n % 7, n % 5, "") for n in range(100)]
    assert compare(rows, 100) == (0, 0)
    assert compare(rows[1:], 100) == (1, 0)
    assert compare([*rows, rows[7]], 100) == (0, 1)
    assert compare([*rows[:-1], (START, 6, 4, "gap")], 100) == (1, 1)
