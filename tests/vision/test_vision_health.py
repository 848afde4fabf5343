"""What a door reports of itself, and when."""

from __future__ import annotations

import pytest

from doorsill.cells import FRESH_S, GONE_S, Picture
from doorsill.values import HealthCell, Quality
from doorsill.vision.health import EVERY_S, FIRST_S, HealthWatch

UTC = 1_800_000_000.0


def report(watch: HealthWatch, now: float) -> HealthCell:
    return watch.report(now, UTC, open_=True, timing=None, dropped=3)


@pytest.mark.parametrize(
    ("seen", "after_s", "open_", "picture"),
    [
        pytest.param(None, 0.0, True, Picture.UNKNOWN, id="it has just begun"),
        pytest.param(None, FRESH_S, True, Picture.NONE, id="no frame ever came"),
        pytest.param(Quality.GOOD, 0.1, True, Picture.FRESH, id="a frame just came"),
        pytest.param(Quality.FROZEN, 0.1, True, Picture.FROZEN, id="always the same"),
        pytest.param(Quality.GOOD, FRESH_S, True, Picture.OLD, id="the last is old"),
        pytest.param(Quality.GOOD, GONE_S, True, Picture.NONE, id="nothing any more"),
        pytest.param(Quality.GOOD, 0.1, False, Picture.CLOSED, id="the shop is closed"),
    ],
)
def test_what_the_camera_gives(
    seen: Quality | None, after_s: float, open_: bool, picture: Picture
) -> None:
    watch = HealthWatch(100.0)
    if seen is not None:
        watch.see(seen, 100.0)
    assert watch.picture(100.0 + after_s, open_=open_) is picture


def test_the_first_reports_come_soon_and_then_one_a_minute() -> None:
    watch, times = HealthWatch(0.0), []
    for tenth in range(3 * 600):
        now = tenth / 10
        watch.see(Quality.GOOD, now)
        if watch.is_due(now, open_=True):
            report(watch, now)
            times.append(now)
    assert times == [0.0, FIRST_S, FIRST_S + EVERY_S, FIRST_S + 2 * EVERY_S]


def test_another_picture_is_reported_at_once() -> None:
    watch = HealthWatch(0.0)
    watch.see(Quality.GOOD, 1.0)
    for now in (1.0, 6.0):  # the next one is due after a minute
        assert report(watch, now).picture is Picture.FRESH
    assert not watch.is_due(0.9 + FRESH_S, open_=True)
    assert watch.is_due(1.0 + FRESH_S, open_=True)


def test_a_report_counts_from_the_last_one_and_failures_from_the_start() -> None:
    watch = HealthWatch(0.0)
    watch.count_failure()
    for number in range(20):
        watch.count(inferred=number % 4 > 0)
    first, second = report(watch, 2.0), report(watch, 3.0)
    assert (first.frames, first.gated, first.frame_rate_milli) == (20, 5, 10_000)
    assert (second.frames, second.gated, second.frame_rate_milli) == (0, 0, 0)
    assert [each.camera_restarts for each in (first, second)] == [1, 1]
    assert (first.start, first.dropped) == (int(UTC), 3) and first.resident_kib > 0
