"""Whom bad detections gave two tracks is one; two who walk together are two."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from walks import WIDE, Step, tally, tracks_of

from doorsill.values import Crossing, Detections
from doorsill.vision.count.line import DECIDED_WITHIN_S, LineCounter
from doorsill.vision.count.zone import ZoneCounter
from doorsill.vision.follow.person import Below, Person
from doorsill.vision.follow.tracker import Tracker
from doorsill.vision.follow.twins import LOST_S, merge_twins

WALKS, BACK, STANDS = (0.0, 0.06), (0.0, -0.06), (0.0, 0.0)
OLD = Person(
    1,
    *(0.5, 0.5),
    Below(*(0.0,) * 6),
    WIDE,
    9.9,
    *WALKS,
    confirmed=True,
    began=5.0,
    pictures=0b1111_0000_0010,
)
YOUNG = replace(OLD, id=2, x=0.53, seen=10.0, began=9.4, pictures=0b1111_1101)
AFTER = 10.0
ACROSS = [((0.0, 0.5), (1.0, 0.5))]  # left of it is up: IN is downwards
old, young = partial(replace, OLD), partial(replace, YOUNG)


def merged(one: Person, other: Person) -> list[int]:
    """The ids that are left; ``one`` was not found in this picture, ``other`` was."""
    people, partner = [one, other], [-1, 3]
    merge_twins(people, partner, AFTER)
    assert len(people) == len(partner)
    return [each.id for each in people]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(old(), young(), id="seen in turns"),
        pytest.param(old(pictures=0b1111_0000_0000), young(), id="the old one is lost"),
        pytest.param(
            young(pictures=0b1110_0000),
            old(pictures=0b1111_0000_0111),
            id="the young one is lost",
        ),
    ],
)
def test_the_older_track_goes_on_alone_where_the_person_was_found(
    one: Person, other: Person
) -> None:
    people, partner = [one, other], [-1, 3]
    assert merge_twins(people, partner, AFTER) == [(2, 1)]
    assert [each.id for each in people] == [1] and partner == [3]
    assert people[0].x == other.x and people[0].seen == other.seen


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(old(pictures=0b1111_0000_0100), young(), id="once both were seen"),
        pytest.param(old(), young(pictures=0b1101, began=9.4), id="too few pictures"),
        pytest.param(old(), young(began=9.7), id="too young"),
        pytest.param(old(), young(entered=True), id="came in at the edge"),
        pytest.param(old(), young(x=0.5 + 2.1 * WIDE), id="too far"),
        pytest.param(old(speed_y=BACK[1]), young(), id="the other way"),
        pytest.param(old(speed_y=STANDS[1]), young(), id="one stands, as a plant does"),
        pytest.param(old(seen=AFTER - LOST_S - 0.1), young(), id="lost for too long"),
        pytest.param(old(confirmed=False), young(), id="one is not confirmed"),
    ],
)
def test_two_are_two(one: Person, other: Person) -> None:
    assert merged(old(), young()) == [1]  # negative control
    assert merged(one, other) == [1, 2]


@pytest.mark.parametrize(
    ("births", "pictures", "twins"),
    [
        pytest.param(1.0, 0b1111_0000_0000_0100, True, id="once in eleven pictures"),
        pytest.param(1.0, 0b1111_0010_0000_0100, False, id="twice in eleven"),
        pytest.param(0.05, 0b1111_0000_0000_0100, False, id="false boxes are rare"),
    ],
)
def test_both_are_found_by_chance_only_where_false_boxes_come_often(
    births: float, pictures: int, twins: bool
) -> None:
    people = [old(pictures=pictures), young(pictures=0b0111_1101_1111, began=9.1)]
    found = merge_twins(people, [-1, 3], AFTER, births)
    assert found == ([(2, 1)] if twins else [])


def _counted(steps: list[tuple[Step, tuple[tuple[int, int], ...]]]) -> tuple[int, int]:
    """What is counted where pairs of tracks are merged after a step."""
    counter, now, found = LineCounter(ACROSS), 10.0, list[Crossing]()
    for step, pairs in steps:
        tracks = tracks_of(step, tuple(twin for twin, _ in pairs))
        found += counter.update(replace(tracks, merged=pairs), now)
        now += 0.08
    for late in np.arange(now, now + DECIDED_WITHIN_S, 0.5):
        found += counter.update(tracks_of({}), late)
    return tally(found)


def _walk(first: Step, last: Step, steps: int) -> list[tuple[Step, tuple[()]]]:
    shares = np.linspace(0, 1, steps)
    return [
        (
            {
                track: (x, y + share * (last[track][1] - y))
                for track, (x, y) in first.items()
            },
            (),
        )
        for share in shares
    ]


@pytest.mark.parametrize("behind", [0.3, 0.42], ids=["far behind", "just behind"])
def test_what_a_second_track_has_booked_is_not_booked_again(behind: float) -> None:
    """The second one is over the line and booked before the two become one."""
    ahead = _walk({1: (0.5, 0.2), 2: (0.5, 0.3)}, {1: (0.5, behind), 2: (0.5, 0.9)}, 60)
    one: list[tuple[Step, tuple[tuple[int, int], ...]]] = [({1: (0.5, 0.9)}, ((2, 1),))]
    alone = _walk({1: (0.5, 0.9)}, {1: (0.5, 0.95)}, 10)
    assert _counted([*ahead, *one, *alone]) == (1, 0)
    apart = _walk({1: (0.5, behind)}, {1: (0.5, 0.95)}, 30)
    assert _counted([*ahead, *apart]) == (2, 0)  # negative control


@pytest.mark.parametrize(("pairs", "visits"), [(((2, 1),), 0), ((), 1)])
def test_a_second_track_leaves_no_visit_in_a_zone(
    pairs: tuple[tuple[int, int], ...], visits: int
) -> None:
    zones = ZoneCounter([((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6))], 4 / 3)
    both: Step = {1: (0.5, 0.5), 2: (0.52, 0.5)}
    for row in range(40):
        zones.update(tracks_of(both), row * 0.1)
    last = replace(tracks_of({1: (0.5, 0.5)}, (2,)), merged=pairs)
    zones.update(last, 4.0)
    assert [each.visits for each in zones.totals(closing=False)] == [visits]


def _badly(random: np.random.Generator, foot: np.ndarray) -> Detections:
    """One who walks, a quarter dropped and off by 6 cm, and a box where nobody is."""
    shown = foot[None] + random.normal(0, 0.008, (1, 2))
    false = random.uniform(0.02, 0.98, (1, 2))
    at = np.concatenate([shown[random.random(1) > 0.25], false]).astype(np.float32)
    half = np.array([0.026, 0.035], np.float32)
    head = half / 2
    scores = np.clip(random.normal(0.78, 0.12, len(at)), 0.05, 0.99)
    return Detections(
        np.clip(np.concatenate([at - half, at + half], axis=1), 0, 1),
        scores.astype(np.float32),
        np.concatenate([at - head, at + head], axis=1),
        at,
    )


def test_who_is_seen_badly_from_above_is_counted_once() -> None:
    random, tracker, counter = np.random.default_rng(3), Tracker(), LineCounter(ACROSS)
    found: list[Crossing] = []
    now = 0.0
    for _ in range(150):
        for y in np.arange(-0.02, 1.02, 0.014):
            tracks = tracker.update(_badly(random, np.array([0.5, y])), now)
            found += counter.update(tracks, now)
            now += 0.08
        for _ in range(30):
            found += counter.update(tracker.update(Detections.none(), now), now)
            now += 0.08
    came, went = tally(found)
    assert abs(came - 150) <= 4 and went <= 2
