"""Where a point of the world falls in a picture, with every lens and camera."""

from __future__ import annotations

import numpy as np
import pytest

from doorsill_street.camera import MOUNTED, Eye
from doorsill_train.film.lens import Lens, exposed
from doorsill_train.film.shops import camera_of, mounted
from doorsill_train.paint.camera import Camera, look, place
from doorsill_train.places.scenes import sample_camera
from doorsill_train.shards import DOOR, HEIGHT, WIDTH

UP = np.array([0.0, 1, 0])


def level(height: float = 1.0, focal: float = 200.0) -> Camera:
    """Looks along z from x = z = 0."""
    eye = np.array([0, height, 0.0])
    return Camera(eye, look(eye, np.add(eye, (0, 0, 1)), UP), focal)


def any_camera(seed: int) -> Camera:
    return sample_camera(np.random.default_rng(seed))[1]


@pytest.mark.parametrize(
    ("point", "pixel"),
    [
        pytest.param((0, 1, 4), (160, 128), id="ahead: the middle"),
        pytest.param((0, 2, 4), (160, 78), id="higher: further up"),
        pytest.param((-1, 1, 4), (210, 128), id="its right hand is at less x"),
        pytest.param((0, 2, 8), (160, 103), id="twice as far: half as far up"),
    ],
)
def test_a_point_falls_where_one_would_see_it(
    point: tuple[float, ...], pixel: tuple[float, ...]
) -> None:
    (found,), (depth,) = level().project(np.array([point], float))
    assert found == pytest.approx(pixel)
    assert depth == pytest.approx(point[2])


def test_what_lies_behind_has_a_depth_below_nought() -> None:
    _, depth = level().project(np.array([[0, 1, -2.0]]))
    assert depth[0] == pytest.approx(-2)


@pytest.mark.parametrize("seed", range(12))
def test_a_ray_goes_through_its_pixel(seed: int) -> None:
    camera = any_camera(seed)
    for u, v in ((10, 20), (160, 128), (300, 250)):
        along = camera.ray(u, v)
        pixels, _ = camera.project(camera.eye + along * [[0.5], [3.0]])
        assert pixels == pytest.approx(np.array([[u, v]] * 2), abs=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_the_painter_s_matrix_puts_points_where_labels_say(seed: int) -> None:
    camera = any_camera(seed)
    ahead = camera.eye + camera.ray(90, 60) * 4
    clip = camera.matrix @ [*ahead, 1]
    x, y = clip[:2] / clip[3]
    seen = (x + 1) / 2 * WIDTH, (1 - y) / 2 * HEIGHT
    assert seen == pytest.approx(camera.project(ahead[None])[0][0])


@pytest.mark.parametrize("seed", range(12))
def test_a_view_turns_and_moves_but_keeps_lengths(seed: int) -> None:
    view = any_camera(seed).view
    assert view[:3, :3] @ view[:3, :3].T == pytest.approx(np.eye(3))
    assert np.linalg.det(view[:3, :3]) == pytest.approx(1)


def test_a_place_turns_then_scales_then_moves() -> None:
    there = place(np.pi / 2, 1.0, 5.0, size=2.0, y=0.5)
    assert there @ [0, 0, 1, 1] == pytest.approx([3, 0.5, 5, 1])
    assert there @ [0, 1, 0, 1] == pytest.approx([1, 2.5, 5, 1])
    assert place(0, 0, 0) == pytest.approx(np.eye(4))


@pytest.mark.parametrize(
    "eye", [MOUNTED, Eye(2.6, 1.0, 40, 45), mounted(np.random.default_rng(3))]
)
def test_a_shop_is_seen_as_the_simulated_street_sees_its_door(eye: Eye) -> None:
    """The one projects fractions, the other pixels between two bars."""
    x, y, z = np.array([[-0.8, 0, 0.3], [0.9, -0.4, 1.7], [0, 2.0, 0.9]]).T
    right, down, _ = eye.project(x, y, z)
    bar = (HEIGHT - DOOR[1]) / 2
    wanted = np.stack([right * DOOR[0], down * DOOR[1] + bar], axis=1)
    mirrored = np.stack([x, z, eye.back - y], axis=1)
    assert camera_of(eye).project(mirrored)[0] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("aisle", [False, True])
def test_a_camera_for_training_hangs_where_the_handbook_may_hang_it(
    aisle: bool,
) -> None:
    rng = np.random.default_rng(4)
    for _ in range(200):
        eye = mounted(rng, aisle)
        assert 2.3 <= eye.height <= 4.0
        assert 24 <= eye.tilt <= 64
        assert eye.back > 0


GRID = np.stack(np.meshgrid(np.linspace(30, 290, 9), np.linspace(30, 226, 7)), 2)


@pytest.mark.parametrize("strength", [0.0, 0.05, 0.28])
def test_a_label_goes_where_the_lens_puts_its_pixel(strength: float) -> None:
    lens = Lens(strength)
    for point in GRID.reshape(-1, 2).round():
        picture = np.zeros((HEIGHT, WIDTH))
        picture[
            int(point[1]) - 1 : int(point[1]) + 2, int(point[0]) - 1 : int(point[0]) + 2
        ] = 1
        rows, columns = np.nonzero(lens.image(picture))
        seen = np.array([columns.mean(), rows.mean()])
        assert lens.points(point[None])[0] == pytest.approx(seen, abs=1.0)


def test_a_barrel_pulls_the_edges_in_and_pushes_the_middle_out() -> None:
    """Corners stay, so that the picture stays full."""
    corner, near = np.array([[0.0, 0.0]]), np.array([[150.0, 127.5]])
    assert Lens(0.2).points(corner) == pytest.approx(corner, abs=1.0)
    assert Lens(0.2).points(near)[0, 0] < 150
    assert Lens(0.0).points(near) == pytest.approx(near)


def test_three_pictures_are_exposed_alike() -> None:
    rng = np.random.default_rng(1)
    light = rng.random((HEIGHT, WIDTH, 3)).astype(np.float32)
    one, same, half = exposed([light, light.copy(), light / 2], rng)
    assert one.dtype == np.uint8
    assert np.array_equal(one, same)
    assert half.mean() < one.mean()


@pytest.mark.parametrize("strength", [0.001, 1.0, 50.0])
def test_an_exposure_leaves_something_to_be_seen(strength: float) -> None:
    """Neither a dim room nor a bright one comes out black or white."""
    scene = np.random.default_rng(2).uniform(0.2, 1, (HEIGHT, WIDTH, 3)) * strength
    for seed in range(20):
        (image,) = exposed([scene.astype(np.float32)], np.random.default_rng(seed))
        assert 5 < image.mean() < 254
