"""What the renderer puts into pictures that is no person, and what is asked there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from doorsill_train import labels
from doorsill_train.learn import samples
from doorsill_train.paint import solids
from doorsill_train.places import vehicles, wares
from doorsill_train.shards import Shards

MAKERS = [
    vehicles.car, vehicles.van, vehicles.lorry, vehicles.bicycle, vehicles.motorcycle,
    wares.stool, wares.pot, wares.hat_stand, wares.dress_form, wares.hanging,
    wares.basket, wares.wet_floor, wares.pouf, wares.pedestal, wares.pendant,
    wares.discs, wares.bottles, wares.post, wares.gallery,
]  # fmt: skip
SEEDS = range(12)
HEAD_SEEN_FROM, PICTURE = 0.5, (320, 256)


Maker = Callable[[np.random.Generator], solids.Solid]


def made(maker: Maker, seed: int) -> np.ndarray:
    """(n, 14) vertices of one thing."""
    return maker(np.random.default_rng(seed)).vertices()


def area(vertices: np.ndarray) -> float:
    """Of loose triangles, square metres."""
    a, b, c = vertices[0::3, :3], vertices[1::3, :3], vertices[2::3, :3]
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_no_thing_has_a_head_and_each_stands_on_the_floor(maker: Maker) -> None:
    for seed in SEEDS:
        vertices = made(maker, seed)
        low, high = vertices[:, :3].min(axis=0), vertices[:, :3].max(axis=0)
        assert np.isfinite(vertices).all()
        assert (vertices[:, 13] < HEAD_SEEN_FROM).all()
        assert -0.1 < low[1] < 2.2
        assert 0.005 < high[1] < 4.0
        assert np.abs([low[[0, 2]], high[[0, 2]]]).max() < 7


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__)
def test_the_same_seed_makes_the_same_thing(maker: Maker) -> None:
    assert np.array_equal(made(maker, 5), made(maker, 5))
    assert not np.array_equal(made(maker, 5), made(maker, 6))


@pytest.mark.parametrize("maker", [vehicles.car, vehicles.van, vehicles.lorry])
def test_a_vehicle_is_longer_than_wide_and_its_glass_mirrors(maker: Maker) -> None:
    for seed in SEEDS:
        vertices = made(maker, seed)
        long, _, wide = np.ptp(vertices[:, :3], axis=0)
        assert 3.5 < long < 9
        assert 1.6 < wide < 3.1, "the widest lorry that may drive, and its mirrors"
        glass = vertices[:, 13] > 0.1
        assert 0.5 < area(vertices[glass]) < 0.6 * area(vertices)
        assert vertices[glass, 9:12].max() < 0.2, "glass is dark"


def test_the_skin_of_a_ball_points_outwards() -> None:
    around, down = np.meshgrid(np.linspace(0, 2 * np.pi, 25), np.linspace(0.1, 3, 15))
    ring = [np.sin(down) * np.cos(around), np.cos(down), np.sin(down) * np.sin(around)]
    lattice = np.stack(ring, axis=2)
    solid, patches = solids.Solid(), (14, 24)
    solid.loft(lattice, np.ones((*patches, 3)), np.zeros(patches))
    vertices = solid.vertices()
    inner = np.abs(vertices[:, 1]) < 0.9
    along = (vertices[inner, :3] * vertices[inner, 3:6]).sum(axis=1)
    assert np.abs(along).min() > 0.95
    assert np.unique(np.sign(along)).size == 1


def row(**values: float) -> np.ndarray:
    """(1, 23): a person in full view, but for what is given."""
    names = labels.COLUMN
    usual = {"head_x0": 100, "head_y0": 50, "head_x1": 130, "head_y1": 80}
    usual |= {"body_x0": 80, "body_y0": 50, "body_x1": 150, "body_y1": 200}
    usual |= {"head_seen": 1, "head_inside": 1, "body_seen": 1}
    usual |= {"head_contrast": 50, "body_contrast": 50}
    out = np.zeros((1, len(names)), np.float32)
    for name, value in (usual | values).items():
        out[0, names[name]] = value
    return out


@pytest.mark.parametrize(
    ("values", "boxes"),
    [
        pytest.param({}, [], id="a clear head has to be found"),
        pytest.param(
            {"head_contrast": 2}, [[100, 50, 130, 80]], id="a head one cannot see"
        ),
        pytest.param(
            {"head_y0": -40, "head_y1": -10, "head_inside": 0, "body_y0": 0},
            [[100, -40, 130, -10], [80, 0, 150, 200]],
            id="a body without a head: whoever is marked there is there",
        ),
        pytest.param(
            {"head_y0": -40, "head_y1": -10, "head_inside": 0, "body_seen": 0.1},
            [[100, -40, 130, -10]],
            id="a body behind something, its head beyond the edge",
        ),
    ],
)
def test_where_an_answer_counts_for_nothing(
    values: dict[str, float], boxes: list[list[float]]
) -> None:
    ignored = labels.ignored(row(**values))
    assert ignored.tolist() == boxes


def save_world(folder: Path, seed: int, views: list[str]) -> None:
    frames = np.zeros((len(views), 5, *PICTURE[::-1]), np.uint8)
    np.save(folder / f"{seed:06d}.frames.npy", frames)
    np.savez(
        folder / f"{seed:06d}.labels.npz",
        rows=np.zeros((0, 23), np.float32), counts=[0] * len(views), views=views,
    )  # fmt: skip


def test_new_worlds_and_views_from_above_are_drawn_more_often(tmp_path: Path) -> None:
    save_world(tmp_path, 3, ["low", "overhead"])
    save_world(tmp_path, 7, ["oblique", "overhead"])
    save_world(tmp_path, 900_000, ["low"])
    shards = Shards(tmp_path, False, fresh=5, above=1.5)
    assert shards.often == [1.0, 1.5, 3.0, 4.5]
    assert Shards(tmp_path, held_out=True).often == [1.0]


def test_a_world_with_nobody_in_it_teaches_that_nobody_is_there(tmp_path: Path) -> None:
    save_world(tmp_path, 3, ["low", "overhead"])
    shards = Shards(tmp_path, held_out=False)
    image, target = next(samples.stream(shards, "rgb", seed=1))
    assert image.shape == (256, 320, 3)
    assert target[..., 0].max() == 0, "no heat"
    assert target[..., samples.WEIGHT].min() == 1, "everywhere"
