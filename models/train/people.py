"""Invented people: a figure, clothes, hair, headwear and what they carry.

``sample_person`` draws one from a wardrobe; ``Person.mesh`` poses it. Metres, y up,
feet at y = 0, facing +z. The held-out wardrobe is never trained on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from bodies import (
    Atlas,
    Figure,
    bone_matrices,
    fitted,
    joint,
    moved,
    normals,
    shaped,
    skin_matrices,
)
from gaits import Gait, pose, sample_gait
from solids import Solid, cloth_colour, from_hsv, muted

SKIN, SCALP, LIPS, CLOTH, SHOES, HAIR, EYES, HAT, COAT = 0, 1, 2, 3, 7, 8, 9, 10, 11
TIPS = 13  # of long hair, often another colour
BANDS = ("child", "young adult", "adult", "older")
MEN_SUITS = [f"male_casualsuit0{n}" for n in (1, 2, 3, 4, 6)]
WOMEN_SUITS = ["female_casualsuit01", "female_elegantsuit01", "female_sportsuit01"]
SUITS = {
    "female": [*WOMEN_SUITS, "male_casualsuit04", "male_casualsuit06"],
    "male": [*MEN_SUITS, "male_elegantsuit01", "male_worksuit01"],
}
HELD_SUITS = {"female": ["female_casualsuit02"], "male": ["male_casualsuit05"]}
SHORT, LONG = ["short01", "short02", "short03"], ["bob01", "braid01", "long01"]
HAIR_OF = {
    "female": [*LONG, "ponytail01", "long01", "afro01", "short03"],
    "male": [*SHORT, "afro01", "ponytail01", "bald", "bald", "short02"],
}
HELD_HAIR = {"female": ["bob02"], "male": ["short04", "bald"]}
HEADWEAR = ("none", "cap", "beanie", "scarf", "hood", "fedora", "helmet", "turban")
HEADWEAR_P = (0.68, 0.08, 0.07, 0.07, 0.04, 0.02, 0.02, 0.02)
# skin tones from light to dark, linear steps between sRGB anchors; group = index // 2
LIGHT_TONES = [[244, 214, 194], [230, 188, 160], [206, 158, 124]]
DARK_TONES = [[166, 116, 82], [120, 78, 54], [72, 46, 34]]
TONES = np.array([*LIGHT_TONES, *DARK_TONES]) / 255


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


@dataclass(frozen=True, slots=True)
class Person:
    atlas: Atlas
    body: np.ndarray
    parts: list[Part]
    gait: Gait
    figure: Figure
    band: int  # index into BANDS
    tone: float  # 0 light .. 5 dark
    palette: np.ndarray  # (16, 3)
    pattern: tuple[int, float]  # shader pattern and its frequency, on clothes

    def mesh(self, phase: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Vertices (n, 14), faces (m, 3), wrists (2, 3), at this phase of the walk."""
        bones = bone_matrices(self.atlas, self.body, pose(self.gait, phase))
        skin = skin_matrices(self.atlas, bones)
        blocks, faces, count = [], [], 0
        for part in self.parts:
            posed = self.posed(part, skin, bones)
            n = normals(posed, part.faces)
            block = [posed * 0.1, n, part.rest, np.ones_like(posed)]
            blocks.append(np.column_stack([*block, part.slot, part.head]))
            faces.append(part.faces + count)
            count += len(posed)
        vertices = np.concatenate(blocks).astype(np.float32)
        hips = joint(self.atlas, self.body, "spine05")[[0, 2]] * 0.1
        lift = np.array([hips[0], vertices[:, 1].min(), hips[1]], np.float32)
        if self.gait.kind == "sit":
            lift[1] -= 0.08
        vertices[:, :3] -= lift
        wrists = [self.joint_at(bones, f"wrist.{s}") * 0.1 - lift for s in "LR"]
        return vertices, np.concatenate(faces).astype(np.int32), np.array(wrists)

    def posed(self, part: Part, skin: np.ndarray, bones: np.ndarray) -> np.ndarray:
        if part.bind is None:
            flat = np.broadcast_to(
                bones[part.bone].reshape(1, 16), (len(part.rest), 16)
            )
            return moved(part.rest, flat)
        share = np.abs(part.weight)
        share = share / np.maximum(share.sum(axis=1, keepdims=True), 1e-6)
        return moved(part.rest, (share[:, :, None] * skin[part.bind]).sum(axis=1))

    def joint_at(self, bones: np.ndarray, bone: str) -> np.ndarray:
        head = joint(self.atlas, self.body, bone)
        return bones[self.atlas.bones.index(bone)][:3] @ np.append(head, 1.0)


def sample_figure(rng: np.random.Generator) -> tuple[Figure, int]:
    """A figure and its apparent age band."""
    band = int(rng.choice(4, p=[0.16, 0.3, 0.3, 0.24]))
    low, high = ((0.0, 0.55), (0.85, 1.15), (1.25, 1.6), (1.7, 2.0))[band]
    gender = float(np.clip(rng.choice([0.06, 0.94]) + rng.normal(0, 0.1), 0, 1))
    weight = float(np.clip(rng.normal(0.1, 0.45), -0.9, 1))
    height = float(np.clip(rng.normal(0, 0.25), -0.6, 0.6))
    muscle = float(rng.uniform(-0.5, 0.5))
    return Figure(gender, float(rng.uniform(low, high)), muscle, weight, height), band


def body_part(atlas: Atlas, body: np.ndarray, hidden: np.ndarray, style: dict) -> Part:
    """Skin, with scalp, brows, lips and beard painted by place."""
    faces = atlas.faces["body"]
    faces = faces[~hidden[faces].all(axis=1)]
    used, inverse = np.unique(faces, return_inverse=True)
    head = head_weight(atlas)[used] > 0.5
    rest = body[used]
    slot = np.zeros(len(used))
    low, high = rest[head].min(axis=0), rest[head].max(axis=0)
    at = (rest - (low + high) / 2) / (high - low) * 2  # -1..1 over the head
    face = head & (at[:, 2] > 0.35)
    slot[head & ((at[:, 1] > 0.62) | ((at[:, 2] < 0.05) & (at[:, 1] > -0.35)))] = SCALP
    slot[face & (np.abs(at[:, 1] - 0.26) < 0.045) & (abs(at[:, 0]) < 0.6)] = SCALP
    slot[face & (np.abs(at[:, 1] + 0.47) < 0.06) & (abs(at[:, 0]) < 0.26)] = LIPS
    if style["beard"]:
        jaw = head & (at[:, 1] < -0.3) & (at[:, 2] > -0.1) & (slot != LIPS)
        slot[jaw & ((at[:, 1] < -0.55) | (abs(at[:, 0]) > 0.3))] = SCALP
    if style["bald"]:
        slot[slot == SCALP] = np.where(at[slot == SCALP][:, 2] > 0.3, SCALP, SKIN)
    bind = np.repeat(used[:, None], 3, axis=1)
    faces = inverse.reshape(-1, 3).astype(np.int32)
    return Part(rest, faces, slot, head * 1.0, bind, np.ones((len(used), 3)))


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


def tipped(part: Part, rng: np.random.Generator) -> Part:
    """Long hair whose ends have a colour of their own, from some height downwards."""
    low, high = part.rest[:, 1].min(), part.rest[:, 1].max()
    ends = part.rest[:, 1] < low + rng.uniform(0.2, 0.75) * (high - low)
    return replace(part, slot=np.where(ends & (part.slot == HAIR), TIPS, part.slot))


def head_weight(atlas: Atlas) -> np.ndarray:
    """(19158,) how much of each vertex moves with the head."""
    inside = {atlas.bones.index("head")}
    for i, parent in enumerate(atlas.parents):
        if parent in inside:
            inside.add(i)
    chosen = np.isin(atlas.skin_bones, sorted(inside))
    return (atlas.skin_weights * chosen).sum(axis=1)


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
    return solid_part(pack, COAT + 1, 0.0, atlas.bones.index("spine02"))


def thinned(part: Part, cell: float) -> Part:
    """Merge vertices that share a cell (decimetres): a pixel is 1 cm or more."""
    key = np.floor(part.rest / cell).astype(np.int64) @ [1, 4096, 4096 * 4096]
    key = key * 16 + part.slot.astype(np.int64)
    _, first, cluster = np.unique(key, return_index=True, return_inverse=True)
    faces = cluster[part.faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (a != c)].astype(np.int32)
    bound = part.bind is not None
    return Part(
        part.rest[first], faces, part.slot[first], part.head[first],
        part.bind[first] if bound else None, part.weight[first] if bound else None,
        part.bone,
    )  # fmt: skip


def sample_palette(rng: np.random.Generator, tone: float, older: bool) -> np.ndarray:
    at = int(min(tone, 4.999))
    skin = TONES[at] + (tone - at) * (TONES[min(at + 1, 5)] - TONES[at])
    skin = skin**2.2 * np.clip(1 + rng.normal(0, 0.04, 3), 0.9, 1.1)
    grey = rng.random() < (0.75 if older else 0.08)
    if grey:
        hair = np.full(3, rng.uniform(0.2, 0.75)) * [1, 0.99, 0.97]
    elif tone > 2.2 or rng.random() < 0.6:
        hair = np.array([0.03, 0.022, 0.018]) * rng.uniform(0.4, 2.0)
    else:
        hair = from_hsv(rng.uniform(0.04, 0.11), rng.uniform(0.3, 0.75), 1.0)
        hair = hair * rng.uniform(0.08, 0.5)
    palette = np.ones((16, 3))
    palette[[SKIN, SCALP, LIPS, HAIR, EYES]] = [
        skin, 0.35 * skin + 0.65 * hair, skin * [0.85, 0.6, 0.6], hair, [0.4, 0.4, 0.4]
    ]  # fmt: skip
    for slot in (CLOTH, CLOTH + 1, CLOTH + 2, CLOTH + 3, HAT, COAT, COAT + 1):
        palette[slot] = cloth_colour(rng) ** 2.2
    palette[SHOES] = muted(rng, 0.03, 0.4) ** 2.2
    palette[TIPS] = np.minimum(hair * rng.uniform(0.5, 6), 0.7)
    return palette


def sample_person(
    atlas: Atlas,
    rng: np.random.Generator,
    held_out: bool = False,
    kind: str | None = None,
) -> Person:
    """One invented person; ``held_out`` dresses it from the other wardrobe."""
    figure, band = sample_figure(rng)
    gender = "male" if rng.random() < figure.masculinity else "female"
    suits, hairs = (HELD_SUITS, HELD_HAIR) if held_out else (SUITS, HAIR_OF)
    hair = str(rng.choice(hairs[gender]))
    headwear = str(rng.choice(HEADWEAR, p=HEADWEAR_P))
    tone = float(rng.uniform(0, 5))
    adult_man = gender == "male" and band > 0
    style = {"beard": adult_man and rng.random() < 0.4, "bald": hair == "bald"}
    body = shaped(atlas, figure)
    suit, shoes = str(rng.choice(suits[gender])), f"shoes0{rng.integers(1, 7)}"
    parts = [garment_part(atlas, body, suit, "suit")]
    parts += [garment_part(atlas, body, shoes, "shoes")]
    hidden = np.zeros(len(body), bool)
    hidden[atlas.garments[suit].hides] = hidden[atlas.garments[shoes].hides] = True
    covered = headwear in ("scarf", "hood", "turban", "helmet")
    if hair != "bald" and not covered:
        parts.append(garment_part(atlas, body, hair, "hair"))
    if gender == "female" and not covered and rng.random() < 0.4:
        cut, puff = rng.uniform(0, 0.6), rng.uniform(0, 0.25)
        parts.append(
            helper_part(atlas, body, "helper-hair", HAIR, shorten=cut, puff=puff)
        )
    if gender == "female" and rng.random() < 0.35:
        parts = [tipped(p, rng) if (p.slot == HAIR).any() else p for p in parts]
    if headwear == "fedora":
        name = str(rng.choice(["fedora", "fedora_cocked"]))
        parts.append(garment_part(atlas, body, name, "fedora"))
    grow = 1.05 if hair == "bald" else 1.14
    parts += headwear_parts(atlas, body, headwear, grow * rng.uniform(0.97, 1.08))
    parts += outer_parts(atlas, body, gender, rng)
    if rng.random() < 0.16:
        parts.append(backpack(atlas, body, rng))
    parts.append(body_part(atlas, body, hidden, style))
    palette = sample_palette(rng, tone, band == 3)
    pattern = (
        int(rng.choice([0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5])),
        float(rng.uniform(0.6, 4)),
    )
    gait = sample_gait(rng, kind)
    parts = [thinned(p, 0.12 if p.head.any() else 0.25) for p in parts]
    return Person(atlas, body, parts, gait, figure, band, tone, palette, pattern)


def outer_parts(
    atlas: Atlas, body: np.ndarray, gender: str, rng: np.random.Generator
) -> list[Part]:
    """Coats (padded tights, cut at the hip), skirts and long dresses."""
    parts = []
    if rng.random() < 0.3:
        coat = helper_part(
            atlas, body, "helper-tights", COAT, puff=rng.uniform(0.2, 0.6)
        )
        hem = joint(atlas, body, "upperleg01.L")[1] - rng.uniform(0.0, 1.5)
        above = (coat.rest[:, 1] > hem)[coat.faces].all(axis=1)
        parts.append(
            Part(
                coat.rest,
                coat.faces[above],
                coat.slot,
                coat.head,
                coat.bind,
                coat.weight,
            )
        )
        if rng.random() < 0.5:
            tail = rng.uniform(0.3, 0.6)
            parts.append(helper_part(atlas, body, "helper-skirt", COAT, shorten=tail))
    elif rng.random() < (0.4 if gender == "female" else 0.04):
        cut = rng.choice([rng.uniform(0.25, 0.6), rng.uniform(0, 0.2)])
        parts.append(helper_part(atlas, body, "helper-skirt", CLOTH + 2, shorten=cut))
    return parts
