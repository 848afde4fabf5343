"""How a value is spelt for a person: 330 k, 100 n."""

from __future__ import annotations

from interlock.parts import Part

STEPS = (
    (1e6, "M"),
    (1e3, "k"),
    (1, ""),
    (1e-3, "m"),
    (1e-6, "u"),
    (1e-9, "n"),
    (1e-12, "p"),
)


def spell(part: Part) -> str:
    """The value with its unit; "" where the part has none."""
    if part.value is None:
        return ""
    unit = "F" if part.kind == "capacitor" else "ohm"
    step, letter = next(each for each in STEPS if part.value >= each[0] * 0.9999)
    return f"{part.value / step:g} {letter}{unit}"
