"""The tracker: one id for one person through noise, gaps and any frame rate."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorsill.config import ModelSection
from doorsill.services.detectors import open_detector
from doorsill.values import Detections, Tracks
from doorsill.vision.follow.assignment import pair
from doorsill.vision.follow.person import COAST_S, CONFIRM_HITS
from doorsill.vision.follow.tracker import TRACKS_LIMIT, Tracker

WIDE, TALL = 0.06, 0.24


def seen(feet: object, scores: object = None) -> Detections:
    """People of one size, by where they stand."""
    at = np.array(feet, np.float32).reshape(-1, 2)
    x, y = at[:, 0], at[:, 1]
    boxes = np.stack([x - WIDE / 2, y - TALL, x + WIDE / 2, y], axis=1)
    heads = np.stack([x - 0.015, y - TALL, x + 0.015, y - 0.2], axis=1)
    given = np.full(len(at), 0.9) if scores is None else np.array(scores)
    return Detections(boxes, given.astype(np.float32), heads, at)


def follow(tracker: Tracker, frames: list[Detections], rate: float = 12.5) -> Tracks:
    for frame, now in zip(frames, itertools.count(5.0, 1 / rate), strict=False):
        tracks = tracker.update(frame, now)
    return tracks


@pytest.mark.parametrize("rate", [5, 10, 12.5, 30])
def test_one_walker_keeps_one_id_at_any_frame_rate(rate: float) -> None:
    ys = np.arange(0.1, 0.9, 0.25 / rate)  # a picture height in four seconds
    tracker, ids = Tracker(), set()
    for row, y in enumerate(ys):
        tracks = tracker.update(seen([(0.5, y)]), 3.0 + row / rate)
        ids.update(tracks.ids.tolist())
    assert len(ids) == 1 and tracks.confirmed.all()
    assert tracks.feet[0] == pytest.approx((0.5, ys[-1]), abs=0.02)


@pytest.mark.parametrize(("score", "followed"), [(0.44, 0), (0.46, 1)])
def test_a_detector_says_from_which_score_somebody_is_believed(
    score: float, followed: int
) -> None:
    ours = open_detector(ModelSection())
    frames = [seen([(0.5, 0.5)], [score])] * 3
    assert len(follow(Tracker(born=ours.born), frames).ids) == followed
    assert len(follow(Tracker(), frames).ids) == 0  # any other detector: from 0.5


def test_two_who_meet_keep_their_ids() -> None:
    tracker = Tracker()
    ways = np.linspace(0.2, 0.8, 40)
    first = None
    for row, y in enumerate(ways):
        tracks = tracker.update(seen([(0.48, y), (0.52, 1 - y)]), row * 0.08)
        order = tracks.ids[np.argsort(tracks.detection)]
        first = order if first is None else first
    assert order.tolist() == first.tolist()


def test_a_gap_is_bridged_and_a_long_one_is_not() -> None:
    ys = np.linspace(0.3, 0.7, 50).tolist()
    for gap, same in ((10, True), (round(COAST_S * 12.5) + 3, False)):
        tracker = Tracker()
        before = follow(tracker, [seen([(0.5, y)]) for y in ys[:20]])
        for row in range(gap):
            tracker.update(Detections.none(), 6.6 + row * 0.08)
        after = tracker.update(seen([(0.5, ys[19 + gap])]), 6.6 + gap * 0.08)
        assert (before.ids[0] in after.ids[after.detection >= 0]) is same


@pytest.mark.parametrize(
    ("apart", "tracks"),
    [
        pytest.param(0.0, 1, id="another head on the same body"),
        pytest.param(0.2, 1, id="a body that is guessed anew"),
        pytest.param(0.9, 2, id="somebody beside"),
    ],
)
def test_a_second_head_on_one_body_is_nobody_new(apart: float, tracks: int) -> None:
    """Who is very near shows a head that may be found in two places."""
    tracker = Tracker()
    follow(tracker, [seen([(0.5, 0.9)])] * 5)
    both = seen([(0.5, 0.9), (0.5 + apart * WIDE, 0.9)], [0.9, 0.8])
    both.heads[1] += (0.0, 0.15, 0.0, 0.15)
    tracker.update(both, 5.4)
    assert len(tracker) == tracks


def test_a_coasting_track_says_so_and_ends_once() -> None:
    tracker = Tracker()
    track = follow(tracker, [seen([(0.5, 0.5)])] * 5).ids[0]
    ended: list[int] = []
    for row in range(40):
        tracks = tracker.update(Detections.none(), 5.4 + row * 0.08)
        ended += tracks.ended
        assert (tracks.detection == -1).all()
    assert ended == [track] and len(tracker) == 0


def test_a_weak_detection_keeps_a_track_but_starts_none() -> None:
    tracker = Tracker()
    tracker.update(seen([(0.2, 0.5)], [0.3]), 1.0)
    assert len(tracker) == 0
    follow(tracker, [seen([(0.5, 0.5)])] * CONFIRM_HITS)
    weak = [seen([(0.5, 0.5)], [0.3])] * 40
    tracks = follow(tracker, [seen([(0.5, 0.5)])] * 4 + weak)
    assert tracks.detection.tolist() == [0]


def test_a_flash_is_never_confirmed() -> None:
    tracker = Tracker()
    frames = [seen([(0.5, 0.5)]), Detections.none(), Detections.none()] * 5
    for row, frame in enumerate(frames):
        spot = seen([((row * 0.37) % 0.9, 0.5)]) if len(frame) else frame
        assert not tracker.update(spot, row * 0.08).confirmed.any()


def test_false_boxes_here_and_there_are_nobody() -> None:
    tracker, rng, born = Tracker(), np.random.default_rng(6), 0
    for row in range(600):  # in every third frame one near a place
        near = 0.5 + rng.normal(0, 0.01, (1, 2))
        frame = seen(near) if row % 3 == 0 else Detections.none()
        tracks = tracker.update(frame, row * 0.08)
        assert not tracks.confirmed.any()
        born += len(tracks.ids)
    assert born > 300  # negative control: they began tracks


def test_who_is_seen_in_three_pictures_of_four_is_soon_believed() -> None:
    rng, waits = np.random.default_rng(7), []
    for _ in range(100):
        tracker = Tracker()
        for row in range(40):
            at = [(0.3 + 0.005 * row, 0.5)] if row == 0 or rng.random() < 0.75 else []
            tracks = tracker.update(seen(at), row * 0.08)
            if tracks.confirmed.any():
                waits.append(row * 0.08)
                break
    assert len(waits) >= 98 and np.median(waits) < 0.5 and np.quantile(waits, 0.9) < 1.5


def test_a_believed_track_stays_so_through_misses() -> None:
    tracker = Tracker()
    follow(tracker, [seen([(0.5, 0.5)])] * 5)
    for row in range(30):
        frame = seen([(0.5, 0.5)]) if row % 3 == 0 else Detections.none()
        assert tracker.update(frame, 5.4 + row * 0.08).confirmed.all()


@pytest.mark.parametrize("frames", [4, 5, 8])
def test_beside_who_is_hidden_somebody_else_begins(frames: int) -> None:
    """As who walks a step behind: the first is hidden, and the second is no ghost."""
    tracker = Tracker()
    follow(tracker, [seen([(0.5, 0.5)])] * 12)
    for row in range(frames):
        aside = 0.5 + 0.75 * WIDE
        tracks = tracker.update(seen([(aside, 0.5)]), 5.0 + (12 + row) * 0.08)
    assert len(tracks.ids) == 2 and tracks.confirmed.all()


def test_two_who_stand_side_by_side_are_two() -> None:
    pair_of = [seen([(0.5, 0.5), (0.5 + 0.75 * WIDE, 0.5)])] * 4
    assert follow(Tracker(), pair_of).confirmed.tolist() == [True, True]


def test_who_walks_out_of_the_picture_is_let_go_at_once() -> None:
    tracker = Tracker()
    follow(tracker, [seen([(x, 0.6)]) for x in np.linspace(0.7, 0.99, 12)])
    ended = [
        tracker.update(Detections.none(), 5.96 + row * 0.08).ended for row in range(6)
    ]
    assert any(ended)


def test_who_comes_in_where_another_has_just_left_is_somebody_else() -> None:
    tracker = Tracker()
    out = follow(tracker, [seen([(x, 0.6)]) for x in np.linspace(0.7, 0.995, 12)])
    ended: list[int] = []
    for row in range(4):
        ended += tracker.update(Detections.none(), 5.96 + row * 0.08).left
    back = tracker.update(seen([(0.98, 0.6)]), 5.96 + 4 * 0.08)
    assert ended == out.ids.tolist() and back.ids.tolist() not in ([], ended)


def test_ids_are_random_and_never_come_again() -> None:
    ids: list[int] = []
    for _ in range(3):
        tracker = Tracker()
        ids += follow(
            tracker, [seen([(0.1 * n, 0.5) for n in range(1, 9)])]
        ).ids.tolist()
    assert len(set(ids)) == 24 and min(ids) >= 0
    assert max(ids) > 2**55 and len({each >> 52 for each in ids}) > 18


def test_the_number_of_tracks_is_bounded() -> None:
    tracker = Tracker()
    rng = np.random.default_rng(1)
    for row in range(5):
        crowd = seen(rng.uniform(0, 1, (500, 2)), rng.uniform(0.5, 1, 500))
        assert len(tracker.update(crowd, row * 0.08).ids) <= TRACKS_LIMIT


def test_after_a_pause_or_a_clock_that_runs_back_everybody_is_somebody_else() -> None:
    for jump in (10.0, -1.0):
        tracker = Tracker()
        before = follow(tracker, [seen([(0.5, 0.5)])] * 5)
        after = tracker.update(seen([(0.5, 0.5)]), 5.32 + jump)
        assert after.ended == tuple(before.ids.tolist())
        assert not set(after.ids.tolist()) & set(before.ids.tolist())


def test_nothing_is_kept_of_a_track_that_ended() -> None:
    tracker = Tracker(new_id=lambda: 0x5EC2E7)
    follow(tracker, [seen([(0.5, 0.5)])] * 5)
    assert state_size(tracker) > 0  # negative control
    for row in range(40):
        tracker.update(Detections.none(), 5.4 + row * 0.08)
    assert state_size(tracker) == 0


def state_size(tracker: Tracker) -> int:
    held = vars(tracker).values()
    return sum(np.size(each) for each in held if isinstance(each, np.ndarray | list))


def test_many_who_want_the_same_are_paired_as_a_full_table_would() -> None:
    rng = np.random.default_rng(11)
    for _ in range(200):
        near = rng.uniform(0, 12, (4, 5))
        wishes = [[(c, k) for k, c in enumerate(row) if c < 6.0] for row in near]
        found = pair(wishes, 6.0)
        taken = [column for column in found if column >= 0]
        assert len(set(taken)) == len(taken)
        price = sum(
            6.0 if k < 0 else row[k] for row, k in zip(near, found, strict=True)
        )
        assert price == pytest.approx(cheapest(near, 6.0))


def test_rows_speak_of_the_same_person() -> None:
    tracker = Tracker()
    rng = np.random.default_rng(3)
    places = rng.uniform(0.1, 0.9, (8, 2)).round(2)
    for row in range(6):
        order = rng.permutation(8)
        tracks = tracker.update(seen(places[order]), row * 0.08)
    for detection, foot, box in zip(
        tracks.detection, tracks.feet, tracks.boxes, strict=True
    ):
        assert foot == pytest.approx(places[order][detection], abs=0.01)
        assert box[3] == pytest.approx(foot[1], abs=0.01)


def assign(cost: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns that ``pair`` joins, from a table of costs.

    ``cost`` is (n, m); a pair that costs ``limit`` or more is left unmade, as is one
    whose price is more than the ``limit`` that leaving a row alone costs.
    """
    wishes = [
        [(each, column) for column, each in enumerate(row) if each < limit]
        for row in cost.tolist()
    ]
    found = np.array(pair(wishes, limit), np.intp)
    rows = np.flatnonzero(found >= 0)
    return rows, found[rows]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_assignment_is_the_cheapest_there_is(data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 4))
    columns = data.draw(st.integers(1, 5))
    values = st.floats(0, 10) | st.just(float("inf"))
    cost = np.array(
        data.draw(st.lists(values, min_size=rows * columns, max_size=rows * columns))
    ).reshape(rows, columns)
    limit = 6.0
    got_rows, got_columns = assign(cost, limit)
    assert len(set(got_rows.tolist())) == len(got_rows)
    assert len(set(got_columns.tolist())) == len(got_columns)
    assert (cost[got_rows, got_columns] < limit).all()
    price = cost[got_rows, got_columns].sum() + limit * (rows - len(got_rows))
    assert price == pytest.approx(cheapest(cost, limit))


def cheapest(cost: np.ndarray, limit: float) -> float:
    """Try everything: each row has a column of its own, or none at the limit."""
    rows, columns = cost.shape
    choices = itertools.product([*range(columns), None], repeat=rows)
    prices = []
    for choice in choices:
        taken = [column for column in choice if column is not None]
        if len(set(taken)) == len(taken):
            prices.append(
                sum(
                    limit if column is None else min(cost[row, column], limit)
                    for row, column in enumerate(choice)
                )
            )
    return min(prices)


@pytest.mark.alone
def test_a_large_assignment_is_quick() -> None:
    cost = np.random.default_rng(2).uniform(0, 1, (20, 20))
    start = time.perf_counter()
    rows, columns = assign(cost, 2.0)
    assert time.perf_counter() - start < 0.05
    assert len(rows) == 20 and len(set(columns.tolist())) == 20


def test_a_foot_that_jumps_does_not_break_a_track() -> None:
    tracker, rng, ids = Tracker(), np.random.default_rng(4), set()
    for row, y in enumerate(np.linspace(0.4, 0.8, 40)):
        frame = seen([(0.5, y)])
        frame.feet[:] += rng.normal(0, 0.04, (1, 2))
        ids.update(tracker.update(frame, row * 0.08).ids.tolist())
    assert len(ids) == 1


def test_the_foot_of_a_track_is_steadier_than_its_detections() -> None:
    tracker, rng = Tracker(), np.random.default_rng(5)
    said, kept = [], []
    for row in range(200):
        frame = seen([(0.5, 0.6)])
        frame.feet[:] += rng.normal(0, 0.02, (1, 2))
        said.append(frame.feet[0, 1])
        kept.append(tracker.update(frame, row * 0.08).feet[0, 1])
    assert np.std(kept[20:]) < 0.5 * np.std(said[20:])


def test_somebody_barely_seen_is_followed_but_has_to_be_seen_longer() -> None:
    tracker, confirmed = Tracker(), []
    for row, score in enumerate([0.55, *[0.35] * 9]):
        frame = seen([(0.5, 0.5 + 0.01 * row)], [score])
        confirmed.append(bool(tracker.update(frame, row * 0.08).confirmed[0]))
    assert len(tracker) == 1
    assert confirmed == sorted(confirmed) and 3 < confirmed.index(True) < 7


def test_who_is_alone_may_jump_after_a_gap() -> None:
    tracker = Tracker()
    before = follow(tracker, [seen([(0.5, y)]) for y in np.linspace(0.3, 0.4, 10)])
    for row in range(6):
        tracker.update(Detections.none(), 5.8 + row * 0.08)
    after = tracker.update(seen([(0.5, 0.5)]), 5.8 + 6 * 0.08)
    assert after.ids.tolist() == before.ids.tolist() and after.detection[0] == 0


@pytest.mark.parametrize(
    ("ways", "left"),
    [
        pytest.param(np.linspace(0.9, 1.08, 10), True, id="walks out"),
        pytest.param(np.linspace(0.4, 0.5, 10), False, id="is lost inside"),
        pytest.param(
            np.linspace(0.34, 0.6, 10), False, id="is lost long before the edge"
        ),
    ],
)
def test_a_track_says_whether_somebody_left(ways: np.ndarray, left: bool) -> None:
    tracker = Tracker()
    track = follow(tracker, [seen([(x, 0.6)]) for x in ways]).ids[0]
    gone: list[int] = []
    ended: list[int] = []
    for row in range(30):
        tracks = tracker.update(Detections.none(), 5.8 + row * 0.08)
        gone += tracks.left
        ended += tracks.ended
    assert ended == [track] and (gone == [track]) is left
