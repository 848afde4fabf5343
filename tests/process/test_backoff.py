"""How long is waited before the next try."""

from __future__ import annotations

from doorsill.process.backoff import SETTLED_S, Failures, wait_after


def test_waits_double_up_to_a_minute() -> None:
    waits = [wait_after(n) for n in range(1, 10)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert wait_after(10_000) == 60


def test_what_settled_begins_with_short_waits_again() -> None:
    failures = Failures()
    assert [failures.failed(t) for t in (0.0, 1.0, 2.0)] == [0.5, 1.0, 2.0]
    failures.works(10.0)
    failures.works(24.0)
    assert failures.failed(10.0 + SETTLED_S - 0.5) == 4.0, "half a second too early"
    failures.works(50.0)
    assert failures.failed(50.0 + SETTLED_S) == 0.5
    assert failures.total == 5
