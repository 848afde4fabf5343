"""Render training worlds.

``python -m doorsill_train.film.worlds --data MAKEHUMAN --out FOLDER``

A shard is one world (its own people and clothes) of 200 scenes, decided by its seed
alone. It is written when complete, so a stopped run goes on where it was. What lies in
it ``shards`` says.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("LP_NUM_THREADS", "1")

import numpy as np

from doorsill_train import labels
from doorsill_train.film.lens import Lens, exposed
from doorsill_train.film.truth import head_points, label
from doorsill_train.paint.photographs import Photographs
from doorsill_train.paint.rasteriser import Renderer
from doorsill_train.paint.tracer import Tracer
from doorsill_train.people.bodies import Atlas, load_atlas
from doorsill_train.people.data import unpacked
from doorsill_train.people.people import Person, sample_person
from doorsill_train.places.pictures import Pictures
from doorsill_train.places.scene import Cast, Paint, Scene
from doorsill_train.places.scenes import (
    actor_draws,
    free,
    sample_scene,
    shoot,
    step_length,
)
from doorsill_train.processes import in_processes
from doorsill_train.shards import HELD_OUT, LUMA, is_held_out, save_shard

POOL, SCENES, REFRESH_EVERY = 24, 200, 8


def upload_person(person: Person, renderer: Renderer, rng: np.random.Generator) -> Cast:
    """Pose a person at two moments a frame apart and find the points of the head."""
    speed, dt = rng.uniform(0.5, 1.8), 1 / rng.uniform(5, 15)
    if person.gait.swing < 0.2:
        speed = rng.uniform(0, 0.1)
    metres, phase = step_length(dt, speed)
    at = rng.uniform(0, 2 * np.pi)
    vertices, faces, wrists = person.mesh(at)
    before, _, _ = person.mesh(at - phase)
    return Cast(
        person,
        renderer.upload(vertices, faces),
        renderer.upload(before, faces),
        head_points(vertices),
        float(vertices[:, 1].max()),
        wrists,
        metres,
    )


class Share:
    """Which scenes are path-traced: decided by the seed, and it changes no other."""

    def __init__(self, part: float, blender: Path, renderer: Renderer) -> None:
        self.part, self.tracer = part, Tracer(blender, renderer)

    def of(self, seed: int, number: int) -> Paint | None:
        drawn = np.random.default_rng([seed, number]).random()
        return self.tracer.render if drawn < self.part else None


def picture(
    scene: Scene, renderer: Renderer, rng: np.random.Generator, paint: Paint | None
) -> tuple[np.ndarray, np.ndarray]:
    """Planes (5, h, w) uint8 and label rows (n, 23)."""
    now, before, empty, ids = shoot(scene, renderer, paint)
    lens = Lens(rng.uniform(0.03, 0.28) if rng.random() < 0.3 else 0.0)
    now, before, empty = exposed([lens.image(i) for i in (now, before, empty)], rng)
    ids = lens.image(ids)
    change = np.abs(now.astype(np.int16) - empty).max(axis=2)
    rows = []
    for number, actor in enumerate(scene.actors, 1):
        draws = actor_draws(actor, number, False)[:1]
        alone = lens.image(renderer.identify(draws, scene.camera))
        mine = ids[..., 0] == number
        row = label(actor, alone, mine, ids[..., 1], change, scene, lens)
        if row is not None:
            rows.append(row)
    luma = [np.rint(image @ LUMA).astype(np.uint8) for image in (before, empty)]
    planes = np.stack([*np.moveaxis(now, 2, 0), *luma])
    return planes, np.array(rows, np.float32).reshape(-1, len(labels.NAMES))


def render_shard(
    atlas: Atlas,
    renderer: Renderer,
    seed: int,
    folder: Path,
    scenes: int = SCENES,
    share: Share | None = None,
    photographs: Photographs | None = None,
) -> None:
    pictures = Pictures(photographs)
    rng = np.random.default_rng(seed)
    held_out = is_held_out(seed)
    pool: list[Cast] = []
    frames, rows, views = [], [], []
    for i in range(scenes):
        if i % REFRESH_EVERY == 0:
            fresh = POOL if not pool else 3
            for old in pool[:fresh] if i else []:
                old.now.free()
                old.before.free()
            people = [sample_person(atlas, rng, held_out) for _ in range(fresh)]
            pool = (pool[fresh:] if i else []) + [
                upload_person(p, renderer, rng) for p in people
            ]
        scene = sample_scene(renderer, pool, rng, pictures=pictures)
        paint = share.of(seed, i) if share else None
        planes, found = picture(scene, renderer, rng, paint)
        free(scene)
        pictures.still = np.moveaxis(planes[:3], 0, 2)
        frames.append(planes)
        rows.append(found)
        views.append(scene.view)
    for cast in pool:
        cast.now.free()
        cast.before.free()
    save_shard(folder, seed, frames, rows, views=views)


def work(args: argparse.Namespace, seeds: list[int]) -> None:
    atlas = load_atlas(args.data, args.out / "atlas.pickle")
    renderer = Renderer()
    photographs = Photographs(args.photographs) if args.photographs else None
    share = Share(args.cycles, args.blender, renderer) if args.cycles else None
    for number, seed in enumerate(seeds):
        if (args.out / f"{seed:06d}.frames.npy").exists():
            continue
        start = time.monotonic()
        render_shard(atlas, renderer, seed, args.out, args.scenes, share, photographs)
        pace = (time.monotonic() - start) / args.scenes
        left = len(seeds) - number - 1
        bar = "#" * round(20 * (number + 1) / len(seeds))
        print(
            f"[{bar:20}] world {seed}: {pace:.2f} s/scene, {left} worlds left, "
            f"{left * pace * args.scenes / 60:.0f} min",
            flush=True,
        )
    if share:
        share.tracer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="MakeHuman data: a folder, or the pinned archive",
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument(
        "--held-out", type=int, default=3, help="worlds never trained on"
    )
    parser.add_argument("--scenes", type=int, default=SCENES, help="per world")
    parser.add_argument("--photographs", type=Path, help="of real places, checked")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument(
        "--cycles",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="this part of the scenes is path-traced, 0..1: 10 s each on one core",
    )
    parser.add_argument(
        "--blender",
        type=Path,
        default=Path(".venv-cycles/bin/python"),
        help="a Python that has bpy (`make cycles`); default %(default)s",
    )
    args = parser.parse_args()
    if args.cycles and not args.blender.exists():
        parser.error(f"--cycles: there is no {args.blender}; run `make cycles`")
    args.out.mkdir(parents=True, exist_ok=True)
    args.data = unpacked(args.data, args.out)
    load_atlas(args.data, args.out / "atlas.pickle")
    seeds = [HELD_OUT + i for i in range(args.held_out)] + list(range(args.worlds))
    in_processes(work, args, seeds)


if __name__ == "__main__":
    main()
