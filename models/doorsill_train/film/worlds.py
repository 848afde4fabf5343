"""Render training worlds.

``python -m doorsill_train.film.worlds --data MAKEHUMAN --out FOLDER``

A shard is one world (its own people and clothes) of 200 scenes, decided by its seed
alone. It is written when complete, so a stopped run goes on where it was. Each shard is
``NNNNNN.frames.npy`` (n, 5, 256, 320) uint8 - red, green, blue, luma one step before,
luma of the empty scene - and ``NNNNNN.labels.npz``. Seeds from 900,000 on are held out.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("LP_NUM_THREADS", "1")

import numpy as np

from doorsill_train import labels
from doorsill_train.paint.rasteriser import HEIGHT, WIDTH, Renderer
from doorsill_train.paint.tracer import Tracer
from doorsill_train.people.bodies import Atlas, load_atlas
from doorsill_train.people.data import unpacked
from doorsill_train.people.people import HAIR, TIPS, Person, sample_person
from doorsill_train.places.scenes import (
    Actor,
    Cast,
    Paint,
    Scene,
    actor_draws,
    free,
    sample_scene,
    shoot,
    step_length,
)
from doorsill_train.processes import in_processes

HELD_OUT = 900_000
POOL, SCENES, REFRESH_EVERY = 24, 200, 8
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


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
        person, renderer.upload(vertices, faces), renderer.upload(before, faces),
        head_points(vertices), float(vertices[:, 1].max()), wrists, metres,
    )  # fmt: skip


def head_points(vertices: np.ndarray) -> np.ndarray:
    """Skull and headwear, plus the hair near it: long hair is no longer head."""
    head = vertices[vertices[:, 13] > 0.5]
    hair = np.isin(np.rint(head[:, 12]), (HAIR, TIPS))
    skull = head[~hair][:, :3]
    low, high = skull.min(axis=0), skull.max(axis=0)
    margin = (high - low) * 0.22
    near = head[hair][:, :3]
    keep = (near >= low - margin * [1, 0, 1]) & (near <= high + margin)
    return np.concatenate([skull, near[keep.all(axis=1)]])


class Share:
    """Which scenes are path-traced: decided by the seed, and it changes no other."""

    def __init__(self, part: float, blender: Path, renderer: Renderer) -> None:
        self.part, self.tracer = part, Tracer(blender, renderer)

    def of(self, seed: int, number: int) -> Paint | None:
        drawn = np.random.default_rng([seed, number]).random()
        return self.tracer.render if drawn < self.part else None


class Lens:
    """Barrel distortion: where each pixel comes from, and where a point goes."""

    def __init__(self, strength: float):
        self.strength = strength
        v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
        at = np.stack([u.ravel(), v.ravel()], axis=1)
        source = np.rint(self.scaled(at, 1 + strength * (self.radius2(at) - 1)))
        self.index = (source[:, 1] * WIDTH + source[:, 0]).astype(int)

    def scaled(self, points: np.ndarray, factor: np.ndarray) -> np.ndarray:
        centre = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
        return (points - centre) * factor[:, None] + centre

    def radius2(self, points: np.ndarray) -> np.ndarray:
        x = (points[:, 0] - (WIDTH - 1) / 2) * 2 / np.hypot(WIDTH, HEIGHT)
        y = (points[:, 1] - (HEIGHT - 1) / 2) * 2 / np.hypot(WIDTH, HEIGHT)
        return x * x + y * y

    def image(self, image: np.ndarray) -> np.ndarray:
        if not self.strength:
            return image
        return image.reshape(HEIGHT * WIDTH, -1)[self.index].reshape(image.shape)

    def points(self, points: np.ndarray) -> np.ndarray:
        """Undistorted -> distorted, by fixed-point iteration."""
        out = points
        for _ in range(6 if self.strength else 0):
            out = self.scaled(points, 1 / (1 + self.strength * (self.radius2(out) - 1)))
        return out


def exposed(images: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """One exposure for the triplet, set on a random percentile, then gamma 2.2."""
    level = np.percentile(images[0] @ LUMA, rng.uniform(35, 70))
    target = (rng.uniform(60, 170) / 255) ** 2.2
    bright = np.percentile(images[0] @ LUMA, 93)
    gain = np.clip(target / max(level, 1e-3), 0.2, 5.0)
    gain = min(gain, rng.choice([0.9, 1.2, 2.5]) / max(bright, 1e-3))
    curve = [np.clip(image * gain, 0, 1) ** (1 / 2.2) for image in images]
    return [np.rint(image * 255).astype(np.uint8) for image in curve]


def bounds(mask: np.ndarray) -> list[float]:
    rows, columns = np.where(mask)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def label(
    actor: Actor, alone: np.ndarray, mine: np.ndarray, head: np.ndarray,
    change: np.ndarray, scene: Scene, lens: Lens,
) -> list[float] | None:  # fmt: skip
    """One row, or None when nothing of the person is in the picture."""
    body = alone[..., 0] > 0
    if body.sum() < 30:
        return None
    points = np.c_[actor.cast.head_points, np.ones(len(actor.cast.head_points))]
    pixels, depth = scene.camera.project((points @ actor.place.T)[:, :3])
    if depth.min() < 0.15:
        return None
    pixels = lens.points(pixels)
    (x0, y0), (x1, y1) = pixels.min(axis=0), pixels.max(axis=0)
    cut = [np.clip(x0, 0, WIDTH), np.clip(y0, 0, HEIGHT)]
    cut += [np.clip(x1, 0, WIDTH), np.clip(y1, 0, HEIGHT)]
    inside = (cut[2] - cut[0]) * (cut[3] - cut[1]) / max((x1 - x0) * (y1 - y0), 1)
    whole_head = (body & (alone[..., 1] > 0)).sum()
    seen_head, seen_body = mine & (head > 0), mine
    foot, _ = scene.camera.project(actor.place[None, :3, 3])
    foot = lens.points(foot)[0]
    person, figure = actor.cast.person, actor.cast.person.figure
    return [
        x0, y0, x1, y1, *bounds(body), *foot,
        seen_head.sum() / max(whole_head, 1), inside, seen_body.sum() / body.sum(),
        change[seen_head].mean() if seen_head.any() else 0,
        change[seen_body].mean() if seen_body.any() else 0, seen_body.sum(),
        person.band, figure.masculinity, person.tone, figure.weight, figure.age,
        actor.cast.height, actor.still,
    ]  # fmt: skip


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
    atlas: Atlas, renderer: Renderer, seed: int, folder: Path, scenes: int = SCENES,
    share: Share | None = None,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    held_out = seed >= HELD_OUT
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
        scene = sample_scene(renderer, pool, rng)
        paint = share.of(seed, i) if share else None
        planes, found = picture(scene, renderer, rng, paint)
        free(scene)
        frames.append(planes)
        rows.append(found)
        views.append(scene.view)
    for cast in pool:
        cast.now.free()
        cast.before.free()
    save_shard(folder, seed, frames, rows, views=views)


def save_shard(
    folder: Path, seed: int, frames: list[np.ndarray], rows: list[np.ndarray],
    **more: list,
) -> None:  # fmt: skip
    """The frames last, under their name only when whole: then the shard is there."""
    path = folder / f"{seed:06d}"
    partial = path.with_suffix(".part.npy")
    table = {"rows": np.concatenate(rows), "counts": [len(each) for each in rows]}
    np.savez(path.with_suffix(".labels.npz"), **table, **more)
    np.save(partial, np.array(frames))
    partial.replace(path.with_suffix(".frames.npy"))


def work(args: argparse.Namespace, seeds: list[int]) -> None:
    atlas = load_atlas(args.data, args.out / "atlas.pickle")
    renderer = Renderer()
    share = Share(args.cycles, args.blender, renderer) if args.cycles else None
    for number, seed in enumerate(seeds):
        if (args.out / f"{seed:06d}.frames.npy").exists():
            continue
        start = time.monotonic()
        render_shard(atlas, renderer, seed, args.out, args.scenes, share)
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
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument(
        "--cycles", type=float, default=0.0, metavar="SHARE",
        help="this part of the scenes is path-traced, 0..1: 10 s each on one core",
    )  # fmt: skip
    parser.add_argument(
        "--blender", type=Path, default=Path(".venv-cycles/bin/python"),
        help="a Python that has bpy (`make cycles`); default %(default)s",
    )  # fmt: skip
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
