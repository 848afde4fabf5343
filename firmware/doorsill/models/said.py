"""What a model may say about a person, and in which words; this is no setting.

How old and how masculine or feminine somebody appears, and nothing else: no other
output is loaded. A network may have been taught more labels of age than it may answer
with: its manifest names the band of each label, and ``vision`` adds the shares of one
band before anybody sees them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

BANDS = {"age": ("child", "adult"), "expression": ("feminine", "masculine")}
TAUGHT = {  # the labels that a network may have
    "age": (BANDS["age"], ("child", "young adult", "adult", "older")),
    "expression": (BANDS["expression"],),
}


class Said(Protocol):
    """What the manifest says of one output."""

    @property
    def name(self) -> str:
        """A key of ``BANDS``."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(1, labels)."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What the network was taught."""

    @property
    def bands(self) -> tuple[str, ...]:
        """How each label is answered."""


def wrong_in(outputs: Sequence[Said]) -> Iterator[str]:
    """What is wrong with the outputs of a model that reads attributes."""
    for each in outputs:
        yield from _wrong_with(each)
    if not outputs:
        yield "is missing"


def _wrong_with(output: Said) -> Iterator[str]:
    name, bands = output.name, BANDS.get(output.name)
    if bands is None:
        both = " and ".join(BANDS)
        yield f"{name} is not allowed; a model may say {both} and nothing else"
        return
    taught = TAUGHT[name]
    if output.labels not in taught or output.shape != (1, len(output.labels)):
        words = ", or ".join(", ".join(each) for each in taught)
        yield f"{name} must be the labels {words}"
    elif len(output.bands) != len(output.labels) or set(output.bands) != set(bands):
        yield (
            f"{name} must have a band for each of its {len(output.labels)} labels, and"
            f" the bands are {' and '.join(bands)}, both of them"
        )
