"""What the renderer puts into pictures that is no person."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from doorsill_train.paint import solids
from doorsill_train.places import furniture, vehicles, wares

# A ball may lie half in the floor.
STANDING = [make for make in furniture.MAKERS if make is not furniture.balls]
MAKERS = [
    vehicles.car, vehicles.van, vehicles.lorry, vehicles.bicycle, vehicles.motorcycle,
    wares.stool, wares.pot, wares.hat_stand, wares.dress_form, wares.hanging,
    wares.basket, wares.wet_floor, wares.pouf, wares.pedestal, wares.pendant,
    wares.discs, wares.bottles, wares.post, wares.gallery, *STANDING,
]  # fmt: skip
SEEDS = range(12)
HEAD_SEEN_FROM = 0.5


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
        assert 0.005 < high[1] < 5.0
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
