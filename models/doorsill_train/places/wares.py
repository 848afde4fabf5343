"""What stands, hangs and lies in shops and at doors, round or dressed, but no people.

From above a head is a disc of 20 cm, from the side a dark ball over cloth; these are
such shapes without a body. Makers return a ``Solid`` around the origin, in metres.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from doorsill_train.paint.solids import Solid, cloth_colour, from_hsv, muted, vivid

Rng = np.random.Generator


def shade(rng: Rng) -> np.ndarray:
    """Hair, cloth, wood or paint: heads come in these colours too."""
    kind = rng.random()
    if kind < 0.4:
        return from_hsv(
            rng.uniform(0.02, 0.12), rng.uniform(0, 0.6), rng.uniform(0.02, 0.5)
        )
    return cloth_colour(rng) if kind < 0.7 else muted(rng)


def stool(rng: Rng) -> Solid:
    s, y, r = Solid(), rng.uniform(0.4, 0.85), rng.uniform(0.12, 0.22)
    seat, leg = shade(rng), muted(rng)
    s.cylinder((0, y, 0), r, 0.04, seat)
    s.ball((0, y + 0.04, 0), (r, rng.uniform(0.01, 0.06), r), seat)
    for angle in np.arange(4) * np.pi / 2 + 0.4:
        foot = np.array([np.cos(angle), 0, np.sin(angle)]) * r * 1.1
        s.tube(foot, foot * 0.5 + np.array([0, y, 0]), 0.015, leg)
    return s


def pot(rng: Rng) -> Solid:
    """A high plant: a bush, a ball of box, or long leaves in a pot."""
    s, r, h = Solid(), rng.uniform(0.12, 0.3), rng.uniform(0.2, 0.6)
    clay = muted(rng)
    s.lathe(np.array([(0, 0, 0, r * 0.7, r * 0.7), (0, h, 0, r, r)]), clay)
    s.cylinder((0, h - 0.06, 0), r * 0.93, 0.02, np.full(3, 0.05))
    leaf = from_hsv(
        rng.uniform(0.2, 0.42), rng.uniform(0.2, 0.8), rng.uniform(0.06, 0.45)
    )
    kind, top = rng.integers(3), rng.uniform(0.6, 1.7)
    if kind == 0:
        s.ball((0, h + top * 0.4, 0), (r * 1.3, top * 0.4, r * 1.3), leaf)
        s.ball((0, h + top * 0.9, 0), rng.uniform(0.1, 0.25), leaf * 1.2)
    elif kind == 1:
        s.cylinder((0, h, 0), 0.025, top * 0.7, np.full(3, 0.1))
        for _ in range(rng.integers(12, 40)):
            at = np.add(rng.normal(0, 0.16, 3), (0, h + top * 0.8, 0))
            s.ball(at, rng.uniform(0.04, 0.12, 3), leaf * rng.uniform(0.4, 1.6))
    else:
        for angle in rng.uniform(0, 2 * np.pi, rng.integers(7, 16)):
            out = np.array([np.cos(angle), 0, np.sin(angle)])
            bend = np.array([0, h + top * rng.uniform(0.4, 0.9), 0]) + out * 0.15
            end = bend + out * rng.uniform(0.2, 0.5) + [0, rng.uniform(-0.2, 0.3), 0]
            s.tube((0, h, 0), bend, 0.025, leaf * rng.uniform(0.5, 1.5))
            s.tube(bend, end, 0.04, leaf * rng.uniform(0.5, 1.5))
    return s


def hat_stand(rng: Rng) -> Solid:
    """A pole with hats, and now and then a coat below one."""
    s, top, wood = Solid(), rng.uniform(1.3, 1.85), muted(rng, 0.05, 0.5)
    s.cylinder((0, 0, 0), 0.03, top, wood)
    s.cylinder((0, 0, 0), 0.2, 0.03, wood)
    for angle in np.arange(rng.integers(1, 5)) * 1.7:
        out = np.array([np.cos(angle), 0, np.sin(angle)]) * rng.uniform(0.08, 0.25)
        at = np.add(out, (0, top - rng.uniform(0, 0.3), 0))
        felt = shade(rng)
        s.tube((0, at[1] - 0.1, 0), at, 0.015, wood)
        s.ball(at, (0.09, 0.08, 0.1), felt)
        if rng.random() < 0.6:
            s.cylinder(at - [0, 0.03, 0], rng.uniform(0.13, 0.2), 0.01, felt)
    if rng.random() < 0.5:
        x, y, z = rng.uniform(-0.2, 0.2), top - 0.25, rng.uniform(0.1, 0.2)
        rings = [(x, y - rng.uniform(0.7, 1.1), z, 0.18, 0.08), (x, y, z, 0.14, 0.07)]
        rings += [(x, y + 0.06, z, 0.03, 0.03)]
        s.lathe(np.array(rings), cloth_colour(rng))
    return s


def dress_form(rng: Rng) -> Solid:
    """Dressed, without a head: a knob or a lamp-like cap on the neck instead."""
    s, cloth, hips = Solid(), cloth_colour(rng), rng.uniform(0.7, 0.95)
    s.cylinder((0, 0, 0), 0.02, hips, np.full(3, 0.1))
    s.cylinder((0, 0, 0), 0.18, 0.02, muted(rng))
    hem = rng.uniform(0.1, 0.6)
    rings = [(0, hips - hem, 0, 0.17 + hem * 0.25, 0.13 + hem * 0.2)]
    rings += [(0, hips + 0.2, 0, 0.12, 0.09), (0, hips + 0.48, 0, 0.19, 0.11)]
    rings += [(0, hips + 0.56, 0, 0.06, 0.05), (0, hips + 0.64, 0, 0.05, 0.045)]
    s.lathe(np.array(rings), cloth)
    s.ball((0, hips + 0.65, 0), (0.05, rng.uniform(0.01, 0.05), 0.045), muted(rng))
    return s


def hanging(rng: Rng) -> Solid:
    """A round rail of clothes, as seen from above a ring of shoulders."""
    s, r, y = Solid(), rng.uniform(0.3, 0.55), rng.uniform(1.2, 1.6)
    s.cylinder((0, 0, 0), 0.025, y, np.full(3, 0.4))
    for angle in np.arange(rng.integers(6, 22)) * 0.31:
        c, n = np.cos(angle), np.sin(angle)
        x, z, drop = r * c, r * n, rng.uniform(0.5, 1.0)
        part = Solid()
        part.box((-0.18, -drop, -0.03), (0.18, 0, 0.03), cloth_colour(rng))
        part.tube((0, 0, 0), (0, 0.08, 0), 0.01, np.full(3, 0.5))
        turn = np.array([[c, 0, n], [0, 1, 0], [n, 0, -c]])
        part.points = [p @ turn.T + [x, y, z] for p in part.points]
        part.normals = [p @ turn.T for p in part.normals]
        s.join(part)
    return s


def basket(rng: Rng) -> Solid:
    """A crate or round basket with fruit, balls or folded things."""
    s, r, y = Solid(), rng.uniform(0.18, 0.4), rng.choice([0.25, 0.5, 0.8])
    s.lathe(np.array([(0, 0, 0, r * 0.8, r * 0.8), (0, y, 0, r, r)]), muted(rng))
    s.cylinder((0, y - 0.08, 0), r * 0.95, 0.02, np.full(3, 0.06))
    base, same = vivid(rng), rng.random() < 0.6
    for _ in range(rng.integers(2, 14)):
        angle, out = rng.uniform(0, 2 * np.pi), r * 0.7 * np.sqrt(rng.random())
        at = (out * np.cos(angle), y, out * np.sin(angle))
        colour = base * rng.uniform(0.7, 1.2) if same else vivid(rng)
        s.ball(at, rng.uniform(0.04, 0.12), colour)
    return s


def wet_floor(rng: Rng) -> Solid:
    s, w = Solid(), 0.15
    colour = from_hsv(rng.choice([0.13, 0.02]), 0.85, 0.8)
    for z in (-0.2, 0.2):
        corners = np.array([(-w, 0, z), (w, 0, z), (w * 0.7, 0.65, z * 0.1)])
        last = np.array(
            [(-w, 0, z), (w * 0.7, 0.65, z * 0.1), (-w * 0.7, 0.65, z * 0.1)]
        )
        s.flat(np.concatenate([corners, last]), colour)
    s.box((-0.05, 0.3, 0.11), (0.05, 0.45, 0.13), np.full(3, 0.05))
    return s


def pouf(rng: Rng) -> Solid:
    """Cushions, dog beds, bags on the floor: dark and round."""
    s = Solid()
    for _ in range(rng.integers(1, 4)):
        x, z = rng.uniform(-0.4, 0.4, 2)
        r, y = rng.uniform(0.1, 0.3), rng.uniform(0.05, 0.25)
        s.ball((x, y, z), (r, y, r * rng.uniform(0.7, 1.2)), shade(rng))
    return s


def pedestal(rng: Rng) -> Solid:
    """A ball, a vase or a globe at the height of a head."""
    s, y, r = Solid(), rng.uniform(0.8, 1.7), rng.uniform(0.08, 0.16)
    if rng.random() < 0.5:
        s.cylinder((0, 0, 0), rng.uniform(0.02, 0.2), y, muted(rng))
    else:
        w = rng.uniform(0.08, 0.25)
        s.box((-w, 0, -w), (w, y, w), muted(rng))
    if rng.random() < 0.5:
        s.ball((0, y + r, 0), r * rng.uniform(0.8, 1.2, 3), shade(rng))
    else:
        rings = [(0, y, 0, r * 0.6, r * 0.6), (0, y + r, 0, r, r)]
        rings += [
            (0, y + 2 * r, 0, r * 0.4, r * 0.4),
            (0, y + 2.6 * r, 0, r * 0.6, r * 0.6),
        ]
        s.lathe(np.array(rings), shade(rng))
    return s


def pendant(rng: Rng) -> Solid:
    """A hanging lamp or a mobile; of its cord only the end, lest it hide all below."""
    s, y, r = Solid(), rng.uniform(1.2, 2.0), rng.uniform(0.08, 0.2)
    glow = np.full(3, rng.uniform(0.8, 2.5)) if rng.random() < 0.4 else shade(rng)
    if rng.random() < 0.5:
        s.ball((0, y, 0), (r, r * rng.uniform(0.6, 1.1), r), glow)
    else:
        s.lathe(
            np.array([(0, y - r, 0, r * 1.4, r * 1.4), (0, y, 0, r * 0.3, r * 0.3)]),
            glow,
        )
    s.cylinder((0, y, 0), 0.008, 0.3, np.full(3, 0.05))
    return s


def post(rng: Rng) -> Solid:
    """A painted column with signs, bands and boxes on it: as tall as a person."""
    s, colour = Solid(), vivid(rng) if rng.random() < 0.6 else muted(rng)
    w, d = rng.uniform(0.06, 0.28), rng.uniform(0.06, 0.28)
    top = rng.choice([1.2, 1.7, 2.0, 2.6, 3.8])
    s.box((-w, 0, -d), (w, top, d), colour)
    for _ in range(rng.integers(0, 5)):  # bands, and boards on one side
        y, tall = rng.uniform(0.2, top), rng.uniform(0.05, 0.45)
        out = rng.uniform(0.005, 0.06)
        other = muted(rng) if rng.random() < 0.6 else vivid(rng)
        if rng.random() < 0.5:
            s.box((-w - out, y, -d - out), (w + out, y + tall, d + out), other)
        else:
            side = rng.uniform(0.05, 0.25)
            s.box((-side, y, -d - out - 0.01), (side, y + tall, -d), other)
    if rng.random() < 0.5:  # an extinguisher or a bag on a hook
        y, r = rng.uniform(0.7, 1.5), rng.uniform(0.06, 0.12)
        s.ball((w * 0.5, y, -d - r), (r, r * rng.uniform(1, 2.5), r), shade(rng))
    for _ in range(rng.integers(0, 3)):  # cartons at its foot
        x, tall = rng.uniform(-0.4, 0.2), rng.uniform(0.15, 0.5)
        s.box(
            (x, 0, -d - 0.45),
            (x + rng.uniform(0.2, 0.5), tall, -d - 0.05),
            from_hsv(0.08, rng.uniform(0.1, 0.6), rng.uniform(0.2, 0.7)),
        )
    return s


def framed(s: Solid, at: tuple[float, float, float], rng: Rng) -> None:
    """A picture in its frame at (x, y, z), facing -z: often of somebody's head."""
    (x, y, z), w, h = at, *rng.uniform((0.05, 0.07), (0.22, 0.28))
    rim = rng.uniform(0.1, 0.3)
    frame = shade(rng) if rng.random() < 0.7 else vivid(rng)
    s.box((x - w, y - h, z - 0.02), (x + w, y + h, z), frame)
    w, h = w * (1 - rim), h * (1 - rim)
    ground = np.ones(3) * rng.uniform(0.3, 0.95) if rng.random() < 0.6 else muted(rng)
    s.box((x - w, y - h, z - 0.022), (x + w, y + h, z - 0.02), ground)
    for _ in range(rng.integers(1, 5)):
        size = rng.uniform(0.2, 0.7, 2) * (w, h)
        middle = (x + rng.uniform(-0.3, 0.3) * w, y + rng.uniform(-0.4, 0.4) * h)
        hue = from_hsv(rng.uniform(0.02, 0.1), rng.uniform(0.2, 0.7), rng.uniform(0, 1))
        colour = hue if rng.random() < 0.6 else shade(rng)
        s.ball((*middle, z - 0.022), (*size, 0.004), colour)


def gallery(rng: Rng) -> Solid:
    """A column, a board or a shelf's end with framed pictures, as high as heads."""
    s, paint = Solid(), vivid(rng) if rng.random() < 0.6 else muted(rng)
    w, d = rng.uniform(0.1, 0.7) * rng.choice([0.4, 1.0]), rng.uniform(0.04, 0.25)
    top = rng.uniform(1.5, 3.2)
    s.box((-w, 0, -d), (w, top, d), paint)
    if rng.random() < 0.4:  # two colours, as a dress and a head would be
        y = rng.uniform(0.7, top)
        s.box((-w - 0.004, y, -d - 0.004), (w + 0.004, top, d + 0.004), muted(rng))
    for _ in range(rng.integers(1, 5)):
        at = rng.uniform(-w, w), rng.uniform(0.8, top), -d - 0.005
        framed(s, at, rng)
    return s


def discs(rng: Rng) -> Solid:
    """Stickers, drains and covers in the floor: head-sized, but flat."""
    s = Solid()
    for _ in range(rng.integers(1, 5)):
        x, z = rng.uniform(-0.8, 0.8, 2)
        colour = shade(rng) if rng.random() < 0.6 else vivid(rng)
        s.cylinder((x, 0.002, z), rng.uniform(0.08, 0.3), 0.006, colour)
    return s


def bottles(rng: Rng) -> Solid:
    """Round-topped things close together on a table or a display."""
    s, y, w = Solid(), rng.choice([0.35, 0.8, 1.1]), rng.uniform(0.3, 0.7)
    s.box((-w, 0, -0.3), (w, y, 0.3), muted(rng))
    colour, r = shade(rng), rng.uniform(0.03, 0.11)
    for x in np.arange(-w + r, w - r, r * rng.uniform(2.1, 3.5)):
        for z in (-0.15, 0.12):
            s.cylinder((x, y, z), r, r * 2, colour)
            s.ball((x, y + 2 * r, z), r, colour * rng.uniform(0.6, 1.3))
    return s


MAKERS: tuple[Callable[[Rng], Solid], ...] = (
    stool, pot, pot, hat_stand, dress_form, hanging, basket, wet_floor, pouf,
    pedestal, post, post, gallery, gallery, gallery, pendant, discs, bottles,
)  # fmt: skip
