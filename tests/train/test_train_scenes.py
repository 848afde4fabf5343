"""A scene is drawn whole from its seed, and what it uploads it frees."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from training import NotingPainter

from doorsill_train.places.roads import build_road, free_of, moved
from doorsill_train.places.scene import Cast, Scene
from doorsill_train.places.scenes import (
    VIEWS,
    drifted,
    free,
    road_scene,
    sample_camera,
    sample_light,
    sample_scene,
    shoot,
    step_length,
)
from doorsill_train.shards import HEIGHT, WIDTH

HEAD = np.array([[0, 1.6, 0], [0.1, 1.8, 0.1]])


def cast(painter: NotingPainter, kind: str = "walk") -> Cast:
    """Somebody who is ready to be put into scenes."""
    person = SimpleNamespace(
        gait=SimpleNamespace(kind=kind), palette=np.ones((16, 3)), pattern=(0, 1.0)
    )
    now, before = (painter.upload(np.full((3, 14), k)) for k in (0.0, 1.0))
    wrists = np.array([[0.3, 0.8, 0.1], [-0.3, 0.8, 0.1]])
    return Cast(person, now, before, HEAD, 1.8, wrists, 0.1)


def drawn(seed: int, count: int | None = None) -> tuple[NotingPainter, Scene]:
    painter = NotingPainter()
    pool = [cast(painter) for _ in range(4)]
    return painter, sample_scene(painter, pool, np.random.default_rng(seed), count)


@pytest.mark.parametrize("seed", range(8))
def test_all_that_a_scene_uploads_is_freed_once(seed: int) -> None:
    painter, scene = drawn(seed)
    pool, mine = painter.held[:8], painter.held[8:]
    free(scene)
    assert len(mine) > 0
    assert {held.freed for held in mine} == {1}
    assert {held.freed for held in pool} == {0}, "the pool is used again"


@pytest.mark.parametrize("seed", [3, 900_003])
def test_the_same_seed_gives_the_same_scene(seed: int) -> None:
    (one, first), (other, second) = drawn(seed), drawn(seed)
    assert first.view == second.view
    assert np.array_equal(first.camera.matrix, second.camera.matrix)
    for mine, theirs in zip(one.held, other.held, strict=True):
        assert np.array_equal(mine.vertices, theirs.vertices)


@pytest.mark.parametrize("seed", range(6))
def test_nobody_stands_in_anybody(seed: int) -> None:
    _, scene = drawn(seed, count=5)
    at = np.array([actor.place[[0, 2], 3] for actor in scene.actors])
    gaps = [np.hypot(*(a - b)) for i, a in enumerate(at) for b in at[:i]]
    assert len(at) > 0
    assert min(gaps, default=9) > 0.4


@pytest.mark.parametrize("seed", range(6))
def test_heads_are_in_the_picture_or_not_far_outside(seed: int) -> None:
    _, scene = drawn(seed, count=4)
    for actor in scene.actors:
        head = actor.place @ [0, actor.cast.height * 0.93, 0, 1]
        (pixel,), (depth,) = scene.camera.project(head[None, :3])
        near = 170  # somebody close to another may stand further out
        assert depth > 0
        assert -near < pixel[0] < WIDTH + near
        assert -near < pixel[1] < HEIGHT + near


def test_who_stands_still_did_not_move_before() -> None:
    _, scene = drawn(1, count=5)
    rng = np.random.default_rng(1)
    seen = Counter()
    for seed in range(30):
        _, scene = drawn(seed, count=int(rng.integers(1, 4)))
        for actor in scene.actors:
            same = np.allclose(actor.place, actor.earlier)
            assert same == bool(actor.still)
            seen[bool(actor.still)] += 1
    assert 0.1 < seen[True] / seen.total() < 0.45


def test_the_empty_picture_shows_nobody_and_no_traffic() -> None:
    painter, scene = drawn(2, count=3)
    image, before, empty, ids = shoot(scene, painter)
    now, then, nobody = painter.painted
    numbers = [
        Counter(draw.person for draw in draws if draw.person)
        for draws in (now, then, nobody)
    ]
    assert numbers[0] == numbers[1]
    assert sorted(numbers[0]) == [1, 2, 3]
    assert not numbers[2]
    assert [image.max(), before.max(), empty.max()] == [1, 2, 3], "in this order"
    assert ids.shape == (HEIGHT, WIDTH, 2)


def test_a_step_is_shown_by_another_pose_at_another_place() -> None:
    painter, scene = drawn(5, count=3)
    scene.actors[0].still, scene.actors[1].still = False, True
    shoot(scene, painter)
    now, then, _ = painter.painted
    shown = [
        {draw.person: draw for draw in draws if draw.person} for draws in (now, then)
    ]
    assert shown[0][1].mesh is scene.actors[0].cast.now
    assert shown[1][1].mesh is scene.actors[0].cast.before
    assert shown[1][2].mesh is scene.actors[1].cast.now, "stands still"


def test_another_painter_makes_the_pictures_and_never_the_ids() -> None:
    painter, scene = drawn(2, count=1)
    tracer = NotingPainter()
    shoot(scene, painter, tracer.render)
    assert len(tracer.painted) == 3
    assert painter.painted == tracer.identified == []
    assert len(painter.identified) == 1


def test_a_road_has_traffic_that_the_background_does_not_know() -> None:
    painter, found = NotingPainter(), 0
    pool = [cast(painter)]
    for seed in range(6):
        rng = np.random.default_rng(seed)
        scene = road_scene(painter, pool, sample_light(rng), rng)
        painter.painted.clear()
        shoot(scene, painter)
        meshes = {id(draw.mesh) for draw in painter.painted[-1]}
        driving = {id(mover.draw.mesh) for mover in scene.traffic}
        assert not meshes & driving
        found += len(driving)
    assert found > 0


def test_a_vehicle_was_further_back_a_step_ago() -> None:
    painter, rng = NotingPainter(), np.random.default_rng(8)
    _, traffic = build_road(painter, np.zeros(3), [], rng)
    for mover in traffic:
        along = moved(mover, 1.0).place[:3, 3] - mover.draw.place[:3, 3]
        assert np.linalg.norm(along) == pytest.approx(abs(mover.step_m), abs=1e-6)
        assert moved(mover, 0.0).place == pytest.approx(mover.draw.place)


def test_nothing_drives_over_anybody() -> None:
    there = np.array([1.0, 2.0])  # x, z
    assert not free_of(there, 1.0, [np.array([1.2, 2.0])])
    assert free_of(there, 1.0, [np.array([4.0, 2.0])])


def test_every_view_is_drawn_about_as_often_as_wanted() -> None:
    rng = np.random.default_rng(1)
    seen = Counter(sample_camera(rng)[0] for _ in range(2000))
    assert set(seen) == set(VIEWS)
    assert seen["overhead"] / 2000 == pytest.approx(0.44, abs=0.04)


@pytest.mark.parametrize("seed", range(6))
def test_a_camera_seen_from_above_looks_down(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(60):
        view, camera = sample_camera(rng)
        down = -camera.ray(WIDTH / 2, HEIGHT / 2)[1]
        if view == "overhead":
            assert down > np.sin(np.radians(65))
        if view == "low":
            assert down < np.sin(np.radians(29))


def test_the_light_of_the_background_differs_a_little_or_not_at_all() -> None:
    rng, same = np.random.default_rng(3), 0
    for _ in range(300):
        light = sample_light(rng)
        later = drifted(light, rng)
        same += later is light
        assert np.linalg.norm(later.sun_to) == pytest.approx(1, abs=0.01)
        assert (later.sky > 0).all()
    assert same / 300 == pytest.approx(0.7, abs=0.08)


def test_a_faster_walk_is_a_longer_step_and_a_further_phase() -> None:
    metres, phase = step_length(0.1, 1.4)
    assert (metres, phase) == pytest.approx((0.14, 2 * np.pi * 0.1))
    assert step_length(0.1, 0.0) == (0, 0)
