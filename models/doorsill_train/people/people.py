"""Invented people: a figure, clothes, hair, headwear and what they carry.

``sample_person`` draws one, dressed and haired as ``style`` says; ``Person.mesh`` poses
it. Metres, y up, feet at y = 0, facing +z. The held-out wardrobe is never trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from doorsill_train.paint.solids import muted
from doorsill_train.people.bodies import (
    Atlas,
    Figure,
    bone_matrices,
    joint,
    moved,
    normals,
    shaped,
    skin_matrices,
)
from doorsill_train.people.carried import Carried, carried_solid, sample_carried
from doorsill_train.people.dress import (
    CLOTH,
    COAT,
    EYES,
    HAIR,
    HAT,
    LIPS,
    PACK,
    SCALP,
    SHOES,
    SKIN,
    TIPS,
    Part,
    backpack,
    coat_parts,
    garment_part,
    hair_part,
    headwear_parts,
    helper_part,
    hood_part,
    thinned,
    tipped,
    trousers_part,
)
from doorsill_train.people.gaits import LOW, Gait, pose, sample_gait
from doorsill_train.people.skin import body_part, skin_colour
from doorsill_train.people.style import (
    AIDS,
    COVERING,
    FORMAL,
    HELD_LONG,
    LONG_HAIR,
    Style,
    cloth_pattern,
    hair_colour,
    sample_style,
    shoe_colour,
    worn_colour,
)

BANDS = ("child", "young adult", "adult", "older")
AGES = ((-0.8, 0.2), (0.68, 1.15), (1.3, 1.6), (1.75, 2.0))  # Figure.age by band
WEIGHTS = ((-0.05, 0.4), (-0.05, 0.4), (0.25, 0.45), (0.2, 0.45))  # mean and spread
CUES = (
    "years", "grey", "wrinkles", "stoop", "long hair", "no hair", "thin hair", "beard",
    "hat", "skirt", "coat", "formal", "backpack", "hood", "handbag", "aid",
)  # fmt: skip
OWN_COLOUR = 14  # palette slot that stays white


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
    carried: Carried | None
    style: Style

    def mesh(self, phase: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Vertices (n, 14), faces (m, 3), wrists (2, 3), at this phase of the walk."""
        bones = bone_matrices(self.atlas, self.body, pose(self.gait, phase))
        skin = skin_matrices(self.atlas, bones)
        blocks, faces, count = [], [], 0
        for part in self.parts:
            posed = self.posed(part, skin, bones)
            n, shade = normals(posed, part.faces), np.ones_like(posed)
            if part.shade is not None:
                shade = shade * part.shade[:, None]
            block = [posed * 0.1, n, part.rest, shade]
            blocks.append(np.column_stack([*block, part.slot, part.head]))
            faces.append(part.faces + count)
            count += len(posed)
        vertices = np.concatenate(blocks).astype(np.float32)
        hips = joint(self.atlas, self.body, "spine05")[[0, 2]] * 0.1
        lift = np.array([hips[0], vertices[:, 1].min(), hips[1]], np.float32)
        if self.gait.kind == "sit":
            lift[1] -= 0.08
        vertices[:, :3] -= lift
        pairs = [
            self.pair_at(bones, name) - lift
            for name in ("wrist", "upperarm01", "upperleg01")
        ]
        if self.carried and self.gait.kind not in LOW:
            extra = carried_solid(self.carried, *pairs).vertices(OWN_COLOUR)
            faces.append(np.arange(len(extra)).reshape(-1, 3) + count)
            vertices = np.concatenate([vertices, extra])
        return vertices, np.concatenate(faces).astype(np.int32), pairs[0]

    def posed(self, part: Part, skin: np.ndarray, bones: np.ndarray) -> np.ndarray:
        if part.bind is None or part.weight is None:
            flat = np.broadcast_to(
                bones[part.bone].reshape(1, 16), (len(part.rest), 16)
            )
            return moved(part.rest, flat)
        share = np.abs(part.weight)
        share = share / np.maximum(share.sum(axis=1, keepdims=True), 1e-6)
        return moved(part.rest, (share[:, :, None] * skin[part.bind]).sum(axis=1))

    def pair_at(self, bones: np.ndarray, name: str) -> np.ndarray:
        """(2, 3) metres: the left and the right joint."""
        return np.array([self.joint_at(bones, f"{name}.{s}") * 0.1 for s in "LR"])

    def joint_at(self, bones: np.ndarray, bone: str) -> np.ndarray:
        head = joint(self.atlas, self.body, bone)
        at: np.ndarray = bones[self.atlas.bones.index(bone)][:3] @ np.append(head, 1.0)
        return at


def sample_figure(rng: np.random.Generator) -> tuple[Figure, int]:
    """A figure and its apparent age band."""
    band = int(rng.choice(4, p=[0.3, 0.25, 0.24, 0.21]))
    gender = float(np.clip(rng.choice([0.06, 0.94]) + rng.normal(0, 0.1), 0, 1))
    weight = float(np.clip(rng.normal(*WEIGHTS[band]), -0.9, 1))
    height = float(np.clip(rng.normal(0, 0.25), -0.6, 0.6))
    muscle = float(rng.uniform(-0.5, 0.5)) - 0.2 * (band == 3)
    return Figure(gender, float(rng.uniform(*AGES[band])), muscle, weight, height), band


def sample_palette(rng: np.random.Generator, tone: float, style: Style) -> np.ndarray:
    skin = skin_colour(tone) * np.clip(1 + rng.normal(0, 0.04, 3), 0.9, 1.1)
    hair = hair_colour(rng, tone, style.grey)
    red = [0.85, 0.6, 0.6]
    if style.dressed == "female" and not style.neutral and style.band > 0:
        red = [0.95, *rng.uniform(0.2, 0.6, 2)]
    palette = np.ones((16, 3))
    palette[SKIN], palette[SCALP] = skin, 0.35 * skin + 0.65 * hair
    palette[LIPS], palette[HAIR], palette[EYES] = skin * red, hair, 0.4
    for slot in (CLOTH, CLOTH + 1, CLOTH + 2, CLOTH + 3, HAT, COAT, PACK):
        palette[slot] = np.clip(worn_colour(rng, style), 0, 1) ** 2.2
    palette[SHOES] = shoe_colour(rng, style.band) ** 2.2
    palette[TIPS] = np.minimum(hair * rng.uniform(0.5, 6), 0.7)
    return palette


def sample_person(
    atlas: Atlas,
    rng: np.random.Generator,
    held_out: bool = False,
    kind: str | None = None,
    coarse: float = 1.0,
) -> Person:
    """One invented person; ``held_out`` dresses it from the other wardrobe.

    ``coarse`` scales the cells (1.2 cm at the head, 2.5 cm) that vertices merge in.
    """
    figure, band = sample_figure(rng)
    style = sample_style(rng, band, figure.masculinity, held_out)
    tone = float(rng.uniform(0, 5))
    thing, kind = what_is_held(style.thing, kind)
    body = shaped(atlas, figure)
    parts = [
        thinned(p, coarse * (0.12 if p.head.any() else 0.25))
        for p in worn_parts(atlas, body, style, rng)
    ]
    carried = sample_carried(thing, muted(rng, 0.05, 0.8), rng)
    return Person(
        atlas, body, parts, sample_gait(rng, kind, band), figure, band, tone,
        sample_palette(rng, tone, style), cloth_pattern(rng, style), carried, style,
    )  # fmt: skip


def cues(person: Person) -> tuple[float, ...]:
    """``CUES``, each 0..1: what the attributes network is helped to look for."""
    style, age = person.style, (person.figure.age + 1) / 3
    long = style.hair in (*LONG_HAIR, *HELD_LONG) or style.loose
    shown = (
        age, style.grey, style.wrinkles, min(person.gait.stoop / 30, 1.0), long,
        style.hair == "none", style.scalp != "full", style.beard != "none",
        style.headwear != "none", style.skirt is not None, style.coat is not None,
        style.suit in FORMAL, style.backpack, style.hood_on_back,
        style.thing == "handbag", style.thing in AIDS,
    )  # fmt: skip
    return tuple(float(value) for value in shown)


def what_is_held(thing: str, kind: str | None) -> tuple[str, str | None]:
    """The thing and the gait that go together: hands that are busy hold no cane."""
    if thing == "frame" and kind in (None, "walk", "push"):
        return "frame", "frame"
    if thing == "frame" or (kind in ("push", "hold", *LOW) and thing != "handbag"):
        return "none", kind
    if thing == "cane" and kind is None:
        return thing, "walk"
    return thing, kind


def worn_parts(
    atlas: Atlas, body: np.ndarray, style: Style, rng: np.random.Generator
) -> list[Part]:
    """Clothes, hair and headwear of a style, and the skin that shows."""
    suit, shoes = style.suit, f"shoes0{rng.integers(1, 7)}"
    parts = [garment_part(atlas, body, suit, "suit")]
    parts += [garment_part(atlas, body, shoes, "shoes")]
    hidden = np.zeros(len(body), bool)
    hidden[atlas.garments[suit].hides] = hidden[atlas.garments[shoes].hides] = True
    if style.headwear not in COVERING:
        if style.hair != "none":
            parts.append(hair_part(atlas, body, style.hair, style.volume))
        if style.loose:
            cut, puff = rng.uniform(0, 0.6), rng.uniform(0, 0.25)
            parts.append(
                helper_part(atlas, body, "helper-hair", HAIR, shorten=cut, puff=puff)
            )
        if style.tips:
            parts = [tipped(p, rng) if (p.slot == HAIR).any() else p for p in parts]
    if style.headwear == "fedora":
        name = str(rng.choice(["fedora", "fedora_cocked"]))
        parts.append(garment_part(atlas, body, name, "fedora"))
    grow = 1.05 if style.hair == "none" else 1.14
    grow *= rng.uniform(0.97, 1.08)
    parts += headwear_parts(atlas, body, style.headwear, grow)
    if style.coat is not None:
        parts += coat_parts(atlas, body, *style.coat)
    elif style.skirt is not None:
        cut = style.skirt
        parts.append(helper_part(atlas, body, "helper-skirt", CLOTH + 2, shorten=cut))
    if style.trousers is not None:
        parts.append(trousers_part(atlas, body, style.trousers))
    if style.hood_on_back:
        parts.append(hood_part(atlas, body))
    if style.backpack:
        parts.append(backpack(atlas, body, rng))
    parts.append(body_part(atlas, body, hidden, style))
    return parts
