"""The image of ``make image BOARD=virt``, for the tests that look into it."""

from __future__ import annotations

import functools

import pytest
from places import ROOT

from image import made_of

OUT = ROOT / "build" / "image" / "virt"


@functools.cache
def is_ours() -> bool:
    """Whether it is there, and what these sources would give."""
    return made_of.is_current(OUT, made_of.digest(ROOT))


built = pytest.mark.skipif(
    not is_ours(), reason="make image BOARD=virt builds one of these sources"
)
