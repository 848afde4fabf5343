"""What is noted of a detector at held-out doors, and what is made of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from doorsill.values import Detections
from doorsill_street.measured import FILE
from doorsill_train import labels
from doorsill_train.judge import faults, watched

WIDE, TALL = 320, 240


def people(*places: tuple[float, float], inside: float = 1.0) -> np.ndarray:
    """Rows of people with 16 px heads whose middles are at ``places``."""
    rows = np.zeros((len(places), len(labels.NAMES)))
    for row, (x, y) in zip(rows, places, strict=True):
        row[:4] = x - 8, y - 8, x + 8, y + 8
        row[4:8] = x - 14, y - 8, x + 14, y + 62
        row[8:10] = x, y + 60
        row[labels.COLUMN["head_inside"]] = inside
    return rows


def answers(*places: tuple[float, float], score: float = 0.8) -> Detections:
    """Heads of 16 px found at ``places``, with the feet 60 below."""
    boxes, heads, feet = [], [], []
    for x, y in places:
        heads.append((x - 8, y - 8, x + 8, y + 8))
        boxes.append((x - 14, y - 8, x + 14, y + 62))
        feet.append((x, y + 60))
    size = np.array([WIDE, TALL] * 2, np.float32)
    return Detections(
        (np.array(boxes, np.float32).reshape(-1, 4) / size),
        np.full(len(places), score, np.float32),
        (np.array(heads, np.float32).reshape(-1, 4) / size),
        (np.array(feet, np.float32).reshape(-1, 2) / size[:2]),
    )


def test_each_person_is_held_against_the_answer_that_speaks_of_them() -> None:
    rows = people((100, 80), (200, 80))
    one, other = watched.looks([(1, 5), (1, 6)], 3, rows, answers((104, 80)))
    assert (one.who, one.frame, one.head_px) == ((1, 5), 3, 16)
    assert one.score == pytest.approx(0.8)
    assert one.off == pytest.approx([0.25, 0, 0.25, 0, 0.25, 0.25], abs=1e-5)
    assert other.score == 0.0 and np.isnan(other.off).all()
    assert one.cover == other.cover == 0.0


def test_who_stands_behind_somebody_is_known_to_be_hidden() -> None:
    rows = people((100, 80), (100, 90))
    behind, ahead = watched.looks([(1, 5), (1, 6)], 0, rows, answers())
    assert ahead.cover == 0.0 and 0.3 < behind.cover < 0.5


@pytest.mark.parametrize("inside", [0.2, 0.9])
def test_a_head_that_the_edge_cuts_is_not_asked_for(inside: float) -> None:
    rows = people((100, 2), inside=inside)
    assert list(watched.looks([(1, 5)], 0, rows, answers())) == []


def test_a_second_answer_is_invented_and_so_is_one_where_nobody_is() -> None:
    rows = people((100, 80))
    told = answers((100, 80), (108, 120), (250, 200))
    on, elsewhere = watched.extras(4, rows, told)
    assert on.off == pytest.approx([0.5, 2.5, 0.5, 2.5], abs=1e-5)
    assert elsewhere.off is None
    assert elsewhere.place[8:] * [WIDE, TALL] == pytest.approx([250, 260], abs=1e-3)


def test_an_answer_on_somebody_without_a_head_in_the_picture_is_no_invention() -> None:
    rows = people((100, -9), inside=0.0)
    assert list(watched.extras(4, rows, answers((100, 20)))) == []
    nobody = watched.extras(4, rows, answers((200, 20)))
    assert [each.off for each in nobody] == [None]


def test_an_invention_stays_over_a_short_gap_and_ends_after_a_long_one() -> None:
    nobody, runs, ended = people(), [], []
    for frame in range(40):
        shown = frame in (3, 4, 6, 7, 30)
        told = answers((100 + frame, 80)) if shown else answers()
        runs = watched.joined(runs, watched.extras(frame, nobody, told), frame, ended)
    assert runs == []
    assert [(run.last, len(run.scores)) for run in ended] == [(7, 4), (30, 1)]
    assert ended[0].seconds == pytest.approx(0.32)  # the gap is not counted


def walk(values: np.ndarray, who: int) -> Iterator[object]:
    for frame, value in enumerate(values.tolist()):
        off = np.full(6, value)
        yield watched.Look((1, who), frame, 0.0, 0.0, 16.0, 0.8, off)


@pytest.mark.parametrize(("steady", "memory"), [(0.5, 0.8), (0.2, 0.3)])
def test_what_stays_and_what_passes_is_told_apart(steady: float, memory: float) -> None:
    rng, looks = np.random.default_rng(3), []
    for who in range(400):
        passing = [rng.normal()]
        for _ in range(399):
            fresh = np.sqrt(1 - memory**2) * rng.normal()
            passing.append(memory * passing[-1] + fresh)
        own = np.sqrt(steady) * rng.normal()
        values = own + np.sqrt(1 - steady) * np.array(passing)
        looks += list(walk(values, who))
    found = faults.changes(looks, lambda each: float(each.off[0]))
    assert found == pytest.approx((steady, memory), abs=0.06)


def test_a_score_becomes_its_place_among_all_and_a_miss_the_lowest() -> None:
    looks = [
        watched.Look((1, row), 0, 0.0, 0.0, 16.0, score, np.zeros(6))
        for row, score in enumerate([0.0, 0.0, 0.4, 0.9])
    ]
    numbers = faults.normal_scores(looks)
    first, second, third, last = (numbers[id(each)] for each in looks)
    assert first == second < 0 < third < last
    quarter = -0.674  # of the normal lies below
    assert first == pytest.approx(quarter, abs=0.01)


def look(who: int, frame: int, score: float = 0.8, **more: float) -> watched.Look:
    """Somebody in plain view with a 16 px head, but for what is given."""
    usual = {"cover": 0.0, "behind": 0.0, "head_px": 16.0} | more
    off = np.full(6, 0.1)
    return watched.Look((1, who), frame, score=score, off=off, **usual)


def test_a_spread_is_about_nought_and_without_the_wildest() -> None:
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(0, 2.0, 5000), [900.0], [np.nan]])
    assert faults.spread(values) == pytest.approx(1.9, abs=0.1)
    assert faults.spread(np.full(50, 3.0)) == pytest.approx(3.0), "a lasting shift"


def test_who_is_in_plain_view_is_sorted_by_the_head_and_the_rest_by_cover() -> None:
    looks = [look(1, 0), look(2, 0, head_px=9.5), look(3, 0, cover=0.3)]
    by_size = [[each.who[1] for each in part] for part in faults.by_size(looks)]
    by_cover = [[each.who[1] for each in part] for part in faults.by_cover(looks)]
    assert by_size == [[2], [], [1], []]
    assert by_cover == [[], [3], [], [], []]


def test_scores_are_told_from_the_lowest_to_the_highest_of_each_class() -> None:
    looks = [
        look(who, 0, score, head_px=low + 0.5)
        for low in faults.SIZES[:-1]
        for who, score in enumerate((0.0, 0.4, 0.8))
    ]
    looks += [look(9, 0, 0.5, cover=low) for low in faults.COVERS[:-1]]
    table = faults.scores(looks)
    assert len(table["scores"]) == len(faults.SIZES) - 1
    assert [table["scores"][0][k] for k in (0, 20, 40)] == [0.0, 0.4, 0.8]
    covers = np.array(table["covers"])
    assert (np.diff(covers) > 0).all()
    assert table["sizes"][1] == pytest.approx(12.5 / TALL)


def test_missed_frames_are_counted_between_two_answers_of_one_person() -> None:
    seen = [look(1, frame) for frame in (0, 1, 3, 4, 7)]
    missed = [look(1, frame, score=0.0) for frame in (2, 5, 6)]
    other = [look(2, 0), look(2, 2)]
    found = sorted(seen + missed + other, key=lambda each: each.frame)
    assert faults.missed_in_a_row(found) == "2 x 1, 1 x 2"


def invented(x: float, off: float | None, scores: list[float]) -> watched.Invented:
    place = np.full(10, x)
    return watched.Invented(place, None if off is None else np.full(4, off), scores, 0)


def test_inventions_on_people_and_elsewhere_are_told_apart() -> None:
    made = [
        invented(0.1, None, [0.3, 0.3]),
        invented(0.2, 0.5, [0.4] * 4),
        invented(0.3, 1.5, [0.4] * 2),
    ]
    elsewhere = faults.inventions(made, 100, on=False)
    on_people = faults.inventions(made, 60, on=True)
    assert (elsewhere["rate"], on_people["rate"]) == (0.02, 0.1)
    assert elsewhere["places"] == [[0.1] * 10]
    assert np.array(on_people["off"])[:, 0] == pytest.approx([1.0] * 4)
    assert np.array(on_people["off"])[:, 1] == pytest.approx([0.5] * 4)
    assert elsewhere["stays_s"][0] == pytest.approx(0.16)


def test_what_is_written_has_three_digits_and_no_arrays() -> None:
    table = {"a": [0.12345, (1.0, 2)], "b": {"c": "x", "d": 7}}
    assert faults.rounded(table) == {"a": [0.123, [1.0, 2]], "b": {"c": "x", "d": 7}}


def test_the_street_has_the_faults_that_this_writes() -> None:
    """One file, written by the one and read by the other."""
    table = json.loads(FILE.read_text())
    assert len(table["scores"]) == len(faults.SIZES) - 1
    assert len(table["scores_hidden"]) == len(faults.COVERS) - 1
    assert {len(row) for row in table["scores"]} == {len(faults.KNOTS)}
    assert set(watched.PLACES) <= table.keys()
    assert len(table["elsewhere"]["places"]) <= faults.SHOWN
