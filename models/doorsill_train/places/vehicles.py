"""Vehicles with round bodies, sloped glass and lights: what nobody may take for people.

Each maker returns a ``Solid`` around the origin, in metres, that drives along +x.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from doorsill_train.paint.solids import Solid, from_hsv, muted, vivid

Rng = np.random.Generator
DARK = np.full(3, 0.03)
AROUND = np.linspace(-np.pi / 2, 3 * np.pi / 2, 25)  # the seam lies underneath


def paint(rng: Rng) -> np.ndarray:
    """Half the cars are white, grey or black; some are red, blue or anything."""
    if rng.random() < 0.6:
        return np.full(3, rng.choice([0.04, 0.1, 0.3, 0.55, 0.85])) + rng.normal(
            0, 0.02
        )
    hue = rng.choice([0.0, 0.0, 0.6, 0.58, rng.random()])
    return from_hsv(hue, rng.uniform(0.4, 0.9), rng.uniform(0.2, 0.8))


def section(
    x: float, wide: float, low: float, high: float, square: float
) -> np.ndarray:
    """(25, 3): a rounded rectangle across the vehicle; ``square`` 1 is an ellipse."""
    c, s = np.cos(AROUND), np.sin(AROUND)
    z = wide * np.sign(c) * np.abs(c) ** (1 / square)
    y = (low + high) / 2 + (high - low) / 2 * np.sign(s) * np.abs(s) ** (1 / square)
    return np.stack([np.full_like(y, x), y, z], axis=1)


def shell(
    profile: list[tuple[float, float, float, float]], square: float
) -> np.ndarray:
    """(rows, 25, 3) through sections (x, half width, low, high); both ends closed."""
    rows = [section(x, w, low, high, square) for x, w, low, high in profile]
    ends = [np.broadcast_to(row.mean(axis=0), row.shape) for row in (rows[0], rows[-1])]
    return np.array([ends[0], *rows, ends[1]])


def body(
    s: Solid, long: float, wide: float, nose: float, tail: float, colour: np.ndarray
) -> None:
    """Bumpers, bonnet and boot: half ``long`` each way, ``nose`` and ``tail`` high."""
    at = np.array([-1, -0.985, -0.93, -0.75, -0.3, 0.3, 0.75, 0.93, 0.985, 1.0])
    taper = 1 - 0.25 * np.abs(at) ** 6
    high = np.interp(
        at,
        [-1, -0.93, -0.3, 0.3, 0.93, 1],
        [0.72 * tail, tail, 0.93, 0.95, nose, 0.72 * nose],
    )
    low = 0.24 + 0.1 * np.abs(at) ** 8
    profile = list(zip(at * long, wide * taper, low, high, strict=True))
    lattice = shell(profile, 2.6)
    shape = (len(lattice) - 1, lattice.shape[1] - 1)
    s.loft(lattice, np.broadcast_to(colour, (*shape, 3)), np.full(shape, 0.06))


def cabin(
    s: Solid,
    ends: tuple[float, float, float, float],
    wide: float,
    top: float,
    colour: np.ndarray,
    rng: Rng,
) -> None:
    """Glass all around under a painted roof.

    ``ends`` are the x of the rear pane's foot, of the roof's rear and front edge, and
    of the windscreen's foot.
    """
    (a, b, c, d), belt = ends, 0.86
    roof = np.linspace(b, c, 5)
    profile = [(a, wide * 0.86, belt - 0.2, belt + 0.05)]
    profile += [((a + b) / 2, wide * 0.85, belt - 0.3, (belt + top) / 2 + 0.05)]
    profile += [(x, wide * 0.8, belt - 0.45, top) for x in roof]
    profile += [((c + d) / 2, wide * 0.85, belt - 0.3, (belt + top) / 2 + 0.05)]
    profile += [(d, wide * 0.88, belt - 0.2, belt + 0.03)]
    lattice = shell(profile, 1.9)
    middle = (lattice[:-1, :-1] + lattice[1:, 1:]) / 2
    painted = middle[..., 1] > top - 0.1
    painted &= (middle[..., 0] > b) & (middle[..., 0] < c)
    if rng.random() < 0.6:  # the pillars
        painted[4] = True
    glass = np.full(3, rng.uniform(0.01, 0.1))
    colours = np.where(painted[..., None], colour, glass)
    s.loft(lattice, colours, np.where(painted, 0.06, rng.uniform(0.12, 0.4)))
    if rng.random() < 0.3:
        x, z = np.mean([b, c]), wide * 0.4
        s.pane((x - 0.35, top - 0.03, -z), (x + 0.35, top + 0.015, z), 0.3)
    if rng.random() < 0.25:
        rails(s, b, c, wide * 0.6, top, rng)


def rails(s: Solid, back: float, front: float, z: float, top: float, rng: Rng) -> None:
    """A roof rack, now and then with a box on it."""
    steel = np.full(3, rng.choice([0.05, 0.5]))
    for side in (-z, z):
        s.tube((back, top + 0.05, side), (front, top + 0.05, side), 0.02, steel)
    for x in np.linspace(back + 0.2, front - 0.2, 2):
        s.tube((x, top + 0.06, -z), (x, top + 0.06, z), 0.02, steel)
    if rng.random() < 0.4:
        x = (back + front) / 2
        s.ball((x, top + 0.22, z * 0.3), (0.8, 0.16, 0.35), muted(rng))


def wheels(s: Solid, places: np.ndarray, wide: float, radius: float, rng: Rng) -> None:
    rim = np.full(3, rng.uniform(0.1, 0.6))
    for x in places:
        for z in (-wide, wide):
            s.ball((x, radius, z), (radius, radius, 0.11), DARK)
            s.ball((x, radius, z), (radius * 0.6, radius * 0.6, 0.13), rim)


def lights(s: Solid, long: float, wide: float, high: float, rng: Rng) -> None:
    """Head lamps, tail lamps, plates and a grille."""
    lit, brake = rng.uniform(0.5, 3), rng.uniform(0.2, 1.5)
    for z in (-wide * 0.72, wide * 0.72):
        s.ball((long * 0.95, high, z), (0.12, 0.08, 0.17), np.full(3, lit))
        s.ball(
            (-long * 0.96, high, z), (0.08, 0.1, 0.16), np.array([brake, 0.02, 0.02])
        )
    for x in (-long, long):
        plate = np.array([0.8, 0.8, rng.choice([0.2, 0.8])])
        s.box((x - 0.02, 0.42, -0.26), (x + 0.02, 0.54, 0.26), plate)
    x = long * 0.985
    s.box((x, high - 0.12, -wide * 0.45), (x + 0.03, high + 0.02, wide * 0.45), DARK)


def mirrors(s: Solid, x: float, wide: float, y: float, colour: np.ndarray) -> None:
    for z in (-wide - 0.08, wide + 0.08):
        s.ball((x, y, z), (0.07, 0.07, 0.12), colour)


def car(rng: Rng) -> Solid:
    """A hatchback, a saloon, an estate or an off-roader."""
    s, colour = Solid(), paint(rng)
    long, wide = rng.uniform(1.85, 2.4), rng.uniform(0.83, 0.96)
    kind = rng.choice(["hatch", "saloon", "estate"])
    rear = {"hatch": -0.9, "saloon": -0.72, "estate": -0.97}[str(kind)]
    step = {"hatch": 0.3, "saloon": 0.45, "estate": 0.15}[str(kind)]
    top = rng.uniform(1.38, 1.75)
    body(s, long, wide, rng.uniform(0.68, 0.85), rng.uniform(0.85, 1.0), colour)
    front = rng.uniform(0.4, 0.52)
    ends = (rear * long, rear * long + step, (front - 0.32) * long, front * long)
    cabin(s, ends, wide, top, colour, rng)
    wheels(s, np.array([-0.62, 0.62]) * long, wide * 0.97, 0.32, rng)
    lights(s, long, wide, 0.66, rng)
    mirrors(s, ends[3] - 0.25, wide, 0.98, colour)
    return s


def van(rng: Rng) -> Solid:
    s, colour = Solid(), paint(rng)
    long, wide, top = (
        rng.uniform(2.2, 2.9),
        rng.uniform(0.92, 1.05),
        rng.uniform(1.9, 2.6),
    )
    body(s, long, wide, rng.uniform(0.85, 1.1), 1.0, colour)
    ends = (-long * 0.98, -long * 0.95, long * 0.45, long * 0.82)
    cabin(s, ends, wide * 1.08, top, colour, rng)
    wall = (-long * 0.97, long * rng.uniform(0.1, 0.4))
    if rng.random() < 0.7:
        s.box((wall[0], 0.5, -wide * 0.97), (wall[1], top * 0.97, wide * 0.97), colour)
    wheels(s, np.array([-0.6, 0.66]) * long, wide, 0.35, rng)
    lights(s, long, wide, 0.75, rng)
    mirrors(s, ends[3] - 0.3, wide + 0.1, 1.3, DARK)
    return s


def lorry(rng: Rng) -> Solid:
    s, colour, wide = Solid(), paint(rng), rng.uniform(1.0, 1.2)
    cab, load = rng.uniform(1.5, 2.2), rng.uniform(2.5, 5.0)
    top = rng.uniform(2.2, 3.0)
    front = ((0, 1, 1), (cab * 0.6, 1, 1), (cab, 0.97, 0.6), (cab * 1.05, 0.9, 0.5))
    profile = [(x, wide * w, 0.4, top * h) for x, w, h in front]
    lattice = shell(profile, 3.5)
    middle = (lattice[:-1, :-1] + lattice[1:, 1:]) / 2
    glass = (middle[..., 0] > cab * 0.55) & (middle[..., 1] > top * 0.58)
    colours = np.where(glass[..., None], np.full(3, 0.03), colour)
    s.loft(lattice, colours, np.where(glass, 0.3, 0.05))
    cover = muted(rng, 0.3, 0.95)
    if rng.random() < 0.25:  # an open bed with a load
        s.box((-load, 0.7, -wide), (0, 1.0, wide), cover)
        for _ in range(rng.integers(1, 6)):
            at = rng.uniform((-load + 0.4, 1.1, -wide + 0.4), (-0.4, 1.2, wide - 0.4))
            s.ball(at, rng.uniform(0.2, 0.5, 3), vivid(rng))
    else:
        s.box((-load, 0.8, -wide * 1.05), (-0.1, top * 1.12, wide * 1.05), cover)
    places = np.array([-load * 0.85, -load * 0.6, cab * 0.5])
    wheels(s, places, wide * 0.95, 0.45, rng)
    for z in (-wide * 0.75, wide * 0.75):
        s.ball((cab * 1.05, 0.7, z), (0.1, 0.1, 0.18), np.full(3, rng.uniform(0.5, 2)))
    mirrors(s, cab * 0.9, wide + 0.1, top * 0.75, DARK)
    return s


def wheel(s: Solid, x: float, radius: float, thick: float) -> None:
    rim = np.linspace(0, 2 * np.pi, 15)
    ring = [x + radius * np.cos(rim), radius + radius * np.sin(rim), 0 * rim]
    for a, b in pairwise(np.stack(ring, axis=1)):
        s.tube(a, b, thick, DARK)


def bicycle(rng: Rng) -> Solid:
    """Parked, nobody on it; some have a basket or a child's seat."""
    s, frame = Solid(), vivid(rng)
    for x in (-0.5, 0.5):
        wheel(s, x, 0.33, 0.018)
    bars = (
        ((-0.5, 0.33, 0.0), (-0.1, 0.3, 0.0)),
        ((-0.1, 0.3, 0.0), (0.38, 0.8, 0.0)),
        ((-0.1, 0.3, 0.0), (-0.2, 0.9, 0.0)),
        ((-0.2, 0.8, 0.0), (0.36, 0.8, 0.0)),
        ((0.5, 0.33, 0.0), (0.34, 1.0, 0.0)),
        ((0.34, 1.0, -0.28), (0.34, 1.0, 0.28)),
    )
    for a, b in bars:
        s.tube(a, b, 0.02, frame)
    s.ball((-0.2, 0.93, 0), (0.13, 0.04, 0.08), DARK)
    if rng.random() < 0.4:
        s.box((0.4, 0.75, -0.17), (0.68, 1.0, 0.17), muted(rng))
    if rng.random() < 0.25:
        s.box((-0.65, 0.7, -0.16), (-0.35, 0.76, 0.16), vivid(rng))
        s.box((-0.68, 0.7, -0.16), (-0.63, 1.15, 0.16), vivid(rng))
    return s


def motorcycle(rng: Rng) -> Solid:
    """Parked, without a rider: tank, seat and lamp are round, and no head."""
    s, colour = Solid(), paint(rng)
    for x in (-0.68, 0.68):
        wheel(s, x, 0.3, 0.06)
    s.ball((0.1, 0.45, 0), (0.35, 0.22, 0.17), np.full(3, rng.uniform(0.05, 0.4)))
    tank, seat = UNIT_TANK, np.full(3, rng.uniform(0.02, 0.15))
    s.ball((0.2, 0.82, 0), tank * rng.uniform(0.9, 1.2), colour)
    s.ball((-0.35, 0.78, 0), (0.42, 0.08, 0.15), seat)
    s.tube((0.68, 0.3, 0), (0.42, 1.0, 0), 0.04, np.full(3, 0.4))
    s.tube((0.42, 1.02, -0.38), (0.42, 1.02, 0.38), 0.02, DARK)
    s.ball((0.6, 0.88, 0), (0.12, 0.11, 0.11), np.full(3, rng.uniform(0.4, 2)))
    for z in (-0.3, 0.3):
        s.ball((0.4, 1.18, z), (0.02, 0.05, 0.07), np.full(3, 0.3))
    if rng.random() < 0.4:  # a top case
        s.ball((-0.75, 1.0, 0), (0.2, 0.17, 0.24), colour * 0.7)
    return s


UNIT_TANK = np.array([0.3, 0.16, 0.16])
DRIVEN: tuple[Callable[[Rng], Solid], ...] = (car, car, car, car, car, van, lorry)
PARKED: tuple[Callable[[Rng], Solid], ...] = (car, car, van, bicycle, motorcycle)
