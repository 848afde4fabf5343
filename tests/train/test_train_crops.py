"""Portraits in memory: who learns, who calibrates, who is asked, what blurs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from doorsill.vision.attributes.tracks import READINGS
from doorsill_train.learn import crops
from doorsill_train.learn.crops import COLUMN, COLUMNS, CONDITIONS, HEIGHT, WIDTH
from doorsill_train.people.people import CUES

Rng = np.random.Generator


def save(folder: Path, seed: int, people: int, first: int = 0) -> None:
    """Crops of one grey each, and rows that count on."""
    rows = np.zeros((people, len(COLUMNS)), np.float32)
    rows[:, COLUMN["band"]] = (first + np.arange(people)) % 4
    rows[:, COLUMN["masculinity"]] = np.linspace(0, 1, people)
    images = np.zeros((people, HEIGHT, WIDTH, 3), np.uint8)
    images += (first + np.arange(people, dtype=np.uint8))[:, None, None, None]
    np.savez(folder / f"{seed:06d}.crops.npz", images=images, rows=rows)


def test_a_number_finds_its_picture_over_all_shards(tmp_path: Path) -> None:
    save(tmp_path, 1, 5)
    save(tmp_path, 2, 3, first=5)
    found = crops.Crops(tmp_path, held_out=False)
    assert len(found) == 8
    wanted = np.array([7, 0, 4, 5])
    assert found.take(wanted)[:, 0, 0, 0].tolist() == wanted.tolist()
    assert found.age.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


def test_what_is_rendered_meanwhile_is_taken_in_once(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    found = crops.Crops(tmp_path, held_out=False)
    save(tmp_path, 2, 2)
    save(tmp_path, 900_000, 9)
    for _ in range(2):
        found.look()
        assert len(found) == 4


def test_an_expression_is_one_of_two_and_cues_are_the_last_columns(
    tmp_path: Path,
) -> None:
    save(tmp_path, 1, 4)
    found = crops.Crops(tmp_path, held_out=False)
    assert found.expression.tolist() == [0, 0, 1, 1]
    assert found.cues.shape == (4, len(CUES))
    assert CONDITIONS + CUES == COLUMNS


@pytest.mark.parametrize("people", [2, 7, 100])
def test_half_of_all_calibrate_and_the_other_half_is_measured(people: int) -> None:
    one, first = crops.one_each(people), crops.calibrating(people)
    assert first.sum() == (people + 1) // 2
    assert not set(one[first] // READINGS) & set(one[~first] // READINGS)


def test_each_person_is_asked_once_and_at_any_time_of_the_walk() -> None:
    people = 64
    one = crops.one_each(people)
    assert (one // READINGS).tolist() == list(range(people))
    for half in (crops.calibrating(people), ~crops.calibrating(people)):
        assert set(one[half] % READINGS) == set(range(READINGS))


def softened(image: np.ndarray, rng: Rng) -> np.ndarray:
    return crops.softened(image, rng)


@pytest.mark.parametrize(
    "change",
    [crops.moved, crops.hidden, softened, crops.toned, crops.noisy, crops.varied],
)
def test_a_changed_crop_is_a_crop(change: Callable[[np.ndarray, Rng], np.ndarray]):
    rng = np.random.default_rng(2)
    for _ in range(20):
        crop = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        found = change(crop.copy(), rng)
        assert found.dtype == np.uint8
        assert found.shape == (HEIGHT, WIDTH, 3)


def test_blur_keeps_the_light_and_takes_the_edge() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, WIDTH // 2 :] = 200
    steps = set()
    for seed in range(20):
        found = crops.softened(image, np.random.default_rng(seed))
        steps.add(int(np.abs(np.diff(found[60, :, 0].astype(int))).max()))
        assert found.mean() == pytest.approx(image.mean(), abs=4)
    assert steps == {200, 100}, "not at all, or over two and three pixels"


def test_one_camera_sees_one_walk() -> None:
    """Readings of a person share the tone, not the noise; another camera differs."""
    crop = np.full((2 * 3, HEIGHT, WIDTH, 3), 120, np.uint8)
    seen = crops.as_seen(crop, seed=4, together=3).astype(float)
    level = seen.mean(axis=(1, 2, 3))
    assert level[0] == pytest.approx(level[1], abs=0.5)
    assert not np.array_equal(seen[0], seen[1])
    apart = crops.as_seen(crop[:2], seed=4).astype(float).mean(axis=(1, 2))
    assert np.abs(apart[0] - apart[1]).max() > 0.5
    assert np.array_equal(seen, crops.as_seen(crop, seed=4, together=3))


def test_moving_a_crop_keeps_most_of_the_person_in_it() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[40:88, 20:44] = 255
    for seed in range(20):
        found = crops.moved(image, np.random.default_rng(seed))
        assert found.sum() > 0.6 * image.sum()
