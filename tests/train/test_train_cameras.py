"""Each thing that a camera does to a picture: by seed alone, and no head moves."""

from __future__ import annotations

import numpy as np
import pytest

from doorsill_train.learn import cameras

NAMED = [pytest.param(maker, id=maker.__name__) for maker, _ in cameras.MAKERS]
HEAD = slice(40, 60), slice(60, 84)


def picture() -> np.ndarray:
    """(96, 128, 3): a coloured slope with texture, and a bright head on it."""
    rng = np.random.default_rng(7)
    slope = np.linspace(30, 160, 128)[None, :, None] * [1.0, 0.8, 0.6]
    image = slope + rng.normal(0, 6, (96, 128, 1))
    image[HEAD] = 235, 200, 170
    return cameras.stored(image)


@pytest.mark.parametrize("maker", NAMED)
def test_the_seed_decides_what_is_done(maker: cameras.Maker) -> None:
    image = picture()
    kept = image.copy()
    made = [maker(image, np.random.default_rng(seed)) for seed in (1, 1, 2, 3, 4)]
    assert np.array_equal(made[0], made[1])
    assert not all(np.array_equal(made[0], other) for other in made[2:])
    assert np.array_equal(image, kept), "what was given is not written on"
    for each in made:
        assert each.dtype == np.uint8
        assert each.shape == image.shape


@pytest.mark.parametrize("maker", NAMED)
def test_a_head_stays_where_its_label_is(maker: cameras.Maker) -> None:
    """Where the head was is what differs most from the picture without one."""
    image, empty = picture(), picture()
    empty[HEAD] = empty[HEAD[0], 30:54]
    for seed in range(5):
        one, other = (
            maker(each, np.random.default_rng(seed)).astype(int)
            for each in (image, empty)
        )
        change = np.abs(one - other).sum(axis=2)
        rows, columns = np.nonzero(change > change.max() / 4)
        assert rows.mean() == pytest.approx(49.5, abs=3)
        assert columns.mean() == pytest.approx(71.5, abs=4)


def test_exposure_reaches_a_stop_and_a_half_either_way() -> None:
    grey = np.full((4, 4, 3), 100, np.uint8)
    rng = np.random.default_rng(1)
    levels = [cameras.exposed(grey, rng)[0, 0, 0] for _ in range(300)]
    light = (np.array(levels) / 100) ** cameras.GAMMA
    assert np.log2(light).min() == pytest.approx(-cameras.MOST_STOPS, abs=0.1)
    assert np.log2(light).max() == pytest.approx(cameras.MOST_STOPS, abs=0.1)


def test_weak_light_is_noisier_where_more_of_it_falls() -> None:
    dark, light = (np.full((64, 64, 3), level, np.uint8) for level in (20, 220))
    spread = [
        np.mean(
            [
                cameras.weakly_lit(image, np.random.default_rng(seed)).std()
                for seed in range(30)
            ]
        )
        for image in (dark, light)
    ]
    assert 1 < spread[0] < spread[1] < 25


def test_some_pictures_lose_their_colour_and_some_turn_it_round() -> None:
    rng, image = np.random.default_rng(2), picture()
    toned = [
        np.ptp(cameras.toned(image, rng).astype(int), axis=2).max() for _ in "x" * 30
    ]
    assert min(toned) == 0 and max(toned) > 60
    reds = [cameras.swapped(image, rng)[50, 70].argmax() for _ in range(40)]
    assert set(reds) >= {1, 2}, "the head was red"


def test_a_picture_goes_through_no_more_than_three_and_some_through_none() -> None:
    image = picture()
    same = [
        np.array_equal(
            cameras.through_a_camera(image, np.random.default_rng(seed)), image
        )
        for seed in range(100)
    ]
    assert 0.2 < np.mean(same) < 0.45
    assert len(cameras.COUNT_P) == 4
    assert sum(cameras.COUNT_P) == pytest.approx(1)
