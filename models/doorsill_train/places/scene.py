"""What a scene is made of: a room or a road, people, traffic, light and a camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from doorsill_train.paint.camera import Camera
from doorsill_train.paint.painter import Draw, Light, Mesh
from doorsill_train.people.people import Person

Paint = Callable[[list[Draw], Camera, Light], np.ndarray]  # Painter.render's


@dataclass(slots=True)
class Cast:
    """A person of the pool, uploaded at two moments of the walk."""

    person: Person
    now: Mesh
    before: Mesh
    head_points: np.ndarray  # (n, 3)
    height: float
    wrists: np.ndarray  # (2, 3)
    step_m: float  # walked between the two moments


@dataclass(slots=True)
class Actor:
    cast: Cast
    place: np.ndarray  # (4, 4) now
    earlier: np.ndarray  # (4, 4) one step before
    still: bool
    props: list[Mesh]
    palette: np.ndarray
    second: tuple[float, ...]


@dataclass(slots=True)
class Mover:
    """A vehicle now, and how far it came since the frame before."""

    draw: Draw
    step_m: float


@dataclass(slots=True)
class Scene:
    view: str
    camera: Camera
    light: Light
    back_light: Light
    room: list[Draw] = field(default_factory=list)
    moved_room: list[Draw] = field(default_factory=list)  # doors, in the background
    actors: list[Actor] = field(default_factory=list)
    traffic: list[Mover] = field(default_factory=list)  # not in the background
    shutter: float = 0.0  # of the step between two frames
    back_wall: float = 10.0
    outdoors: bool = False
    deep: float = 0.0  # metres to the back wall at least
