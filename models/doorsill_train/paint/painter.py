"""What a painter is given, and what it does with it.

Places and people are made for any painter; ``rasteriser`` is the one that films.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from doorsill_train.paint.camera import Camera

LAYERS, TILE = 8, 256  # how many pictures a painter holds, and their edge in pixels


class Mesh(Protocol):
    """A shape that a painter holds."""

    def free(self) -> None: ...


@dataclass(slots=True)
class Draw:
    """One mesh in the scene; ``person`` 0 is furniture."""

    mesh: Mesh
    place: np.ndarray  # (4, 4)
    person: int = 0
    palette: np.ndarray | None = None  # (16, 3) linear
    pattern: int = 0
    second: tuple[float, ...] = (0.5, 0.5, 0.5)
    scale: float = 1.0
    layer: int = 0  # which of the painter's pictures pattern 7, or cloth 6, shows
    gloss: float = 0.0
    casts: bool = True
    mirror: float = 0.0  # of a floor at y = 0: how much of the scene it shows
    haze: float = 0.0  # how blurred, in halvings of the picture


@dataclass(slots=True)
class Light:
    sun_to: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    sun: np.ndarray
    centre: np.ndarray = field(default_factory=lambda: np.array([0, 0, 3.0]))


class Painter(Protocol):
    """Holds shapes, and makes pictures of them."""

    def upload(self, vertices: np.ndarray, faces: np.ndarray | None = None) -> Mesh: ...

    def set_pictures(self, images: np.ndarray) -> None: ...

    def render(self, draws: list[Draw], camera: Camera, light: Light) -> np.ndarray: ...

    def identify(self, draws: list[Draw], camera: Camera) -> np.ndarray: ...
