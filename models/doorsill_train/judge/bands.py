"""Which labels the attributes network is taught, and as what each is told.

Four ages are taught and two are told: four were right in two of three only, and what is
not told need not be known. The network keeps the four, for its weights stay usable and
finer labels do not make the coarse ones worse.
"""

from __future__ import annotations

import numpy as np

from doorsill.models.said import BANDS
from doorsill.vision.attributes.appearance import band_table
from doorsill_train.people import people

LABELS = {"age": people.BANDS, "expression": BANDS["expression"]}
TOLD = {
    "age": ("child", "adult", "adult", "adult"),
    "expression": BANDS["expression"],
}


def merging(name: str) -> np.ndarray:
    """(labels, bands): 1 where a label is told as a band, else 0; as on a device."""
    return band_table(name, TOLD[name])
