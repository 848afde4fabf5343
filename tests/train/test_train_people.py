"""Invented people: how a body is read, blended, posed, and what is worn on it."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from doorsill_train.people import bodies, gaits, style
from doorsill_train.people.carried import SIZES, carried_solid, sample_carried
from doorsill_train.people.skin import TONES, skin_colour

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\ng body\nf 1/1 2/2 3/3 4/4\n"
WRISTS = np.array([[0.35, 0.8, 0.1], [-0.35, 0.8, 0.1]])
SHOULDERS = np.array([[0.2, 1.45, 0], [-0.2, 1.45, 0]])
HIPS = np.array([[0.1, 0.95, 0], [-0.1, 0.95, 0]])


def atlas(**more: object) -> bodies.Atlas:
    """Two vertices, two bones above each other, no clothes."""
    usual: dict[str, object] = {
        "base": np.array([[0, 0, 0], [0, 1, 0]], np.float32),
        "faces": {},
        "targets": {},
        "bones": ["low", "high"],
        "parents": [-1, 0],
        "joints": [[0], [1]],
        "skin_bones": np.zeros((2, 6), int),
        "skin_weights": np.zeros((2, 6)),
        "garments": {},
    }
    return bodies.Atlas(**(usual | more))


def test_a_square_is_read_as_two_triangles(tmp_path: Path) -> None:
    (tmp_path / "base.obj").write_text(TRIANGLE)
    vertices, faces = bodies.read_obj(tmp_path / "base.obj")
    assert vertices.shape == (4, 3)
    assert faces["body"].tolist() == [[0, 1, 2], [0, 2, 3]]


@pytest.mark.parametrize(
    ("text", "vertices"),
    [
        ("12 - 15 20", [12, 13, 14, 15, 20]),
        ("3", [3]),
        ("7-8 9", [7, 8, 9]),
        ("delete_verts", []),
    ],
)
def test_what_cloth_hides_is_a_list_of_ranges(text: str, vertices: list[int]) -> None:
    assert bodies.hidden_vertices(text) == vertices


def test_a_target_moves_the_vertices_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "a.target"
    path.write_text("# a comment\n\n5 0.1 0.2 0.3\n")
    offsets = bodies.read_target(path)
    assert offsets[5] == pytest.approx([0.1, 0.2, 0.3])
    assert np.count_nonzero(offsets) == 3
    assert not bodies.read_target(tmp_path / "none.target").any()


def test_pieces_are_what_is_joined_by_triangles() -> None:
    faces = np.array([[0, 1, 2], [2, 3, 4], [5, 6, 7]])
    pieces = bodies.connected(faces, 9)
    assert pieces.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 2]


def test_a_cache_that_names_a_module_of_before_is_read_again(tmp_path: Path) -> None:
    """It must not stop a run that goes on in an old folder."""
    cache = tmp_path / "atlas.pickle"
    cache.write_bytes(b"cbodies\nAtlas\n.")
    with pytest.raises(FileNotFoundError, match=r"base\.obj"):
        bodies.load_atlas(tmp_path, cache)


def test_the_cache_is_taken_if_it_is_ours(tmp_path: Path) -> None:
    known = atlas(targets={("female", "baby"): np.zeros((2, 3))})
    cache = tmp_path / "atlas.pickle"
    cache.write_bytes(pickle.dumps(known))
    assert bodies.load_atlas(tmp_path, cache).bones == ["low", "high"]


@pytest.mark.parametrize("x", [-1, -0.3, 0, 0.6, 1])
def test_the_shares_of_a_measure_sum_to_one(x: float) -> None:
    shares = bodies.levels(x)
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) >= 0
    assert shares["max"] - shares["min"] == pytest.approx(x)


def test_a_bone_turns_about_its_own_head_and_takes_its_children_along() -> None:
    turned = bodies.bone_matrices(
        atlas(), atlas().base, {"low": gaits.turn(gaits.Z, 90)}
    )
    head = np.array([0, 1, 0, 1.0])
    assert turned[0] @ [0, 0, 0, 1] == pytest.approx([0, 0, 0, 1])
    assert turned[0] @ head == pytest.approx([-1, 0, 0, 1], abs=1e-6)
    assert turned[1] @ head == pytest.approx([-1, 0, 0, 1], abs=1e-6)
    only = bodies.bone_matrices(
        atlas(), atlas().base, {"high": gaits.turn(gaits.Z, 90)}
    )
    assert only[1] @ head == pytest.approx(head, abs=1e-6)


def test_a_garment_grows_with_the_body() -> None:
    garment = bodies.Garment(
        np.array([[0, 1, 1]]),
        np.array([[0.5, 0.5, 0]]),
        np.array([[0.1, 0.2, 0]]),
        {1: (0, 1, 1.0)},
        np.zeros((0, 3)),
        np.zeros(1),
        np.zeros(0, int),
    )
    body = atlas().base
    assert bodies.fitted(garment, body)[0] == pytest.approx([0.1, 0.7, 0])
    assert bodies.fitted(garment, body * 2)[0] == pytest.approx([0.1, 1.4, 0])


def test_normals_point_out_of_a_flat_piece() -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    assert bodies.normals(points, np.array([[0, 1, 2]])) == pytest.approx(
        np.array([[0, 0, 1]] * 3)
    )


@pytest.mark.parametrize("kind", [*gaits.KINDS, gaits.FRAME])
@pytest.mark.parametrize("band", range(4))
def test_every_pose_is_made_of_turns_alone(kind: str, band: int) -> None:
    gait = gaits.sample_gait(np.random.default_rng(band), kind, band)
    for phase in (0.0, 1.0, 4.0):
        for bone, turn in gaits.pose(gait, phase).items():
            assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-9), bone
            assert np.linalg.det(turn) == pytest.approx(1)


def test_legs_swing_against_each_other_and_come_back() -> None:
    gait = gaits.sample_gait(np.random.default_rng(1), "walk", 1)
    early, late = gaits.pose(gait, 0.7), gaits.pose(gait, 0.7 + np.pi)
    for bone in ("upperleg01", "lowerleg01", "foot"):
        assert early[f"{bone}.L"] == pytest.approx(late[f"{bone}.R"])
    again = gaits.pose(gait, 0.7 + 2 * np.pi)
    assert all(again[bone] == pytest.approx(turn) for bone, turn in early.items())


def test_who_sits_does_not_walk() -> None:
    for kind in gaits.LOW:
        gait = gaits.sample_gait(np.random.default_rng(1), kind, 2)
        early, late = gaits.pose(gait, 0.3), gaits.pose(gait, 2.3)
        legs = [bone for bone in early if "leg" in bone]
        assert len(legs) == 4
        assert all(np.array_equal(early[bone], late[bone]) for bone in legs)
    gait = gaits.sample_gait(np.random.default_rng(1), "sit", 2)
    for bone in ("upperleg01.L", "lowerleg01.R"):
        assert np.array_equal(gaits.pose(gait, 0.3)[bone], gaits.pose(gait, 2.3)[bone])


def test_the_oldest_stoop_and_step_less_and_no_one_pushes_a_frame_by_chance() -> None:
    rng = np.random.default_rng(2)
    drawn = {
        band: [gaits.sample_gait(rng, "walk", band) for _ in range(300)]
        for band in range(4)
    }
    assert np.mean([g.stoop for g in drawn[3]]) > 4 * np.mean(
        [g.stoop for g in drawn[1]]
    )
    assert np.mean([g.swing for g in drawn[3]]) < np.mean([g.swing for g in drawn[0]])
    kinds = Counter(gaits.sample_gait(rng).kind for _ in range(2000))
    assert set(kinds) == set(gaits.KINDS)
    assert kinds["walk"] / 2000 == pytest.approx(0.54, abs=0.04)


@pytest.mark.parametrize("kind", [*SIZES, "cane", "frame"])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_carried_hangs_at_the_body_and_above_the_floor(
    kind: str, seed: int
) -> None:
    thing = sample_carried(kind, np.full(3, 0.5), np.random.default_rng(seed))
    assert thing is not None
    points = carried_solid(thing, WRISTS, SHOULDERS, HIPS).vertices()[:, :3]
    assert points[:, 1].min() > -0.05
    assert points[:, 1].max() < 1.6
    assert np.abs(points[:, [0, 2]]).max() < 1.0


def test_nothing_is_carried_by_who_carries_nothing() -> None:
    assert sample_carried("none", np.zeros(3), np.random.default_rng(1)) is None


def test_skin_grows_darker_step_by_step() -> None:
    light = [skin_colour(tone).sum() for tone in np.linspace(0, 5, 30)]
    assert light == sorted(light, reverse=True)
    assert skin_colour(0) == pytest.approx(TONES[0] ** 2.2)
    assert skin_colour(5) == pytest.approx(TONES[5] ** 2.2, abs=1e-3)


def test_grey_hair_is_light_and_as_good_as_colourless() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        tone = rng.uniform(0, 5)
        white = style.hair_colour(rng, tone, 1.0)
        assert 0.3 < white.mean() < 0.85
        assert np.ptp(white) < 0.05
        assert style.hair_colour(rng, 4.0, 0.0).mean() < 0.1, "dark"


def test_what_is_worn_is_a_colour() -> None:
    rng = np.random.default_rng(4)
    for band in range(4):
        worn = style.sample_style(rng, band, 0.5, held_out=False)
        colours = [style.worn_colour(rng, worn) for _ in range(40)]
        assert np.min(colours) >= 0
        assert np.max(colours) <= 1
        assert np.std(colours, axis=0).min() > 0.05, "not all alike"
