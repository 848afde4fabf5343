"""The simulated street: a minute at a shop's door, with every crossing known.

``python -m doorsill_train.film.street_clip --data MAKEHUMAN --out FOLDER``

Writes ``street.mp4`` and ``street.truth.json``. People wear the held-out wardrobe, so
no detector of ours was trained on them. Towards the camera is IN: from the left of the
line to its right.

         outside        z = 11
      ____      ____    wall with the door, z = 7
                        ↓ IN
      ──────────────►   the line, z = 3, seen from left to right
          camera        z = 0, 2.8 m high, tilted 35° down
"""

from __future__ import annotations

import argparse
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from doorsill_train.film.street_walkers import (
    IN,
    LINE_Z,
    OUT,
    SEED,
    Walker,
    cast_walkers,
)
from doorsill_train.paint.camera import Camera, look, place
from doorsill_train.paint.painter import Draw, Light
from doorsill_train.paint.rasteriser import Renderer
from doorsill_train.paint.solids import Solid, muted
from doorsill_train.people.bodies import load_atlas
from doorsill_train.people.data import unpacked
from doorsill_train.people.gaits import STRIDE_M
from doorsill_train.places.furniture import plant, shelf

WIDTH, HEIGHT, FPS, SECONDS = 480, 360, 12.5, 62
PHASES = 16  # of a stride: so many meshes for each person
WALL_Z = 7.0
CODEC = {"crf": "25", "preset": "slow", "g": "50"}

# s -> how bright; the lights go out and come back
LIGHT_STEPS = ((0, 1.0), (29.9, 1.0), (30.3, 0.6), (44.0, 0.6), (44.6, 1.0), (99, 1.0))
STONE, PLASTER = np.array([0.42, 0.38, 0.33]), np.array([0.62, 0.6, 0.55])


def walker_draws(walker: Walker, t: float, renderer: Renderer) -> list[Draw]:
    spot = walker.at(t)
    if spot is None:
        return []
    phase = int(walker.walked(t) / STRIDE_M * PHASES) % PHASES
    if phase not in walker.meshes:
        vertices, faces, _ = walker.person.mesh(2 * np.pi * phase / PHASES)
        walker.meshes[phase] = renderer.upload(vertices, faces)
    at, person = place(walker.heading(t), *spot), walker.person
    draw = Draw(walker.meshes[phase], at, 1, person.palette, person.pattern[0])
    draw.second = tuple(np.clip(person.palette[3] * 0.4 + 0.1, 0, 1))
    draw.scale, draw.gloss = person.pattern[1], 0.03
    if walker.prop is None:
        return [draw]
    if walker.prop_mesh is None:
        vertices = walker.prop.vertices()
        vertices[:, 2] += 0.0 if walker.behaviour == "wheelchair" else 0.95
        walker.prop_mesh = renderer.upload(vertices)
    return [draw, Draw(walker.prop_mesh, at)]


def build_room(renderer: Renderer) -> list[Draw]:
    rng, still = np.random.default_rng(SEED + 1), np.eye(4)
    floor, wall, mat, street = Solid(), Solid(), Solid(), Solid()
    floor.box((-9, -0.05, -3), (9, 0, WALL_Z), STONE)
    mat.box((-1.8, 0, WALL_Z - 2.2), (1.8, 0.01, WALL_Z - 0.3), np.full(3, 0.07))
    street.box((-20, -0.06, WALL_Z), (20, -0.01, 30), np.full(3, 0.4))
    street.box((-20, 0, 16), (20, 7, 16.2), np.array([0.45, 0.4, 0.38]))
    for low, high in ((-9, -2.1), (2.1, 9)):
        wall.box((low, 0, WALL_Z), (high, 4, WALL_Z + 0.15), PLASTER)
    wall.box((-2.1, 2.6, WALL_Z), (2.1, 4, WALL_Z + 0.15), PLASTER)
    draws = []
    for solid, pattern, scale, second in (
        (floor, 3, 1.6, STONE * 0.75),
        (mat, 1, 9.0, np.full(3, 0.12)),
        (street, 5, 0.8, np.full(3, 0.33)),
        (wall, 1, 0.6, PLASTER * 0.95),
    ):
        draw = Draw(renderer.upload(solid.vertices()), still, pattern=pattern)
        draw.scale, draw.second = scale, tuple(second)
        draws.append(draw)
    things = ((shelf, -3.2, 4.6, 1.2), (shelf, 3.4, 4.9, -1.2))
    for maker, x, z, turn in (*things, (plant, -2.7, 6.5, 0), (plant, 2.8, 6.4, 0)):
        mesh = renderer.upload(maker(rng).vertices())
        draws.append(Draw(mesh, place(turn, x, z), second=tuple(muted(rng))))
    return draws


def door_camera() -> Camera:
    tilt, eye = np.radians(35), np.array([0, 2.8, 0.0])
    forward = np.array([0, -np.sin(tilt), np.cos(tilt)])
    view = look(eye, eye + forward, np.array([0.0, 1, 0]))
    return Camera(eye, view, 270 * WIDTH / 320, WIDTH, HEIGHT)


def line_points(camera: Camera) -> list[float]:
    """The line as x0, y0, x1, y1 in 0..1, from the left of the picture to its right."""
    ends = np.array([[-2.3, 0, LINE_Z], [2.3, 0, LINE_Z]])
    pixels, _ = camera.project(ends)
    if pixels[0, 0] > pixels[1, 0]:
        pixels = pixels[::-1]
    return [round(float(v), 3) for v in (pixels / [WIDTH, HEIGHT]).ravel()]


def crossings(walkers: list[Walker], camera: Camera) -> list[dict[str, Any]]:
    """Net change of side of each foot point while the head is in the picture."""
    x0, y0, x1, y1 = line_points(camera)
    out = []
    for walker in walkers:
        sides, times = [], []
        for frame in range(int(SECONDS * FPS)):
            spot = walker.at(frame / FPS)
            if spot is None:
                continue
            world = np.array([[spot[0], 0, spot[1]], [spot[0], 1.5, spot[1]]])
            pixels, depth = camera.project(world)
            (fx, fy), (hx, hy) = pixels / [WIDTH, HEIGHT]
            if depth.min() < 0.3 or not (0 < hx < 1 and 0 < hy < 1):
                continue
            sides.append((x1 - x0) * (fy - y0) - (y1 - y0) * (fx - x0) > 0)
            times.append(frame / FPS)
        if len(sides) > 1 and sides[0] != sides[-1]:
            last = max(i for i in range(1, len(sides)) if sides[i] != sides[i - 1])
            way = IN if sides[-1] else OUT
            entry = {"t": round(times[last], 2), "direction": way}
            out.append(entry | {"behaviour": walker.behaviour})
    return sorted(out, key=lambda entry: entry["t"])


def frame_image(
    t: float,
    walkers: list[Walker],
    room: list[Draw],
    renderer: Renderer,
    camera: Camera,
) -> np.ndarray:
    """(360, 480, 3) uint8 at time t."""
    level = np.interp(t, *np.array(LIGHT_STEPS).T)
    sun_to = np.array([0.45, 0.85, -0.3]) / np.linalg.norm([0.45, 0.85, -0.3])
    sky, sun = np.array([0.62, 0.62, 0.6]) * level, np.array([0.5, 0.48, 0.42]) * level
    light = Light(sun_to, sky, sky * 0.55, sun, np.array([0, 0, 3.5]))
    draws = [d for w in walkers for d in walker_draws(w, t, renderer)]
    image = renderer.render(draws + room, camera, light)
    noise = np.random.default_rng(int(t * 1000)).normal(0, 1.5, image.shape)
    coded = np.clip(image * 1.15, 0, 1) ** (1 / 2.2) * 255 + noise
    return np.clip(coded, 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="MakeHuman data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    walkers = cast_walkers(load_atlas(unpacked(args.data, args.out)))
    camera, renderer = door_camera(), Renderer(WIDTH, HEIGHT)
    frames = int(args.seconds * FPS)
    truth = {
        "clip": "street.mp4",
        "size": [WIDTH, HEIGHT],
        "fps": FPS,
        "frames": frames,
        "line": line_points(camera),
        "note": "rendered; IN is towards the camera; a u-turn counts nothing",
        "crossings": [c for c in crossings(walkers, camera) if c["t"] < args.seconds],
    }
    (args.out / "street.truth.json").write_text(json.dumps(truth, indent=1) + "\n")
    room = build_room(renderer)
    with av.open(str(args.out / "street.mp4"), "w") as container:
        rate = Fraction(FPS).limit_denominator(100)
        stream = container.add_stream("libx264", rate=rate, options=CODEC)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(frames):
            image = frame_image(number / FPS, walkers, room, renderer, camera)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            if number % 50 == 0:
                print(f"frame {number} of {frames}", flush=True)
        container.mux(stream.encode())


if __name__ == "__main__":
    main()
