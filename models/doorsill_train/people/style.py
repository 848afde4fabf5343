"""How people look, by apparent age and expression: the stereotypes we render.

Every table is a frequency that we chose, by age band (child, young adult, adult,
older); nobody measured them. They overlap: nothing here decides a band or an expression
by itself, and ``NEUTRAL`` of all people are dressed and haired as anybody. The held-out
wardrobe's clothes and hair are never trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from doorsill_train.paint.solids import cloth_colour, from_hsv, muted

NEUTRAL = 0.12
MEN_SUITS = [f"male_casualsuit0{n}" for n in (1, 2, 3, 4, 6)]
WOMEN_SUITS = ["female_casualsuit01", "female_elegantsuit01", "female_sportsuit01"]
SUITS = {
    "female": [*WOMEN_SUITS, "male_casualsuit04", "male_casualsuit06"],
    "male": [*MEN_SUITS, "male_elegantsuit01", "male_worksuit01"],
}
HELD_SUITS = {"female": ["female_casualsuit02"], "male": ["male_casualsuit05"]}
SHORT, LONG = ["short01", "short02", "short03"], ["bob01", "braid01", "long01"]
LONG_HAIR, SHORT_HAIR = [*LONG, "ponytail01", "long01", "afro01"], [*SHORT, "afro01"]
HELD_LONG, HELD_SHORT = ["bob02"], ["short04"]
TIPPED = (*LONG, "ponytail01", *HELD_LONG)
FORMAL = ("female_elegantsuit01", "male_elegantsuit01", "male_worksuit01")
HEADWEAR = ("cap", "beanie", "scarf", "hood", "fedora", "helmet", "turban")
COVERING = ("scarf", "hood", "turban", "helmet")

# by age band
FORMAL_WEIGHT = (0.15, 0.6, 1.3, 1.0)
SHORT_OF_FEMININE = (0.1, 0.08, 0.15, 0.45)
LONG_OF_MASCULINE = (0.08, 0.12, 0.05, 0.03)
LOOSE_HAIR = (0.35, 0.4, 0.28, 0.1)
THINNED = (0.0, 0.03, 0.25, 0.5)  # bare on top, of the masculine
SHAVED = (0.05, 0.15, 0.15, 0.08)
BEARD = (0.0, 0.3, 0.38, 0.33)
SKIRT = (0.3, 0.3, 0.3, 0.42)
TROUSERS = (0.2, 0.25, 0.35, 0.55)  # over the suit's own, where there is no skirt
COAT = (0.2, 0.22, 0.35, 0.48)
HOOD_ON_BACK = (0.45, 0.42, 0.12, 0.03)
BACKPACK = (0.42, 0.3, 0.1, 0.04)
PALE_SHOES = (0.6, 0.5, 0.15, 0.15)
MASCULINE_HATS = {
    "cap": (0.14, 0.13, 0.08, 0.07),
    "beanie": (0.1, 0.09, 0.05, 0.05),
    "hood": (0.1, 0.1, 0.05, 0.03),
    "fedora": (0.0, 0.01, 0.04, 0.14),
    "helmet": (0.04, 0.02, 0.02, 0.01),
    "turban": (0.01, 0.03, 0.03, 0.03),
}
FEMININE_HATS = {
    "cap": (0.08, 0.06, 0.04, 0.03),
    "beanie": (0.1, 0.09, 0.06, 0.07),
    "hood": (0.08, 0.07, 0.04, 0.03),
    "fedora": (0.01, 0.01, 0.02, 0.05),
    "helmet": (0.03, 0.02, 0.01, 0.0),
    "scarf": (0.02, 0.08, 0.09, 0.11),
}
AIDS = {"cane": (0, 0.004, 0.015, 0.2), "frame": (0, 0.001, 0.005, 0.08)}
BAGS = {"shopping": (0.05, 0.1, 0.18, 0.2), "trolley": (0, 0.01, 0.03, 0.1)}
FEMININE_THINGS = (
    AIDS
    | BAGS
    | {
        "handbag": (0.04, 0.35, 0.42, 0.26),
        "briefcase": (0, 0.04, 0.08, 0.02),
    }
)
MASCULINE_THINGS = (
    AIDS
    | BAGS
    | {
        "handbag": (0.01, 0.03, 0.02, 0.01),
        "briefcase": (0, 0.1, 0.2, 0.05),
    }
)
WRINKLES = ((0, 0.03), (0, 0.1), (0.08, 0.28), (0.25, 0.6))


@dataclass(frozen=True, slots=True)
class Style:
    """What is worn and shown; ``dressed`` and ``haired`` agree unless neutral."""

    band: int
    dressed: str  # female or male wardrobe
    neutral: bool
    suit: str
    hair: str  # a mesh, or none
    volume: float
    loose: bool
    tips: bool  # the hair's ends have a colour of their own
    scalp: str  # full, thinned, bare
    beard: str  # none, full, moustache
    headwear: str
    coat: tuple[float, float, float | None] | None  # puff, drop, tail
    skirt: float | None  # shortened by
    trousers: float | None  # how wide
    hood_on_back: bool
    backpack: bool
    thing: str
    grey: float  # share of grey hair
    wrinkles: float


def sample_style(
    rng: np.random.Generator, band: int, masculinity: float, held_out: bool
) -> Style:
    shown = "male" if masculinity > 0.5 else "female"
    neutral = bool(rng.random() < NEUTRAL)
    either = ("female", "male")
    dressed = str(rng.choice(either)) if neutral else shown
    masculine = shown == "male" and not neutral
    feminine = shown == "female" and not neutral
    hair, scalp = _hair(rng, band, shown, neutral, held_out)
    hats = {k: t[band] for k, t in _hats(rng, shown, neutral).items()}
    things = MASCULINE_THINGS if shown == "male" else FEMININE_THINGS
    if neutral:
        things = AIDS | BAGS
    coat = None
    if rng.random() < COAT[band]:
        long = rng.random() < (0.2, 0.25, 0.5, 0.55)[band]
        tail = rng.uniform(0.25, 0.6) if long else None
        coat = (rng.uniform(0.2, 0.6), rng.uniform(0, 1.2), tail)
    skirt = None
    if coat is None and rng.random() < SKIRT[band] * (feminine or 0.05):
        short = rng.random() < (0.6, 0.6, 0.4, 0.2)[band]
        skirt = rng.uniform(0.3, 0.6) if short else rng.uniform(0, 0.3)
    trousers = None
    if skirt is None and rng.random() < TROUSERS[band]:
        trousers = rng.uniform(0.03, 0.08 if feminine and rng.random() < 0.6 else 0.3)
    beard = "none"
    if masculine and rng.random() < BEARD[band]:
        beard = "full" if rng.random() < 0.75 else "moustache"
    return Style(
        band, dressed, neutral, _suit(rng, band, dressed, held_out), hair,
        rng.uniform(0.98, 1.1 if hair in SHORT else 1.06),
        bool(feminine and rng.random() < LOOSE_HAIR[band]),
        bool(rng.random() < 0.3 and hair in TIPPED), scalp, beard,
        _one_of(rng, hats), coat, skirt, trousers,
        bool(rng.random() < HOOD_ON_BACK[band]),
        bool(rng.random() < BACKPACK[band]),
        _one_of(rng, {k: t[band] for k, t in things.items()}),
        _grey(rng, band), float(rng.uniform(*WRINKLES[band])),
    )  # fmt: skip


def _one_of(rng: np.random.Generator, chances: dict[str, float]) -> str:
    """One of the names, or none with what is left of 1."""
    at = rng.random()
    for name, chance in chances.items():
        at -= chance
        if at < 0:
            return name
    return "none"


def _hats(
    rng: np.random.Generator, shown: str, neutral: bool
) -> dict[str, tuple[float, float, float, float]]:
    if neutral:
        return {k: FEMININE_HATS[k] for k in ("cap", "beanie", "hood", "helmet")}
    return MASCULINE_HATS if shown == "male" else FEMININE_HATS


def _suit(rng: np.random.Generator, band: int, dressed: str, held_out: bool) -> str:
    suits = (HELD_SUITS if held_out else SUITS)[dressed]
    weights = np.array([FORMAL_WEIGHT[band] if s in FORMAL else 1.0 for s in suits])
    return str(rng.choice(suits, p=weights / weights.sum()))


def _hair(
    rng: np.random.Generator, band: int, shown: str, neutral: bool, held_out: bool
) -> tuple[str, str]:
    """A hair mesh and what the scalp is painted as."""
    if neutral:
        long = rng.random() < 0.5
    elif shown == "female":
        long = rng.random() >= SHORT_OF_FEMININE[band]
    else:
        long = rng.random() < LONG_OF_MASCULINE[band]
    if not long and shown == "male":
        thin = rng.random() < THINNED[band]
        if thin or rng.random() < SHAVED[band]:
            bare = rng.random() < 0.35
            return "none", ("bare" if bare else "thinned") if thin else "full"
    short = HELD_SHORT if held_out else SHORT_HAIR
    pool = (HELD_LONG if held_out else LONG_HAIR) if long else short
    return str(rng.choice(pool)), "full"


def _grey(rng: np.random.Generator, band: int) -> float:
    """0 natural or dyed .. 1 white."""
    none, some = ((0.99, 1.0), (0.96, 0.99), (0.5, 0.85), (0.1, 0.3))[band]
    at = rng.random()
    if at < none:
        return 0.0
    return float(rng.uniform(0.25, 0.6) if at < some else rng.uniform(0.65, 1.0))


def hair_colour(rng: np.random.Generator, tone: float, grey: float) -> np.ndarray:
    """Linear; darker skin goes with darker hair, as more often than not."""
    if tone > 2.2 or rng.random() < 0.6:
        hair = np.array([0.03, 0.022, 0.018]) * rng.uniform(0.4, 2.0)
    else:
        hair = from_hsv(rng.uniform(0.04, 0.11), rng.uniform(0.3, 0.75), 1.0)
        hair = hair * rng.uniform(0.08, 0.5)
    white = np.full(3, rng.uniform(0.35, 0.8)) * [1, 0.99, 0.97]
    return hair * (1 - grey) + white * grey


def worn_colour(rng: np.random.Generator, style: Style) -> np.ndarray:
    """sRGB 0..1: half of all cloth is anything, the rest leans by age and expression.

    Children wear brighter, adults darker, the oldest more muted colours.
    """
    if style.neutral or rng.random() < 0.5:
        return cloth_colour(rng)
    if rng.random() < 0.3:
        if style.dressed == "male":
            hue, value = rng.normal(0.6, 0.05), rng.uniform(0.08, 0.45)
            return from_hsv(hue, rng.uniform(0.2, 0.7), value)
        hue, value = rng.normal(0.93, 0.07), rng.uniform(0.4, 0.95)
        return from_hsv(hue, rng.uniform(0.15, 0.7), value)
    if style.band == 0:
        return from_hsv(rng.random(), rng.uniform(0.4, 0.95), rng.uniform(0.4, 1))
    if style.band == 1:
        if rng.random() < 0.5:
            return np.full(3, rng.uniform(0.02, 0.2))
        return from_hsv(rng.random(), rng.uniform(0.1, 0.8), rng.uniform(0.3, 0.95))
    if style.band == 2:
        hue, value = rng.choice([0.6, 0.62, 0.08, 0]), rng.uniform(0.05, 0.4)
        return from_hsv(hue, rng.uniform(0, 0.35), value)
    hue = rng.choice([0.08, 0.1, 0.12, 0.55, 0.97, 0.28])
    return from_hsv(hue, rng.uniform(0.08, 0.4), rng.uniform(0.3, 0.85))


def shoe_colour(rng: np.random.Generator, band: int) -> np.ndarray:
    if rng.random() < PALE_SHOES[band]:
        saturation = 0 if rng.random() < 0.6 else rng.uniform(0.3, 0.9)
        return from_hsv(rng.random(), saturation, rng.uniform(0.6, 1))
    return muted(rng, 0.03, 0.3)


def cloth_pattern(rng: np.random.Generator, style: Style) -> tuple[int, float]:
    """Shader pattern: 0 plain, 1-3 stripes and checks, 4 blotches, 5 a print, 6 cloth.

    Cloth shows one of the painter's pictures, in its colours or in the garment's.
    """
    weights = np.array([6.0, 2, 1, 1, 1, 1, 4])
    weights[5] += (3, 1.5, 0, 0)[style.band]
    weights[4] += (0.5, 0.5, 1, 3)[style.band] * (style.dressed == "female")
    weights[3] += (0, 0.5, 1, 1.5)[style.band]
    kind = int(rng.choice(len(weights), p=weights / weights.sum()))
    return kind, float(rng.uniform(0.6, 4))
