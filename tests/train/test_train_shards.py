"""Pictures on disk: what is held out is never trained on, and rows stay with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training import nobody, row, save_world

from doorsill_train import labels
from doorsill_train.learn.crops import COLUMNS as PORTRAIT_COLUMNS
from doorsill_train.learn.crops import Crops
from doorsill_train.shards import (
    DOOR,
    HEIGHT,
    WIDTH,
    Shards,
    between_bars,
    is_held_out,
    save_shard,
)


@pytest.mark.parametrize(
    ("seed", "held_out"),
    [
        pytest.param(0, False, id="the first world"),
        pytest.param(100_119, False, id="a shop's door"),
        pytest.param(899_999, False, id="the last that may be learned from"),
        pytest.param(900_000, True, id="the first that is kept"),
        pytest.param(950_000, True, id="a held-out shop's door"),
    ],
)
def test_a_seed_says_whether_it_is_held_out(
    tmp_path: Path, seed: int, held_out: bool
) -> None:
    save_world(tmp_path, seed, ["low"])
    assert is_held_out(seed) is held_out
    assert len(Shards(tmp_path, held_out=held_out).index) == 1
    assert len(Shards(tmp_path, held_out=not held_out).index) == 0


@pytest.mark.parametrize(("seed", "held_out"), [(899_999, False), (900_000, True)])
def test_portraits_are_held_out_by_the_same_seeds(
    tmp_path: Path, seed: int, held_out: bool
) -> None:
    rows = np.zeros((2, len(PORTRAIT_COLUMNS)), np.float32)
    images = np.zeros((2, 128, 64, 3), np.uint8)
    np.savez(tmp_path / f"{seed:06d}.crops.npz", images=images, rows=rows)
    assert len(Crops(tmp_path, held_out=held_out)) == 2
    assert len(Crops(tmp_path, held_out=not held_out)) == 0


def test_each_picture_keeps_its_own_rows(tmp_path: Path) -> None:
    tables = [np.repeat(row(foot_x=k), k, axis=0) for k in range(4)]
    frames = [np.full((5, HEIGHT, WIDTH), k, np.uint8) for k in range(4)]
    save_shard(tmp_path, 7, frames, tables, views=["low", "oblique", "overhead", "low"])
    shards = Shards(tmp_path, held_out=False)
    for at, view in enumerate(["low", "oblique", "overhead", "low"]):
        planes, rows, seen = shards.get(at)
        assert planes.shape == (5, HEIGHT, WIDTH)
        assert np.unique(planes).tolist() == [at]
        assert rows[:, labels.COLUMN["foot_x"]].tolist() == [at] * at
        assert seen == view


def test_a_shard_that_was_cut_off_is_not_there(tmp_path: Path) -> None:
    save_world(tmp_path, 1, ["low"])
    whole = tmp_path / "000001.frames.npy"
    whole.rename(tmp_path / "000001.part.npy")  # as before the last step
    assert Shards(tmp_path, held_out=False).index == []


def test_what_is_rendered_meanwhile_is_found_once(tmp_path: Path) -> None:
    save_world(tmp_path, 1, ["low", "low"])
    shards = Shards(tmp_path, held_out=False)
    save_world(tmp_path, 2, ["overhead"])
    assert shards.look() == 3
    assert shards.look() == 3
    assert [shards.get(at)[2] for at in range(3)] == ["low", "low", "overhead"]


def test_new_worlds_and_views_from_above_are_drawn_more_often(tmp_path: Path) -> None:
    save_world(tmp_path, 3, ["low", "overhead"])
    save_world(tmp_path, 7, ["oblique", "overhead"])
    save_world(tmp_path, 900_000, ["low"])
    shards = Shards(tmp_path, False, fresh=5, above=1.5)
    assert shards.often == [1.0, 1.5, 3.0, 4.5]
    assert Shards(tmp_path, held_out=True).often == [1.0]


def test_bars_lie_over_the_picture_and_leave_the_rest() -> None:
    planes = np.full((5, HEIGHT, WIDTH), 9, np.uint8)
    top = (HEIGHT - DOOR[1]) // 2
    barred, _ = between_bars(planes, nobody(), top, 114)
    assert np.unique(barred[:, :top]).tolist() == [114]
    assert np.unique(barred[:, -top:]).tolist() == [114]
    assert np.unique(barred[:, top:-top]).tolist() == [9]
    assert np.unique(planes).tolist() == [9], "the picture itself stays"


@pytest.mark.parametrize(
    ("head", "inside"),
    [
        pytest.param((60, 80), 1.0, id="between them"),
        pytest.param((20, 60), 0.5, id="half behind the upper"),
        pytest.param((0, 40), 0.0, id="behind the upper"),
        pytest.param((206, 226), 0.5, id="half behind the lower"),
    ],
)
def test_a_bar_hides_a_head(head: tuple[float, float], inside: float) -> None:
    planes = np.zeros((5, HEIGHT, WIDTH), np.uint8)
    person = row(head_y0=head[0], head_y1=head[1], body_y0=10, body_y1=250)
    _, (found,) = between_bars(planes, person, 40, 0)
    assert found[labels.COLUMN["head_inside"]] == pytest.approx(inside)
    assert found[labels.BODY].tolist() == [80, 40, 150, HEIGHT - 40]


def test_who_stands_behind_a_bar_is_not_in_the_picture() -> None:
    planes = np.zeros((5, HEIGHT, WIDTH), np.uint8)
    hidden = row(head_y0=0, head_y1=20, body_y0=0, body_y1=42)
    _, rows = between_bars(planes, np.concatenate([hidden, row()]), 40, 0)
    assert rows[:, labels.COLUMN["body_y1"]].tolist() == [200]


def test_a_shard_that_two_processes_make_is_whole_at_every_moment(
    tmp_path: Path,
) -> None:
    """The first one wrote half of it and is still alive while the second ends."""
    save_world(tmp_path, 4, ["low"], grey=7)
    halves = [
        path.with_name(f"000004.{n}.part") for n, path in enumerate(tmp_path.iterdir())
    ]
    for half in halves:
        half.write_bytes(b"half of it")
    save_world(tmp_path, 4, ["low"], grey=7)
    shards = Shards(tmp_path, held_out=False)
    assert shards.get(0)[0].max() == 7
    assert len(shards.index) == 1
    assert all(half.read_bytes() == b"half of it" for half in halves)
