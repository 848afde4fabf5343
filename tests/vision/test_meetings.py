"""Who meets somebody keeps the id, or gets it back when the two have parted."""

from __future__ import annotations

import numpy as np
import pytest

from doorsill.values import Detections
from doorsill.vision.follow.meetings import MEETINGS_LIMIT, PARTED_S, WAIT_S, Meetings
from doorsill.vision.follow.person import Below, Person
from doorsill.vision.follow.tracker import Tracker

WIDE = 0.1
Speed = tuple[float, float]
IN, OUT, STANDS = (0.0, 0.3), (0.0, -0.3), (0.0, 0.0)


def person(track: int, before: Speed, now: Speed) -> Person:
    """A confirmed track that moved so before somebody came near, and moves so now."""
    (calm_x, calm_y), (x, y) = before, now
    return Person(
        track,
        0.5,
        0.5,
        Below(*(0.0,) * 6),
        WIDE,
        1.0,
        x,
        y,
        calm_x,
        calm_y,
        confirmed=True,
    )


def meet(one: Person, other: Person) -> Meetings:
    meetings = Meetings()
    meetings.note([one, other], [[(1.0, 7)], [(2.0, 7)]], now=1.0)
    return meetings


@pytest.mark.parametrize(
    ("one", "other", "swapped"),
    [
        pytest.param((IN, OUT), (OUT, IN), True, id="each walks on as the other"),
        pytest.param((IN, IN), (OUT, OUT), False, id="each walks on"),
        pytest.param((STANDS, IN), (IN, STANDS), True, id="one had stood there"),
        pytest.param((IN, OUT), (OUT, OUT), False, id="one turns back"),
        pytest.param((IN, OUT), (IN, OUT), False, id="a pair turns back"),
        pytest.param((IN, STANDS), (OUT, STANDS), False, id="both stop"),
    ],
)
def test_ids_are_swapped_back_where_each_walks_on_as_the_other_did(
    one: tuple[Speed, Speed], other: tuple[Speed, Speed], swapped: bool
) -> None:
    people = [person(1, *one), person(2, *other)]
    meetings = meet(*people)
    assert not meetings.settle(people, 1.0 + PARTED_S / 2)  # not yet
    walk_on = STANDS not in (one[1], other[1])
    assert meetings.settle(people, 1.1 + PARTED_S) is (swapped and walk_on)
    assert len(meetings) == (0 if walk_on else 1)  # who gave way is waited for
    assert meetings.settle(people, 1.1 + WAIT_S) is (swapped and not walk_on)
    assert [each.id for each in people] == ([2, 1] if swapped else [1, 2])
    assert len(meetings) == 0 and [each.met for each in people] == [0, 0]


def test_who_wants_something_else_or_is_unconfirmed_meets_nobody() -> None:
    one, other = person(1, IN, OUT), person(2, OUT, IN)
    meetings = Meetings()
    meetings.note([one, other], [[(1.0, 3)], [(1.0, 4)]], now=1.0)
    other.confirmed = False
    meetings.note([one, other], [[(1.0, 3)], [(1.0, 3)]], now=1.0)
    assert len(meetings) == 0 and one.met == other.met == 0


def test_nothing_is_kept_of_a_track_that_ended() -> None:
    one, other = person(1, IN, OUT), person(2, OUT, IN)
    meetings = meet(one, other)
    assert len(meetings) == 1  # negative control
    assert not meetings.settle([one], 1.1 + PARTED_S)
    assert len(meetings) == 0 and one.met == 0


def test_meetings_are_bounded() -> None:
    people = [person(track, IN, IN) for track in range(40)]
    meetings = Meetings()
    meetings.note(people, [[(1.0, 5)]] * 20 + [[(1.0, 5), (1.0, 6)]] * 20, now=1.0)
    for first in people:
        for second in people:
            if first.id < second.id:
                meetings.note([first, second], [[(1.0, 0)], [(1.0, 0)]], now=1.0)
    assert len(meetings) == MEETINGS_LIMIT


def feet_of(*places: tuple[float, float]) -> Detections:
    at = np.array(places, np.float32).reshape(-1, 2)
    x, y = at[:, 0], at[:, 1]
    boxes = np.stack([x - 0.03, y - 0.2, x + 0.03, y], axis=1)
    heads = np.stack([x - 0.015, y - 0.2, x + 0.015, y - 0.16], axis=1)
    return Detections(boxes, np.full(len(at), 0.9, np.float32), heads, at)


def test_two_who_meet_while_one_box_stands_for_both_go_on_under_their_ids() -> None:
    tracker = Tracker()
    ways = np.linspace(0.3, 0.9, 40)
    for row, y in enumerate(ways):
        here, there = (0.49, float(y)), (0.51, float(1.2 - y))
        merged = abs(here[1] - there[1]) < 0.06
        middle = ((here[0] + there[0]) / 2, (here[1] + there[1]) / 2)
        seen = feet_of(middle) if merged else feet_of(here, there)
        tracks = tracker.update(seen, row * 0.08)
        if row == 5:
            first = tracks.ids[np.argsort(tracks.detection)].tolist()
    assert tracks.ids[np.argsort(tracks.detection)].tolist() == first
