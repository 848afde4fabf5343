"""What is true of a person in a picture, from what the painter tells of each pixel."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from doorsill_train import labels
from doorsill_train.film.lens import Lens
from doorsill_train.film.truth import bounds, head_points, label
from doorsill_train.paint.camera import Camera, look, place
from doorsill_train.people.people import HAIR, SKIN
from doorsill_train.shards import HEIGHT, WIDTH

CAMERA = Camera(
    np.array([0, 1.0, 0]),
    look(np.array([0, 1.0, 0]), np.array([0, 1.0, 1]), np.array([0, 1.0, 0])),
    200.0,
)
SCENE = SimpleNamespace(camera=CAMERA)
HEAD = [[x, 1.6 + y, z] for x in (-0.1, 0.1) for y in (0, 0.2) for z in (-0.1, 0.1)]


def actor(x: float, z: float, still: bool = False) -> SimpleNamespace:
    """Somebody 1.8 m tall on the spot."""
    figure = SimpleNamespace(masculinity=0.9, weight=0.1, age=1.4)
    person = SimpleNamespace(band=2, tone=1.5, figure=figure)
    cast = SimpleNamespace(head_points=np.array(HEAD), person=person, height=1.8)
    return SimpleNamespace(cast=cast, place=place(0, x, z), still=still)


def told(
    who: SimpleNamespace,
    body: tuple[slice, slice] = (slice(60, 200), slice(140, 180)),
    covered: tuple[slice, slice] = (slice(0, 0), slice(0, 0)),
    change: float = 40,
) -> dict[str, float] | None:
    """A row by its names; the head is the upper 30 lines of the body."""
    alone = np.zeros((HEIGHT, WIDTH, 2), np.uint8)
    alone[(*body, 0)] = 1
    alone[body[0].start : body[0].start + 30, body[1], 1] = 1
    mine = alone[..., 0] > 0
    mine[covered] = False
    differ = np.full((HEIGHT, WIDTH), change)
    found = label(who, alone, mine, alone[..., 1], differ, SCENE, Lens(0.0))
    return None if found is None else dict(zip(labels.NAMES, found, strict=True))


def test_a_box_goes_around_all_of_a_mask() -> None:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20:30, 5:8] = mask[50, 100] = True
    assert bounds(mask) == [5, 20, 101, 51]


def test_a_row_says_where_somebody_is_and_who() -> None:
    found = told(actor(0.0, 4.0))
    assert found is not None
    assert found["head_y1"] - found["head_y0"] == pytest.approx(11.7, abs=0.2)
    assert (found["head_x0"] + found["head_x1"]) / 2 == pytest.approx(WIDTH / 2)
    assert [found[f"body_{k}"] for k in ("x0", "y0", "x1", "y1")] == [140, 60, 180, 200]
    assert (found["foot_x"], found["foot_y"]) == pytest.approx((160, 178))
    assert (found["head_seen"], found["head_inside"], found["body_seen"]) == (1, 1, 1)
    assert (found["band"], found["tone"], found["height_m"]) == (2, 1.5, 1.8)
    assert labels.usable(np.array([list(found.values())])).all()


@pytest.mark.parametrize(
    ("covered", "head", "body"),
    [
        pytest.param((slice(60, 90), slice(0, WIDTH)), 0, 110 / 140, id="the head"),
        pytest.param((slice(60, 75), slice(0, WIDTH)), 0.5, 125 / 140, id="half of it"),
        pytest.param((slice(130, 200), slice(0, WIDTH)), 1, 0.5, id="the legs"),
    ],
)
def test_what_hides_somebody_is_told_as_a_share(
    covered: tuple[slice, slice], head: float, body: float
) -> None:
    found = told(actor(0.0, 4.0), covered=covered)
    assert found is not None
    assert found["head_seen"] == pytest.approx(head)
    assert found["body_seen"] == pytest.approx(body)
    assert found["head_contrast"] == (40 if head else 0)


def test_the_edge_cuts_a_head_by_a_share_of_its_box() -> None:
    """The box itself goes on beyond the edge: so the network may say where it is."""
    found = told(actor(3.2, 4.0))  # the middle of the head is on the left edge
    assert found is not None
    assert found["head_inside"] == pytest.approx(0.5, abs=0.02)
    assert found["head_x0"] < 0


def test_somebody_who_stands_still_is_told_so() -> None:
    still, walks = told(actor(0, 4, still=True)), told(actor(0, 4))
    assert still is not None and walks is not None
    assert (still["still"], walks["still"]) == (1, 0)


@pytest.mark.parametrize(
    ("who", "body"),
    [
        pytest.param(
            actor(0.0, 4.0), (slice(60, 65), slice(140, 145)), id="a few pixels"
        ),
        pytest.param(
            actor(0.0, 0.1), (slice(60, 200), slice(140, 180)), id="at the lens"
        ),
    ],
)
def test_nobody_to_speak_of_has_no_row(
    who: SimpleNamespace, body: tuple[slice, slice]
) -> None:
    assert told(who, body) is None


def test_long_hair_is_head_only_where_it_is_near_the_skull() -> None:
    skull = [(x, y, z) for x in (-0.1, 0.1) for y in (1.5, 1.8) for z in (-0.1, 0.1)]
    hair = [(0, 1.85, 0), (0.11, 1.6, 0), (0, 1.2, -0.1), (0.3, 1.6, 0)]
    rows = np.zeros((len(skull) + len(hair) + 1, 14), np.float32)
    rows[: len(skull), :3], rows[: len(skull), 12] = skull, SKIN
    rows[len(skull) : -1, :3], rows[len(skull) : -1, 12] = hair, HAIR
    rows[:-1, 13] = 1  # the last is a foot
    found = head_points(rows)
    assert len(found) == len(skull) + 2
    assert found[:, 1].max() == pytest.approx(1.85), "on the crown"
    assert found[:, 1].min() == pytest.approx(1.5), "not on the back"
