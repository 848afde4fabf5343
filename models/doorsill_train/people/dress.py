"""What a person wears, as parts bound to the body or to a bone.

Decimetres, at rest, as ``bodies``. Slots are places in a person's palette.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from doorsill_train.paint.solids import Solid
from doorsill_train.people.bodies import Atlas, fitted, joint, normals

SKIN, SCALP, LIPS, CLOTH, SHOES, HAIR, EYES, HAT, COAT = 0, 1, 2, 3, 7, 8, 9, 10, 11
PACK = COAT + 1
TIPS = 13  # of long hair, often another colour


@dataclass(frozen=True, slots=True)
class Part:
    """Vertices that follow up to three body vertices, or one bone."""

    rest: np.ndarray  # (n, 3) decimetres
    faces: np.ndarray
    slot: np.ndarray  # (n,) palette slot
    head: np.ndarray  # (n,) 1 where it counts as the head
    bind: np.ndarray | None = None  # (n, 3) body vertices
    weight: np.ndarray | None = None
    bone: int = -1
    shade: np.ndarray | None = None  # (n,) how light, 1 where None


def helper_part(
    atlas: Atlas, body: np.ndarray, name: str, slot: int, **shape: float
) -> Part:
    """A helper surface of the base mesh (tights, skirt, long hair) worn as cloth."""
    faces = atlas.faces[name]
    used, inverse = np.unique(faces, return_inverse=True)
    faces = inverse.reshape(-1, 3).astype(np.int32)
    rest = body[used] + shape.get("puff", 0.0) * normals(body[used], faces)
    floor, top = rest[:, 1].min(), rest[:, 1].max()
    cut = floor + shape.get("shorten", 0.0) * (top - floor)
    rest[:, 1] = np.maximum(rest[:, 1], cut)
    bind = np.repeat(used[:, None], 3, axis=1)
    flat = np.full(len(used), slot)
    return Part(rest, faces, flat, flat * 0.0, bind, np.ones((len(used), 3)))


def garment_part(atlas: Atlas, body: np.ndarray, name: str, kind: str) -> Part:
    garment = atlas.garments[name]
    rest = fitted(garment, body)
    flat = np.zeros(len(rest))
    if kind == "suit":
        waist = joint(atlas, body, "spine05")[1]
        whole = garment.pieces.max() == 0
        slot = CLOTH + (
            (rest[:, 1] < waist) if whole else np.minimum(garment.pieces, 3)
        )
    else:
        slot = flat + {"shoes": SHOES, "hair": HAIR, "fedora": HAT}[kind]
    if kind in ("hair", "fedora"):
        head = atlas.bones.index("head")
        return Part(rest, garment.faces, slot, flat + 1, bone=head)
    return Part(rest, garment.faces, slot, flat, garment.bind, garment.weight)


def head_weight(atlas: Atlas) -> np.ndarray:
    """(19158,) how much of each vertex moves with the head."""
    if id(atlas) not in _HEAD_WEIGHTS:
        inside = {atlas.bones.index("head")}
        for i, parent in enumerate(atlas.parents):
            if parent in inside:
                inside.add(i)
        chosen = np.isin(atlas.skin_bones, sorted(inside))
        _HEAD_WEIGHTS[id(atlas)] = (atlas.skin_weights * chosen).sum(axis=1)
    return _HEAD_WEIGHTS[id(atlas)]


_HEAD_WEIGHTS: dict[int, np.ndarray] = {}  # of the one atlas of a process


def solid_part(solid: Solid, slot: int, head: float, bone: int) -> Part:
    points = np.concatenate(solid.points).astype(np.float32)
    faces = np.arange(len(points), dtype=np.int32).reshape(-1, 3)
    ones = np.ones(len(points))
    return Part(points, faces, ones * slot, ones * head, bone=bone)


def headwear_parts(
    atlas: Atlas, body: np.ndarray, kind: str, grow: float
) -> list[Part]:
    """Caps, beanies, scarves, hoods, helmets and turbans as shells on the head."""
    points = body[head_weight(atlas) > 0.5]
    low, high = points.min(axis=0), points.max(axis=0)
    centre, size = (low + high) / 2, (high - low) / 2
    white, head = np.ones(3), atlas.bones.index("head")
    shell, drape = Solid(), Solid()
    brow = centre[1] + 0.3 * size[1]
    if kind in ("cap", "beanie", "helmet"):
        over = size * [1.06, 0.78 if kind != "helmet" else 0.95, 1.04] * grow
        shell.ball([centre[0], brow, centre[2]], over, white)
    if kind == "cap":
        front = centre[2] + size[2]
        shell.box([-0.75, brow, front - 0.6], [0.75, brow + 0.1, front + 0.75], white)
    if kind == "turban":
        shell.ball([0, brow + 0.25, centre[2]], size * [1.25, 0.6, 1.2] * grow, white)
    if kind in ("scarf", "hood"):
        x, y, z = centre
        r = size * 1.12 * grow
        rings = [(y + r[1], 0.05), (y + 0.8 * r[1], 0.62), (y + 0.3 * r[1], 0.98)]
        rings += [(y - 0.4 * r[1], 1.0), (y - r[1], 0.85)]
        table = [(x, h, z - 0.1, k * r[0], k * r[2]) for h, k in rings]
        shell.lathe(np.array(table), white, arc=1.62 * np.pi)
        neck = joint(atlas, body, "spine01")[1]
        wide = 1.9 if kind == "scarf" else 1.5
        table = [(x, y - 0.7 * r[1], z - 0.25, 0.8 * r[0], 0.8 * r[2])]
        table += [(x, (y - r[1]) * 0.5 + neck * 0.5, z - 0.4, wide * r[0], 1.3 * r[2])]
        drape.lathe(np.array(table), white)
    parts = [solid_part(shell, HAT, 1.0, head)] if shell.points else []
    if drape.points:
        parts.append(solid_part(drape, HAT, 0.0, atlas.bones.index("neck01")))
    return parts


def backpack(atlas: Atlas, body: np.ndarray, rng: np.random.Generator) -> Part:
    spine = joint(atlas, body, "spine02")
    wide, tall, deep = rng.uniform(1.0, 1.7), rng.uniform(1.4, 2.4), rng.uniform(0.8, 2)
    pack, back = Solid(), spine[2] - 0.9
    pack.box(
        [-wide, spine[1] - tall, back - deep], [wide, spine[1] + 2.0, back], np.ones(3)
    )
    return solid_part(pack, PACK, 0.0, atlas.bones.index("spine02"))


def thinned(part: Part, cell: float) -> Part:
    """Merge vertices that share a cell (decimetres): a pixel is 1 cm or more."""
    key = np.floor(part.rest / cell).astype(np.int64) @ [1, 4096, 4096 * 4096]
    key = key * 16 + part.slot.astype(np.int64)
    _, first, cluster = np.unique(key, return_index=True, return_inverse=True)
    faces = cluster[part.faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (a != c)].astype(np.int32)
    chosen = {
        name: value[first]
        for name in ("rest", "slot", "head", "bind", "weight", "shade")
        if (value := getattr(part, name)) is not None
    }
    return replace(part, faces=faces, **chosen)


def hair_part(atlas: Atlas, body: np.ndarray, name: str, volume: float) -> Part:
    """A hair mesh, pulled away from or towards the middle of the skull."""
    part = garment_part(atlas, body, name, "hair")
    skull = body[head_weight(atlas) > 0.5]
    middle = (skull.min(axis=0) + skull.max(axis=0)) / 2
    return replace(part, rest=middle + (part.rest - middle) * volume)


def tipped(part: Part, rng: np.random.Generator) -> Part:
    """Long hair whose ends have a colour of their own, from some height downwards."""
    low, high = part.rest[:, 1].min(), part.rest[:, 1].max()
    ends = part.rest[:, 1] < low + rng.uniform(0.2, 0.75) * (high - low)
    return replace(part, slot=np.where(ends & (part.slot == HAIR), TIPS, part.slot))


def hood_part(atlas: Atlas, body: np.ndarray) -> Part:
    """A hood that lies on the back, below the neck."""
    hood, neck = Solid(), joint(atlas, body, "neck01")
    wide = 0.75 * abs(joint(atlas, body, "upperarm01.L")[0])
    hood.ball(np.add(neck, (0, -0.35, -0.75)), [wide, 0.65, 0.55], np.ones(3))
    hood.ball(np.add(neck, (0, 0, -0.1)), [0.75 * wide, 0.4, 0.8], np.ones(3))
    return solid_part(hood, CLOTH, 0.0, atlas.bones.index("spine01"))


def trousers_part(atlas: Atlas, body: np.ndarray, puff: float) -> Part:
    """Tights below the waist, close or wide, over what the suit has there."""
    legs = helper_part(atlas, body, "helper-tights", CLOTH + 3, puff=puff)
    waist = joint(atlas, body, "spine05")[1] + 0.3
    ankle = joint(atlas, body, "foot.L")[1] + 0.2
    worn = (legs.rest[:, 1] < waist) & (legs.rest[:, 1] > ankle)
    return replace(legs, faces=legs.faces[worn[legs.faces].all(axis=1)])


def coat_parts(
    atlas: Atlas, body: np.ndarray, puff: float, drop: float, tail: float | None
) -> list[Part]:
    """Padded tights cut ``drop`` below the hip, and a skirt that begins there."""
    coat = helper_part(atlas, body, "helper-tights", COAT, puff=puff)
    hem = joint(atlas, body, "upperleg01.L")[1] - drop
    above = (coat.rest[:, 1] > hem)[coat.faces].all(axis=1)
    parts = [replace(coat, faces=coat.faces[above])]
    if tail is not None:
        parts.append(helper_part(atlas, body, "helper-skirt", COAT, shorten=tail))
    return parts
