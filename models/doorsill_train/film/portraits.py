"""Render people for the attributes network, as a door camera sees them.

``python -m doorsill_train.film.portraits --data MAKEHUMAN --out FOLDER --shards N``

Shards of 500 crops as the firmware cuts them (128 x 64): ``NNNNNN.crops.npz`` with
``images`` and ``rows`` (``COLUMNS``). Everybody is another body: a new one costs no
more than twice another picture of the same, and teaches far more. Resumable, parallel;
seeds from 900,000 on are held out. ``--sheet SHARD PNG`` makes a contact sheet.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("LP_NUM_THREADS", "1")

import numpy as np
from PIL import Image

from doorsill.vision.attributes.appearance import cut_portrait
from doorsill.vision.attributes.tracks import READINGS  # pictures of each one held out
from doorsill_train.film.portrait_view import (
    VIEW_HEIGHT,
    VIEW_P,
    VIEW_WIDTH,
    Posed,
    boxes,
    stand,
    walk_of,
)
from doorsill_train.learn.crops import HEIGHT, WIDTH
from doorsill_train.paint.camera import Camera, place
from doorsill_train.paint.painter import Draw
from doorsill_train.paint.rasteriser import Renderer
from doorsill_train.paint.solids import Solid, muted
from doorsill_train.people.bodies import Atlas, load_atlas
from doorsill_train.people.data import unpacked
from doorsill_train.people.people import cues, sample_person
from doorsill_train.places import furniture
from doorsill_train.places.pictures import dead_leaves
from doorsill_train.places.scenes import sample_light
from doorsill_train.processes import in_processes
from doorsill_train.shards import HELD_OUT, is_held_out

PER_SHARD = 500
KINDS = ("walk", "walk", "walk", "stand", "stand", "phone", "push", "hold", "akimbo")
CUT_P, COVERED_P, BESIDE_P = 0.2, 0.1, 0.15
LEAST_HEAD_INSIDE = 0.7
COARSE = 1.4  # of the mesh: a pixel is 1 cm or more here
GAMMA = (np.linspace(0, 1, 4096) ** (1 / 2.2) * 255).astype(np.uint8)


def surroundings(renderer: Renderer, rng: np.random.Generator) -> list[Draw]:
    """A floor and a wall behind or at a side, plain or busy."""
    if rng.random() < 0.1:
        renderer.set_pictures(dead_leaves(rng)[None])
    room = []
    z = -rng.uniform(0.8, 5)
    for low, high in (
        ((-9, -0.05, -9), (9, 0, 9)),
        ((-9, 0, z - 0.1), (9, 4, z)),
    ):
        solid = Solid()
        solid.box(low, high, muted(rng))
        draw = Draw(renderer.upload(solid.vertices()), np.eye(4), casts=False)
        draw.pattern = int(rng.choice([0, 0, 1, 2, 3, 4, 5, 6, 7]))
        draw.second, draw.scale = tuple(muted(rng)), rng.uniform(0.5, 3)
        room.append(draw)
    return room


def turned(room: list[Draw], angle: float) -> list[Draw]:
    """The walls stand behind the person as the camera sees it."""
    for draw in room:
        draw.place = place(angle, 0, 0)
    return room


def drawn(who: Posed, renderer: Renderer, rng: np.random.Generator) -> Draw:
    draw = Draw(renderer.upload(who.vertices, who.faces), who.place, 1)
    draw.palette = who.person.palette
    draw.pattern, draw.scale = who.person.pattern
    cloth = who.person.palette[3] * rng.uniform(0.2, 2) + rng.normal(0, 0.05, 3)
    draw.second = tuple(np.clip(cloth, 0, 1))
    return draw


def pushed(who: Posed, renderer: Renderer, rng: np.random.Generator) -> list[Draw]:
    """A cart or a pram, before those who push one."""
    if who.person.gait.kind != "push":
        return []
    maker = (furniture.shopping_cart, furniture.pram)[int(rng.random() < 0.4)]
    mesh = renderer.upload(maker(rng).vertices())
    return [Draw(mesh, who.place @ place(0, 0, 0.95))]


def near(
    other: Posed | None,
    camera: Camera,
    covered: bool,
    renderer: Renderer,
    rng: np.random.Generator,
) -> list[Draw]:
    """Somebody beside the person, or something or somebody before it."""
    away = camera.eye * [1, 0, 1]
    away = away / max(float(np.linalg.norm(away)), 1e-6)
    side = np.array([away[2], 0, -away[0]])
    angle = rng.uniform(0, 2 * np.pi)
    if covered:
        at = away * rng.uniform(0.5, 1.0) + side * rng.normal(0, 0.3)
        if other is None or rng.random() < 0.6:
            maker = furniture.FURNITURE[str(rng.choice(COVERS))]
            mesh = renderer.upload(maker(rng).vertices())
            return [Draw(mesh, place(angle, at[0], at[2]))]
    elif other is not None and rng.random() < BESIDE_P:
        at = side * rng.choice([-1, 1]) * rng.uniform(0.5, 1.1) - away * rng.normal(
            0, 0.5
        )
    else:
        return []
    draw = drawn(other, renderer, rng)
    draw.place = place(angle, at[0], at[2])
    return [draw]


COVERS = ("table", "boxes", "bin", "chair", "plant", "shopping_cart", "suitcase")


def crop(
    image: np.ndarray, head: np.ndarray, body: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(128, 64, 3): as the firmware cuts it, with boxes as inexact as a detector's."""
    head = head + rng.normal(0, 0.05, 4) * np.tile(head[2:] - head[:2], 2)
    body = body + rng.normal(0, 0.06, 4) * np.tile(body[2:] - body[:2], 2)
    out = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    cut_portrait(np.ascontiguousarray(image), head, body, out)
    return out


def pictures(
    walk: list[Posed],
    other: Posed | None,
    renderer: Renderer,
    rng: np.random.Generator,
) -> list[tuple[np.ndarray, list[float]]]:
    """Crops (128, 64, 3) uint8 and rows of a person at some moments of a walk.

    Camera, light, room, exposure and neighbours stay as they are.
    """
    view = int(rng.choice(3, p=VIEW_P))
    cut, covered = rng.random() < CUT_P, rng.random() < COVERED_P
    while True:
        fixed = stand(walk[0], view, cut, rng)
        found = [boxes(who, fixed.camera(who)) for who in walk]
        if min(inside for *_, inside in found) >= LEAST_HEAD_INSIDE:
            break
    light = sample_light(rng)
    light.centre = np.array([0, 1.0, 0])
    first, camera = walk[0], fixed.camera(walk[0])
    draws = [drawn(first, renderer, rng), *pushed(first, renderer, rng)]
    draws += near(other, camera, covered, renderer, rng)
    around = float(np.arctan2(camera.eye[0], camera.eye[2]))
    draws += turned(surroundings(renderer, rng), around + rng.normal(0, 0.3))
    person, exposure, out = first.person, None, []
    row = [person.band, person.figure.masculinity, person.tone, person.figure.weight,
           view, cut, covered, *cues(person)]  # fmt: skip
    for who, (head, body, _) in zip(walk, found, strict=True):
        moved = walked(draws, first, who, renderer)
        image = renderer.render(moved, fixed.camera(who), light)
        if who is not first:
            moved[0].mesh.free()
        if exposure is None:
            exposure = rng.uniform(40, 70), rng.uniform(70, 170)
        image = exposed(image, *exposure)
        out.append((crop(image, head, body, rng), [float(v) for v in row]))
    for each in draws:
        each.mesh.free()
    return out


def walked(
    draws: list[Draw], first: Posed, who: Posed, renderer: Renderer
) -> list[Draw]:
    """The scene a moment later: another phase, and what is pushed came along."""
    if who is first:
        return draws
    mesh = renderer.upload(who.vertices, who.faces)
    moved = [replace(draws[0], mesh=mesh, place=who.place)]
    step = who.place @ np.linalg.inv(first.place)
    pushes = int(first.person.gait.kind == "push")
    moved += [replace(d, place=step @ d.place) for d in draws[1 : 1 + pushes]]
    return moved + draws[1 + pushes :]


def exposed(image: np.ndarray, percentile: float, target: float) -> np.ndarray:
    """Linear light -> uint8, a little soft, exposed for some part of the picture."""
    image = (image[1:] + image[:-1]) / 2
    image = (image[:, 1:] + image[:, :-1]) / 2
    level = np.percentile(image[::3, ::3], percentile)
    gain = np.clip((target / 255) ** 2.2 / max(level, 1e-3), 0.3, 4)
    stored: np.ndarray = GAMMA.take(
        (np.clip(image * gain, 0, 1) * 4095).astype(np.uint16)
    )
    return stored


def render_shard(
    atlas: Atlas, renderer: Renderer, seed: int, folder: Path, count: int
) -> None:
    rng = np.random.default_rng(seed + 5_000_000)
    renderer.set_pictures(dead_leaves(rng)[None])
    held_out = is_held_out(seed)
    made: list[tuple[np.ndarray, list[float]]] = []
    other: Posed | None = None
    while len(made) < count:
        person = sample_person(atlas, rng, held_out, str(rng.choice(KINDS)), COARSE)
        walk = walk_of(person, rng, READINGS if held_out else 1)
        made += pictures(walk, other, renderer, rng)
        other = walk[0]
    partial = folder / f"{seed:06d}.part.npz"
    rows = np.array([row for _, row in made], np.float32)
    np.savez(partial, images=np.array([image for image, _ in made]), rows=rows)
    partial.replace(folder / f"{seed:06d}.crops.npz")


def sheet(shard: Path, out: Path, columns: int = 20, lines: int = 6) -> None:
    """The first crops, each band in its own lines: feminine, then masculine."""
    table = np.load(shard)
    band, masculine = table["rows"][:, 0], table["rows"][:, 1] > 0.5
    whole = Image.new("RGB", (columns * WIDTH, 8 * HEIGHT))
    for line in range(8):
        mine = np.flatnonzero((band == line // 2) & (masculine == line % 2))
        for x, number in enumerate(mine[:columns]):
            tile = Image.fromarray(table["images"][number])
            whole.paste(tile, (x * WIDTH, line * HEIGHT))
    whole.save(out)


def work(args: argparse.Namespace, seeds: list[int]) -> None:
    atlas = load_atlas(args.data, args.out / "atlas.pickle")
    renderer = Renderer(VIEW_WIDTH, VIEW_HEIGHT, samples=0)  # thrice as fast
    for number, seed in enumerate(seeds):
        if (args.out / f"{seed:06d}.crops.npz").exists():
            continue
        begun = time.monotonic()
        render_shard(atlas, renderer, seed, args.out, args.per_shard)
        pace = time.monotonic() - begun
        left = (len(seeds) - number - 1) * pace / 60
        print(
            f"{number + 1} of {len(seeds)} shards, "
            f"{pace / args.per_shard:.3f} s each, {left:.0f} min left",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--shards", type=int, default=60, help="of 500 crops")
    parser.add_argument("--held-out", type=int, default=8)
    parser.add_argument("--per-shard", type=int, default=PER_SHARD)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--sheet", type=Path, nargs=2, metavar=("SHARD", "PNG"))
    args = parser.parse_args()
    if args.sheet:
        return sheet(*args.sheet)
    args.out.mkdir(parents=True, exist_ok=True)
    args.data = unpacked(args.data, args.out)
    load_atlas(args.data, args.out / "atlas.pickle")
    seeds = [HELD_OUT + i for i in range(args.held_out)] + list(range(args.shards))
    in_processes(work, args, seeds)


if __name__ == "__main__":
    main()
