"""Things that stand in shops and streets, and things that people push or carry.

Each maker returns a ``Solid`` around the origin, in metres; many look a little like a
person or a head, on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from doorsill_train.paint.solids import Solid, cloth_colour, from_hsv, muted, vivid

Rng = np.random.Generator


def pillar(rng: Rng) -> Solid:
    s, w, h = Solid(), rng.uniform(0.06, 0.3), rng.choice([1.2, 2.2, 3.6, 4.5])
    if rng.random() < 0.5:
        s.cylinder((0, 0, 0), w, h, muted(rng))
    else:
        s.box((-w, 0, -w), (w, h, w * rng.uniform(0.6, 1.5)), muted(rng))
    return s


def shelf(rng: Rng) -> Solid:
    s, frame = Solid(), muted(rng)
    w, d, h = rng.uniform(0.4, 1.2), rng.uniform(0.15, 0.3), rng.uniform(0.8, 2.3)
    s.box((-w, 0, -d), (-w + 0.04, h, d), frame)
    s.box((w - 0.04, 0, -d), (w, h, d), frame)
    s.box((-w, 0, d - 0.02), (w, h, d), muted(rng))
    base = muted(rng) if rng.random() < 0.4 else None
    for y in np.arange(0.05, h, rng.uniform(0.25, 0.5)):
        s.box((-w, y, -d), (w, y + 0.03, d), frame)
        x = -w + 0.05
        while x < w - 0.15:
            g, t = rng.uniform(0.05, 0.3), rng.uniform(0.08, 0.3)
            colour = base if base is not None else vivid(rng)
            if rng.random() < 0.8:
                s.box(
                    (x, y + 0.03, -d + rng.uniform(0, 0.1)), (x + g, y + t, d), colour
                )
            else:
                s.cylinder((x + 0.06, y + 0.03, 0), 0.06, t, colour)
            x += g + rng.uniform(0.005, 0.12)
    return s


def chair(rng: Rng) -> Solid:
    s, leg, seat, w = Solid(), muted(rng), muted(rng), rng.uniform(0.18, 0.26)
    for x in (-w, w):
        for z in (-w, w):
            s.box((x - 0.02, 0, z - 0.02), (x + 0.02, 0.45, z + 0.02), leg)
    s.box((-w, 0.45, -w), (w, 0.5, w), seat)
    s.box((-w, 0.55, w - 0.02), (w, rng.uniform(0.8, 1.05), w + 0.02), seat)
    return s


def table(rng: Rng) -> Solid:
    s, y, w = Solid(), rng.choice([0.5, 0.75, 1.05]), rng.uniform(0.3, 0.8)
    top, leg = muted(rng), muted(rng)
    if rng.random() < 0.5:
        s.cylinder((0, y, 0), w, 0.04, top)
        s.cylinder((0, 0, 0), 0.04, y, leg)
    else:
        d = rng.uniform(0.25, 0.5)
        s.box((-w, y, -d), (w, y + 0.04, d), top)
        s.box((-w * 0.9, 0, -d * 0.8), (w * 0.9, y * rng.uniform(0.1, 1), d * 0.8), leg)
    for _ in range(rng.integers(0, 5)):
        x, z = rng.uniform(-0.25, 0.25, 2)
        high = rng.uniform((0.05, 0.05, 0.05), (0.3, 0.35, 0.2))
        s.box(
            (x, y + 0.04, z), (x + high[0], y + 0.04 + high[1], z + high[2]), vivid(rng)
        )
    return s


def clothes_rack(rng: Rng) -> Solid:
    s, w, h = Solid(), rng.uniform(0.4, 0.9), rng.uniform(1.2, 1.7)
    metal = muted(rng)
    s.box((-w, h, -0.015), (w, h + 0.03, 0.015), metal)
    for x in (-w, w):
        s.box((x - 0.015, 0, -0.02), (x + 0.015, h, 0.02), metal)
    x = -w + 0.05
    while x < w - 0.05:
        drop, d = rng.uniform(0.5, 1.0), rng.uniform(0.12, 0.24)
        high = (x + rng.uniform(0.02, 0.08), h - 0.04, d)
        s.box((x, h - drop, -d), high, cloth_colour(rng))
        x += rng.uniform(0.04, 0.15)
    return s


def mannequin(rng: Rng) -> Solid:
    """A dress form without a head: cloth on a stand must not become a person."""
    s, cloth, y = Solid(), cloth_colour(rng), rng.uniform(0.75, 0.95)
    s.cylinder((0, 0, 0), 0.02, y, muted(rng))
    s.cylinder((0, 0, 0), 0.17, 0.03, muted(rng))
    rings = [(0, y, 0, 0.17, 0.12), (0, y + 0.25, 0, 0.12, 0.09)]
    rings += [(0, y + 0.5, 0, 0.18, 0.11), (0, y + 0.6, 0, 0.05, 0.05)]
    s.lathe(np.array(rings), cloth)
    return s


def plant(rng: Rng) -> Solid:
    s = Solid()
    s.cylinder((0, 0, 0), rng.uniform(0.1, 0.25), rng.uniform(0.2, 0.5), muted(rng))
    leaf = from_hsv(rng.uniform(0.2, 0.4), rng.uniform(0.3, 0.8), rng.uniform(0.1, 0.5))
    for _ in range(rng.integers(8, 28)):
        at = np.add(rng.normal(0, 0.2, 3), (0, rng.uniform(0.5, 1.5), 0))
        s.ball(at, rng.uniform(0.03, 0.16, 3), leaf * rng.uniform(0.4, 1.5))
    return s


def tree(rng: Rng) -> Solid:
    s, h = Solid(), rng.uniform(1.6, 2.6)
    s.cylinder((0, 0, 0), rng.uniform(0.06, 0.18), h, muted(rng, 0.1, 0.4))
    leaf = from_hsv(
        rng.uniform(0.18, 0.36), rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.4)
    )
    for _ in range(rng.integers(15, 40)):
        at = np.add(rng.normal(0, 0.6, 3), (0, h + 0.4, 0))
        s.ball(at, rng.uniform(0.1, 0.4, 3), leaf * rng.uniform(0.3, 1.6))
    return s


def lamp(rng: Rng) -> Solid:
    s, y = Solid(), rng.uniform(0.3, 1.9)
    s.cylinder((0, 0, 0), rng.uniform(0.01, 0.05), y, muted(rng))
    glow = np.ones(3) * rng.uniform(0.9, 2) if rng.random() < 0.3 else muted(rng)
    s.ball((0, y, 0), rng.uniform(0.07, 0.22, 3), glow)
    s.cylinder((0, 0, 0), 0.15, 0.03, muted(rng))
    return s


def balls(rng: Rng) -> Solid:
    s = Solid()
    for _ in range(rng.integers(1, 7)):
        at = rng.normal(0, 0.4, 3) * [1, 0, 1] + [0, rng.uniform(0.05, 0.4), 0]
        s.ball(at, rng.uniform(0.05, 0.25), vivid(rng))
    return s


def bin_(rng: Rng) -> Solid:
    s, r, h, colour = (
        Solid(),
        rng.uniform(0.12, 0.35),
        rng.uniform(0.3, 1.2),
        muted(rng),
    )
    s.cylinder((0, 0, 0), r, h, colour)
    if rng.random() < 0.5:
        s.ball((0, h, 0), (r, r * 0.4, r), muted(rng))
    return s


def boxes(rng: Rng) -> Solid:
    s, (x, y, z) = Solid(), rng.uniform((0.1, 0.1, 0.1), (0.5, 1.4, 0.5))
    for _ in range(rng.integers(1, 4)):
        s.box((-x, 0, -z), (x, y, z), muted(rng) if rng.random() < 0.6 else vivid(rng))
        x, y, z = x * 0.8, y * 1.3, z * 0.8
    return s


def shoes(rng: Rng) -> Solid:
    """Pairs of shoes and folded clothes: dark blobs that are no heads."""
    s = Solid()
    for _ in range(rng.integers(1, 5)):
        x, z = rng.uniform(-0.4, 0.4, 2)
        for side in (0, 0.13):
            s.ball((x + side, 0.05, z), (0.05, 0.06, 0.14), cloth_colour(rng))
    return s


def shopping_cart(rng: Rng) -> Solid:
    s, steel = Solid(), rng.choice([0.35, 0.6, 0.8]) * np.ones(3)
    for x in np.linspace(-0.28, 0.28, 7):
        for z in (-0.45, 0.43):
            s.box((x - 0.008, 0.45, z), (x + 0.008, 0.95, z + 0.02), steel)
        s.box((x - 0.008, 0.44, -0.45), (x + 0.008, 0.46, 0.45), steel)
    for x in (-0.28, 0.28):
        for z in np.linspace(-0.45, 0.45, 9):
            s.box((x - 0.008, 0.45, z - 0.008), (x + 0.008, 0.95, z + 0.008), steel)
        for y in (0.5, 0.7, 0.95):
            s.box((x - 0.01, y - 0.01, -0.45), (x + 0.01, y + 0.01, 0.45), steel)
        s.tube((x, 0.1, 0.35), (x, 0.45, -0.3), 0.012, steel)
        s.ball((x, 0.06, 0.35), 0.06, np.full(3, 0.05))
    s.box((-0.3, 1.0, -0.6), (0.3, 1.04, -0.56), vivid(rng))
    for _ in range(rng.integers(0, 6)):
        at = rng.uniform((-0.2, 0.47, -0.4), (0.05, 0.5, 0.2))
        s.box(at, at + rng.uniform(0.1, 0.3, 3), vivid(rng))
    return s


def pram(rng: Rng) -> Solid:
    s, cloth, metal = Solid(), cloth_colour(rng), np.full(3, rng.uniform(0.05, 0.6))
    s.box((-0.22, 0.5, -0.35), (0.22, 0.78, 0.35), cloth)
    s.ball((0, 0.8, 0.2), (0.23, 0.3, 0.22), cloth * rng.uniform(0.6, 1.2))
    for x in (-0.24, 0.24):
        s.tube((x, 0.15, 0.3), (x, 1.02, -0.5), 0.015, metal)
        s.tube((x, 0.15, -0.3), (x, 0.6, 0.2), 0.015, metal)
        for z in (-0.32, 0.32):
            s.ball((x, 0.14, z), (0.03, 0.14, 0.14), np.full(3, 0.04))
    s.tube((-0.24, 1.02, -0.5), (0.24, 1.02, -0.5), 0.018, metal)
    return s


def wheelchair(rng: Rng) -> Solid:
    """Around a seated person whose hips are at the origin and 0.5 m high."""
    s, cloth, metal = Solid(), np.full(3, 0.04), np.full(3, rng.uniform(0.1, 0.7))
    s.box((-0.24, 0.38, -0.15), (0.24, 0.44, 0.38), cloth)
    s.box((-0.24, 0.44, -0.2), (0.24, 0.9, -0.16), cloth)
    for x in (-0.28, 0.28):
        rim = np.linspace(0, 2 * np.pi, 17)
        ring = np.stack([0 * rim + x, 0.3 + 0.29 * np.cos(rim), 0.29 * np.sin(rim)], 1)
        for a, b in pairwise(ring):
            s.tube(a, b, 0.015, np.full(3, 0.05))
        s.ball((x, 0.09, 0.5), (0.02, 0.09, 0.09), np.full(3, 0.05))
        s.tube((x, 0.9, -0.2), (x, 0.95, -0.35), 0.015, metal)
        s.tube((x, 0.62, -0.2), (x, 0.62, 0.25), 0.02, metal)
    return s


def seat(rng: Rng) -> Solid:
    """What somebody sits on whose hips are at the origin: a chair, a stool, a bench."""
    s, colour, kind = Solid(), muted(rng, 0.05, 0.8), rng.integers(3)
    wide = rng.uniform(0.5, 0.9) if kind == 2 else rng.uniform(0.18, 0.26)
    s.box((-wide, 0.36, -0.22), (wide, 0.41, 0.24), colour)
    for x in (-wide + 0.03, wide - 0.03):
        s.box((x - 0.02, 0, -0.2), (x + 0.02, 0.36, -0.16), muted(rng))
        s.box((x - 0.02, 0, 0.18), (x + 0.02, 0.36, 0.22), muted(rng))
    if kind != 1:
        back = rng.uniform(0.6, 1.0)
        s.box((-wide, 0.45, -0.26), (wide, back, -0.22), colour)
    return s


def dog(rng: Rng) -> Solid:
    """Of any size, standing along z; its head is a ball that belongs to nobody."""
    s, size, coat = Solid(), rng.uniform(0.5, 1.2), cloth_colour(rng)
    s.ball((0, 0.45 * size, 0), (0.12 * size, 0.14 * size, 0.34 * size), coat)
    s.ball((0, 0.68 * size, 0.36 * size), np.array([0.09, 0.1, 0.15]) * size, coat)
    s.tube((0, 0.5 * size, 0.2 * size), (0, 0.66 * size, 0.34 * size), 0.06, coat)
    s.tube((0, 0.5 * size, -0.3 * size), (0, 0.7 * size, -0.5 * size), 0.02, coat)
    for x in (-0.08, 0.08):
        for z in (-0.24, 0.24):
            at = np.array([x, 0, z]) * size
            s.tube(at, np.add(at, (0, 0.4 * size, 0)), 0.03 * size, coat)
    return s


def held_box(rng: Rng) -> Solid:
    s, (x, y, z) = Solid(), rng.uniform((0.12, 0.08, 0.1), (0.25, 0.2, 0.2))
    s.box((-x, -y, -z), (x, y, z), muted(rng))
    return s


def bag(rng: Rng) -> Solid:
    """Hangs below the origin (the hand)."""
    s, strap = Solid(), rng.uniform(0.05, 0.35)
    x, y, z = rng.uniform((0.04, 0.15, 0.1), (0.1, 0.4, 0.22))
    s.box((-x, -strap - y, -z), (x, -strap, z), cloth_colour(rng))
    s.tube((0, 0, 0), (0, -strap, z * 0.8), 0.01, np.full(3, 0.1))
    s.tube((0, 0, 0), (0, -strap, -z * 0.8), 0.01, np.full(3, 0.1))
    return s


def suitcase(rng: Rng) -> Solid:
    s, shell = Solid(), vivid(rng)
    s.box((-0.14, 0.05, -0.22), (0.14, rng.uniform(0.5, 0.75), 0.22), shell)
    s.tube((0, 0.6, 0), (0, 1.0, 0.2), 0.02, np.full(3, 0.1))
    return s


MAKERS = (
    *(pillar, shelf, chair, table, clothes_rack, mannequin, plant, tree, lamp),
    *(balls, bin_, boxes, shoes, shopping_cart, pram, wheelchair, suitcase, dog),
)
FURNITURE: dict[str, Callable[[Rng], Solid]] = {
    maker.__name__.strip("_"): maker for maker in MAKERS
}
INDOORS = (
    *("pillar", "shelf", "shelf", "shelf", "chair", "table", "clothes_rack"),
    *("mannequin", "plant", "lamp", "balls", "bin", "boxes", "boxes", "shoes"),
    *("shopping_cart", "pram", "suitcase", "suitcase", "dog", "wheelchair"),
)
OUTDOORS = (
    *("pillar", "tree", "tree", "plant", "bin", "boxes", "lamp", "pram", "dog"),
    *("suitcase", "mannequin"),
)
