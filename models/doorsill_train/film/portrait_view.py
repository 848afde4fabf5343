"""A person on the floor, and a camera that looks at the person as at a shop's door."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from doorsill_train.film.truth import head_points
from doorsill_train.paint.camera import Camera, look, place
from doorsill_train.people.gaits import STRIDE_M
from doorsill_train.people.people import Person

VIEW_WIDTH, VIEW_HEIGHT = 136, 224  # pixels of the picture that a crop is cut from
VIEWS, VIEW_P = ((-4, 28), (26, 60), (60, 88)), (0.45, 0.40, 0.15)  # degrees downwards
HEAD_PX, HEAD_M = (16, 32), 0.25


@dataclass(frozen=True, slots=True)
class Posed:
    """Someone on the floor: vertices in the person's own frame, and where it is."""

    person: Person
    vertices: np.ndarray
    faces: np.ndarray
    place: np.ndarray

    def world(self, points: np.ndarray) -> np.ndarray:
        there: np.ndarray = points @ self.place[:3, :3].T + self.place[:3, 3]
        return there


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a camera hangs, and beside what of a person it aims."""

    eye: np.ndarray
    up: np.ndarray
    focal: float
    aside: np.ndarray  # metres from the middle of the person
    towards_head: float  # 0 the middle .. 1 the head: then the edge cuts the legs

    def camera(self, who: Posed) -> Camera:
        points = who.world(who.vertices[:, :3])
        low, high = points.min(axis=0), points.max(axis=0)
        aim = (low + high) / 2
        head = np.array([who.place[0, 3], high[1] - 0.12, who.place[2, 3]])
        aim = aim + self.towards_head * (head - aim) + self.aside
        view = look(self.eye, aim, self.up)
        return Camera(self.eye, view, self.focal, VIEW_WIDTH, VIEW_HEIGHT)


def stand(who: Posed, view: int, cut: bool, rng: np.random.Generator) -> Stand:
    """A camera for someone on the spot, of one of ``VIEWS``."""
    tilt = np.radians(rng.uniform(*VIEWS[view]))
    around = rng.uniform(0, 2 * np.pi)
    away = np.array(
        [np.sin(around) * np.cos(tilt), np.sin(tilt), np.cos(around) * np.cos(tilt)]
    )
    distance = rng.uniform(1.8, 6.0) + 0.5 * np.sin(tilt)
    pixels = np.exp(rng.uniform(*np.log(HEAD_PX)))
    aside, towards = rng.normal(0, 0.06, 3), 0.0
    if cut:
        towards = rng.uniform(0.3, 1.0)
        aside = aside * (1 - towards) + rng.normal(0, 0.25, 3)
    points = who.world(who.vertices[:, :3])
    low, high = points.min(axis=0), points.max(axis=0)
    head = np.array([0, high[1] - 0.12, 0])
    middle = (low + high) / 2
    eye = middle + towards * (head - middle) + aside + away * distance
    focal = pixels * float(np.linalg.norm(eye - head)) / HEAD_M
    spin = rng.uniform(0, 2 * np.pi)
    up = np.array([np.cos(spin), 0, np.sin(spin)]) if view == 2 else [0, 1, 0]
    up = np.add(up, [rng.normal(0, 0.06), 0, 0])
    return Stand(eye, up, focal, aside, towards)


def boxes(who: Posed, camera: Camera) -> tuple[np.ndarray, np.ndarray, float]:
    """Head and body in 0..1, the body cut by the picture's edge; head's share inside"""
    whole = np.array([VIEW_WIDTH, VIEW_HEIGHT] * 2, float)
    found = []
    for points in (head_points(who.vertices), who.vertices[:, :3]):
        pixels, _ = camera.project(who.world(points))
        found.append(np.concatenate([pixels.min(axis=0), pixels.max(axis=0)]) / whole)
    head, body = found[0], np.clip(found[1], 0, 1)
    seen = np.clip(head, 0, 1)
    area, inside = np.prod(head[2:] - head[:2]), np.prod(seen[2:] - seen[:2])
    return head, body, float(inside / area)


def walk_of(person: Person, rng: np.random.Generator, moments: int) -> list[Posed]:
    """Straight on, a fifth of a second to the next moment, as the firmware looks."""
    phase, angle = rng.uniform(0, 2 * np.pi, 2)
    moving = moments > 1 and person.gait.swing > 0.2
    metres = rng.uniform(0.12, 0.3) if moving else 0.0
    out = []
    for k in range(moments):
        vertices, faces, _ = person.mesh(phase + 2 * np.pi * k * metres / STRIDE_M)
        x, z = k * metres * np.sin(angle), k * metres * np.cos(angle)
        out.append(Posed(person, vertices, faces, place(angle, x, z)))
    return out
