"""Simple solids with a colour per vertex, and the mesh format of the renderer."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

# vertex columns: position 3, normal 3, rest 3, colour 3, slot 1, head 1;
# of things, which have no head, the last is how much they mirror: 0 to MOST_SHINE
COLUMNS = 14
MOST_SHINE = 0.45
PAINTED = 15.0  # palette slot that is always white: the vertex's own colour shows

SQUARE = [[0, 0], [1, 0], [1, 1], [0, 1]]
CORNERS = np.array([[x, y, z] for z in (0, 1) for x, y in SQUARE], float)
SIDES = np.array(
    [[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7], [0, 1, 5], [0, 5, 4], [3, 7, 6]]
)
SIDES = np.concatenate([SIDES, [[3, 6, 2], [0, 4, 7], [0, 7, 3], [1, 2, 6], [1, 6, 5]]])


def triangles(quads: np.ndarray) -> np.ndarray:
    """(n, 4, 3) quads -> (6 n, 3) corner points."""
    return quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)


def grid_quads(points: np.ndarray) -> np.ndarray:
    """(rows, columns, 3) lattice -> (n, 4, 3) quads."""
    a, b = points[:-1, :-1], points[1:, :-1]
    c, d = points[1:, 1:], points[:-1, 1:]
    return np.stack([a, b, c, d], axis=2).reshape(-1, 4, 3)


def ellipsoid_points(columns: int = 14, rows: int = 9) -> np.ndarray:
    around = np.linspace(0, 2 * np.pi, columns + 1)
    down = np.linspace(0, np.pi, rows + 1)
    a, b = np.meshgrid(around, down)
    lattice = np.stack([np.sin(b) * np.cos(a), np.cos(b), np.sin(b) * np.sin(a)], 2)
    return triangles(grid_quads(lattice))


UNIT_BALL = ellipsoid_points()


@dataclass(slots=True)
class Solid:
    """Collects coloured triangles; ``vertices()`` gives the renderer's columns."""

    points: list[np.ndarray] = field(default_factory=list)
    normals: list[np.ndarray] = field(default_factory=list)
    colours: list[np.ndarray] = field(default_factory=list)
    shines: list[np.ndarray] = field(default_factory=list)

    def add(
        self,
        points: np.ndarray,
        normals: np.ndarray,
        colour: np.ndarray,
        shine: np.ndarray | float = 0.0,
    ) -> None:
        self.points.append(points)
        self.normals.append(normals)
        self.colours.append(np.broadcast_to(np.clip(colour, 0, 3), points.shape))
        shine = np.clip(shine, 0, MOST_SHINE)
        self.shines.append(np.broadcast_to(shine, len(points)))

    def loft(
        self, lattice: np.ndarray, colours: np.ndarray, shines: np.ndarray
    ) -> None:
        """A smooth skin over (rows, columns, 3) points.

        ``colours`` (rows - 1, columns - 1, 3) and ``shines`` (rows - 1, columns - 1)
        are of its patches.
        """
        along, around = np.gradient(lattice, axis=0), np.gradient(lattice, axis=1)
        n = np.cross(along, around)
        n /= np.maximum(np.linalg.norm(n, axis=2, keepdims=True), 1e-9)
        points, normals = (triangles(grid_quads(x)) for x in (lattice, n))
        each = np.repeat(colours.reshape(-1, 3), 6, axis=0)
        self.add(points, normals, each, np.repeat(shines.ravel(), 6))

    def join(self, other: Solid) -> None:
        for name in ("points", "normals", "colours", "shines"):
            getattr(self, name).extend(getattr(other, name))

    def flat(self, points: np.ndarray, colour: np.ndarray) -> None:
        """Loose triangles with their own flat normals."""
        a, b, c = points[0::3], points[1::3], points[2::3]
        n = np.cross(b - a, c - a)
        n /= np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-9)
        self.add(points, np.repeat(n, 3, axis=0), colour)

    def box(self, low: object, high: object, colour: np.ndarray) -> None:
        low_, high_ = np.asarray(low, float), np.asarray(high, float)
        corners = CORNERS * (high_ - low_) + low_
        self.flat(corners[SIDES].reshape(-1, 3), colour)

    def pane(self, low: object, high: object, shine: float) -> None:
        """A box of dark glass."""
        before = len(self.points)
        self.box(low, high, np.full(3, 0.04))
        self.shines[before] = np.full(len(self.points[before]), shine)

    def ball(self, centre: object, radius: object, colour: np.ndarray) -> None:
        r = np.broadcast_to(np.asarray(radius, float), 3)
        n = UNIT_BALL / r
        n /= np.linalg.norm(n, axis=1, keepdims=True)
        self.add(UNIT_BALL * r + np.asarray(centre, float), n, colour)

    def lathe(
        self, rings: np.ndarray, colour: np.ndarray, arc: float = 2 * np.pi
    ) -> None:
        """Rings of (x, y, z, rx, rz), swept around y; an arc < 2 pi opens the front."""
        start = np.pi / 2 + (2 * np.pi - arc) / 2
        around = np.linspace(start, start + arc, 15)
        c, s = np.cos(around), np.sin(around)
        r = np.asarray(rings, float)[:, :, None]
        lattice = np.stack(
            [r[:, 0] + r[:, 3] * c, r[:, 1] + 0 * c, r[:, 2] + r[:, 4] * s], axis=2
        )
        points = triangles(grid_quads(lattice))
        out = np.stack([np.broadcast_to(c, lattice.shape[:2]), 0 * lattice[..., 0]], 2)
        out = np.concatenate([out, np.broadcast_to(s, lattice.shape[:2])[..., None]], 2)
        self.add(points, triangles(grid_quads(out)), colour)

    def cylinder(
        self, base: object, radius: float, height: float, colour: np.ndarray
    ) -> None:
        x, y, z = np.asarray(base, float)
        side = [[x, y, z, radius, radius], [x, y + height, z, radius, radius]]
        cap = [[x, y + height, z, radius, radius], [x, y + height, z, 1e-4, 1e-4]]
        self.lathe(np.array(side), colour)
        self.lathe(np.array(cap), colour)

    def tube(self, a: object, b: object, radius: float, colour: np.ndarray) -> None:
        """A thin bar between two points (square section)."""
        a_, b_ = np.asarray(a, float), np.asarray(b, float)
        along = b_ - a_
        side = np.cross(along, [0, 1.0, 0.01])
        side *= radius / max(float(np.linalg.norm(side)), 1e-9)
        up = np.cross(side, along)
        up *= radius / max(float(np.linalg.norm(up)), 1e-9)
        corners = CORNERS[:, [0]] * 2 - 1, CORNERS[:, [1]] * 2 - 1, CORNERS[:, [2]]
        points = a_ + corners[0] * side + corners[1] * up + corners[2] * along
        self.flat(points[SIDES].reshape(-1, 3), colour)

    @property
    def top(self) -> float:
        return max(float(p[:, 1].max()) for p in self.points)

    def vertices(self, slot: float = PAINTED, head: float = 0.0) -> np.ndarray:
        points = np.concatenate(self.points)
        tail = np.full((len(points), 2), (slot, head))
        if not head:
            tail[:, 1] = np.concatenate(self.shines)
        parts = [points, np.concatenate(self.normals), points]
        out = np.concatenate([*parts, np.concatenate(self.colours), tail], axis=1)
        return out.astype(np.float32)


def muted(rng: np.random.Generator, low: float = 0.15, high: float = 0.9) -> np.ndarray:
    """Mostly greys, woods and pale blues, as indoors."""
    if rng.random() < 0.08:
        return vivid(rng)
    hue = rng.choice([0.05, 0.08, 0.1, 0.13, 0.58, 0.3, rng.random()])
    return from_hsv(hue, abs(rng.normal(0, 0.18)), rng.uniform(low, high))


def vivid(rng: np.random.Generator) -> np.ndarray:
    return from_hsv(rng.random(), rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.95))


def cloth_colour(rng: np.random.Generator) -> np.ndarray:
    """Clothes as worn: half dark, a third grey or denim, the rest anything."""
    kind = rng.random()
    if kind < 0.4:
        return from_hsv(rng.random(), rng.uniform(0, 0.5), rng.uniform(0.03, 0.25))
    if kind < 0.6:
        hue, saturation = rng.normal(0.6, 0.03), rng.uniform(0.15, 0.7)
        return from_hsv(hue, saturation, rng.uniform(0.15, 0.6))
    if kind < 0.75:
        return from_hsv(rng.random(), rng.uniform(0, 0.12), rng.uniform(0.5, 0.98))
    saturation, value = rng.uniform(0.1, 0.75), rng.uniform(0.1, 0.85)
    return from_hsv(rng.random(), saturation, value)


def from_hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    h = (np.array([5.0, 3.0, 1.0]) + (hue % 1.0) * 6) % 6
    return value - value * min(saturation, 1.0) * np.clip(np.minimum(h, 4 - h), 0, 1)
