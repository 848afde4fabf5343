"""Render heads and shoulders for the attributes network: every person a new one.

``python portraits.py --data MAKEHUMAN --out FOLDER --count N``: shards of 500 crops as
the firmware cuts them (64 x 64), ``NNNNNN.crops.npz`` with ``images`` and ``rows`` of
age band, masculinity, skin tone, weight. Resumable; seeds from 900,000 on are held out.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("LP_NUM_THREADS", "1")

import numpy as np
from bodies import Atlas, load_atlas
from data import unpacked
from people import sample_person
from render import HELD_OUT, head_points
from renderer import Camera, Draw, Renderer, look
from scenes import place, sample_light, sample_picture
from solids import Solid, cloth_colour, muted

from doorsill.vision.appearance import SHIFT, WINDOW

SIDE, PER_SHARD = 64, 500
KINDS = ("walk", "walk", "stand", "phone", "push", "hold")


def camera_on(
    head: np.ndarray, size: float, tilt: float, rng: np.random.Generator
) -> Camera:
    """Looks along -z at the head from ``tilt`` degrees above, framed as on a device."""
    around, up = rng.normal(0, 0.3), np.radians(tilt)
    away = [np.sin(around) * np.cos(up), np.sin(up), np.cos(around) * np.cos(up)]
    distance = rng.uniform(1.5, 5)
    aim = head + np.array([0, -SHIFT * size * np.cos(up), 0])
    aim = aim + rng.normal(0, 0.07 * size, 3)
    focal = SIDE / (WINDOW * size * rng.uniform(0.9, 1.12)) * distance
    eye = aim + np.array(away) * distance
    spin = rng.uniform(0, 2 * np.pi) if tilt > 66 else np.pi / 2
    lean = np.array([np.cos(spin), 0, np.sin(spin)])
    up_axis = lean if tilt > 66 else np.array([rng.normal(0, 0.06), 1, 0])
    return Camera(eye, look(eye, aim, up_axis), focal, SIDE, SIDE)


def surroundings(renderer: Renderer, rng: np.random.Generator) -> list[Draw]:
    """A floor and a wall behind, plain or busy."""
    renderer.set_picture(sample_picture(rng))
    room = []
    reach = rng.uniform(0.8, 5)
    for low, high in (
        ((-9, -0.05, -9), (9, 0, 9)),
        ((-9, 0, -reach - 0.1), (9, 4, -reach)),
    ):
        solid = Solid()
        solid.box(low, high, muted(rng))
        draw = Draw(renderer.upload(solid.vertices()), np.eye(4), casts=False)
        draw.pattern = int(rng.choice([0, 0, 1, 2, 3, 4, 5, 6, 7]))
        draw.second, draw.scale = tuple(muted(rng)), rng.uniform(0.5, 3)
        room.append(draw)
    return room


def portrait(
    atlas: Atlas, renderer: Renderer, rng: np.random.Generator, held_out: bool
) -> tuple[np.ndarray, list[float]]:
    """One crop (64, 64, 3) uint8 and its row."""
    person = sample_person(atlas, rng, held_out, str(rng.choice(KINDS)))
    vertices, faces, _ = person.mesh(rng.uniform(0, 2 * np.pi))
    turn = place(rng.uniform(0, 2 * np.pi), 0, 0)
    points = head_points(vertices) @ turn[:3, :3].T
    low, high = points.min(axis=0), points.max(axis=0)
    tilt = rng.choice([rng.uniform(-5, 30), rng.uniform(25, 60), rng.uniform(60, 88)],
                      p=[0.45, 0.42, 0.13])  # fmt: skip
    camera = camera_on((low + high) / 2, float((high - low).max()), tilt, rng)
    light = sample_light(rng)
    light.centre = np.array([0, 1.0, 0])
    palette = person.palette.copy()
    for slot in (3, 4, 5, 6, 10, 11, 12):
        palette[slot] = cloth_colour(rng) ** 2.2
    draw = Draw(renderer.upload(vertices, faces), turn, 1, palette)
    draw.pattern, draw.scale = person.pattern
    draw.second = tuple(np.clip(palette[3] * rng.uniform(0.2, 2), 0, 1))
    room = surroundings(renderer, rng)
    image = renderer.render([draw, *room], camera, light)
    for each in [draw, *room]:
        each.mesh.free()
    level = np.percentile(image, rng.uniform(40, 70))
    gain = np.clip((rng.uniform(70, 170) / 255) ** 2.2 / max(level, 1e-3), 0.3, 4)
    coded = np.clip(image * gain, 0, 1) ** (1 / 2.2) * 255
    figure = person.figure
    row = [person.band, figure.masculinity, person.tone, figure.weight]
    return coded.astype(np.uint8), [float(v) for v in row]


def render_shard(atlas: Atlas, renderer: Renderer, seed: int, folder: Path) -> None:
    rng = np.random.default_rng(seed + 5_000_000)
    held_out = seed >= HELD_OUT
    made = [portrait(atlas, renderer, rng, held_out) for _ in range(PER_SHARD)]
    partial = folder / f"{seed:06d}.part.npz"
    rows = np.array([row for _, row in made], np.float32)
    np.savez(partial, images=np.array([image for image, _ in made]), rows=rows)
    partial.replace(folder / f"{seed:06d}.crops.npz")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=40, help="of 500 crops")
    parser.add_argument("--held-out", type=int, default=6)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    data = unpacked(args.data, args.out)
    atlas = load_atlas(data, args.out / "atlas.pickle")
    renderer = Renderer(SIDE, SIDE)
    held = [HELD_OUT + i for i in range(args.held_out)]
    seeds = [s for pair in zip(held, range(len(held)), strict=True) for s in pair]
    seeds += list(range(len(held), args.shards))
    for number, seed in enumerate(seeds):
        if not (args.out / f"{seed:06d}.crops.npz").exists():
            render_shard(atlas, renderer, seed, args.out)
            print(f"{number + 1} of {len(seeds)} shards", flush=True)


if __name__ == "__main__":
    main()
