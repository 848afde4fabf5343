"""Prove what the renderer promises, on the machine that renders.

``python -m doorsill_train.film.prove``

With ``--blender PYTHON`` the same of Cycles, if that interpreter has bpy.

A shiny floor shows what stands on it, upside down and where a mirror would; it is no
label. Traffic moves between frames, and the background is the empty road. A shop's door
is seen as the simulated street's camera projects it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from doorsill_street.camera import MOUNTED
from doorsill_train.film.shops import camera_of
from doorsill_train.paint.camera import Camera, look, place
from doorsill_train.paint.painter import Draw, Light
from doorsill_train.paint.rasteriser import Renderer
from doorsill_train.paint.solids import Solid
from doorsill_train.paint.tracer import Tracer
from doorsill_train.places.roads import moved
from doorsill_train.places.scene import Mover, Paint, Scene
from doorsill_train.places.scenes import shoot
from doorsill_train.shards import DOOR, HEIGHT, WIDTH

RED, GREY = np.array([0.9, 0.02, 0.02]), np.full(3, 0.3)
BALL = np.array([0.2, 0.8, 5.0])


def camera() -> Camera:
    eye = np.array([0, 1.6, 0.0])
    return Camera(eye, look(eye, np.array([0, 0.4, 5.0]), np.array([0, 1.0, 0])), 250.0)


def light() -> Light:
    one = np.ones(3)
    return Light(np.array([0.0, 1, 0]), one * 0.6, one * 0.4, one * 0.3)


def floor(renderer: Renderer, mirror: float) -> Draw:
    solid = Solid()
    solid.box((-25, -0.05, -25), (25, 0, 35), GREY)
    mesh = renderer.upload(solid.vertices())
    return Draw(mesh, np.eye(4), casts=False, mirror=mirror)


def ball(renderer: Renderer) -> Draw:
    solid = Solid()
    solid.ball((0, 0, 0), 0.25, RED)
    return Draw(
        renderer.upload(solid.vertices()), place(0, BALL[0], BALL[2], y=BALL[1])
    )


def redness(image: np.ndarray, point: np.ndarray) -> float:
    """Red over green where a point of the world is seen."""
    ((u, v),), _ = camera().project(point[None])
    patch = image[int(v) - 2 : int(v) + 3, int(u) - 2 : int(u) + 3].mean(axis=(0, 1))
    return float(patch[0] / patch[1])


def prove_mirror(renderer: Renderer, paint: Paint) -> None:
    below = BALL * [1, -1, 1]
    thing = ball(renderer)
    dull, shiny = (
        paint([thing, floor(renderer, mirror)], camera(), light())
        for mirror in (0.0, 1.0)
    )
    assert redness(dull, BALL) > 5, "the ball is not where it should be"
    assert redness(dull, below) < 1.2, "a dull floor mirrors"
    assert redness(shiny, below) > 1.3, "a shiny floor does not mirror"
    ids = renderer.identify([thing, floor(renderer, 1.0)], camera())
    assert not ids.any(), "a thing, or its image, is taken for a person"


def prove_traffic(renderer: Renderer, paint: Paint) -> None:
    scene = Scene("low", camera(), light(), light(), [floor(renderer, 0.0)])
    scene.traffic, step = [Mover(ball(renderer), 1.0)], np.array([1.0, 0, 0])
    now, before, empty, _ = shoot(scene, renderer, paint)
    assert redness(now, BALL) > 5 > 1.2 > redness(now, BALL - step)
    assert redness(before, BALL - step) > 5 > 1.2 > redness(before, BALL)
    assert redness(empty, BALL) < 1.2, "what drives is in the background"
    assert moved(scene.traffic[0], 0.5).place[0, 3] == BALL[0] - 0.5
    scene.shutter = 0.5
    blurred, *_ = shoot(scene, renderer, paint)
    trail = redness(blurred, BALL - step / 4), redness(now, BALL - step / 4)
    assert trail[0] > 1.2 * trail[1], "an open shutter does not blur"


def prove_door() -> None:
    x, y, z = np.meshgrid([-1.7, 0.0, 1.2], [-3.0, 0.0, 2.0], [0.0, 1.5])
    points = np.stack([x, z, MOUNTED.back - y], axis=-1).reshape(-1, 3)
    pixels, depth = camera_of(MOUNTED).project(points)
    right, down, metre = MOUNTED.project(x.ravel(), y.ravel(), z.ravel())
    there = np.stack([right * DOOR[0], down * DOOR[1] + (HEIGHT - DOOR[1]) / 2], axis=1)
    assert np.abs(pixels - there).max() < 0.01, "the two cameras see another floor"
    focal = camera_of(MOUNTED).focal / DOOR[1]
    assert np.abs(metre - focal / depth).max() < 1e-6, "they see another size"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blender", type=Path, help="a Python that has bpy")
    args = parser.parse_args()
    renderer = Renderer(WIDTH, HEIGHT)
    tracer = Tracer(args.blender, renderer) if args.blender else None
    paint = tracer.render if tracer else renderer.render
    prove_mirror(renderer, paint)
    prove_traffic(renderer, paint)
    prove_door()
    print(f"mirrors, traffic and doors{', traced' if tracer else ''}: as promised")
    if tracer:
        tracer.close()


if __name__ == "__main__":
    main()
