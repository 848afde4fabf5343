"""What is true of a person in a picture: one row of ``labels``."""

from __future__ import annotations

import numpy as np

from doorsill_train.film.lens import Lens
from doorsill_train.people.dress import HAIR, TIPS
from doorsill_train.places.scene import Actor, Scene
from doorsill_train.shards import HEIGHT, WIDTH


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


def bounds(mask: np.ndarray) -> list[float]:
    rows, columns = np.where(mask)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def label(
    actor: Actor,
    alone: np.ndarray,
    mine: np.ndarray,
    head: np.ndarray,
    change: np.ndarray,
    scene: Scene,
    lens: Lens,
) -> list[float] | None:
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
