"""A detector that somebody else made: read as its file says, or refused.

    file ─► runtime ─► input: which number a pixel becomes ─┐
               └─────► outputs: which is what (layout.py) ──┴─► NetDetector

What is assumed without the file saying it is a doubt, and the user hears of it: a count
must never be wrong without a warning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from doorsill.drivers.model.interpreter import Interpreter
from doorsill.models.manifest import Overrides, Scaling
from doorsill.models.stated import Stated
from doorsill.vision.detect.detector import NetDetector, input_size
from doorsill.vision.detect.layout import layout_of
from doorsill.vision.detect.ssd import LOWEST_SCORE

# A graph that begins with one of these does its own scaling: it wants 0 to 255.
SCALES_ITSELF = ("SUB", "MUL", "DIV", "ADD", "CAST")
WHOLE_BYTES = Scaling((0.0,), (1.0,))  # 0 to 255


@dataclass(frozen=True, slots=True)
class Foreign:
    """A detector and how its file was understood."""

    detector: NetDetector
    words: tuple[str, ...]  # what the file says, in words for the user
    doubts: tuple[str, ...] = ()  # what was assumed, though the file does not say it


def foreign_detector(
    interpreter: Interpreter,
    said: Stated | None = None,
    overrides: Overrides | None = None,
    lowest_score: float = LOWEST_SCORE,
    scaling: Scaling | None = None,
) -> Foreign:
    """Understand a loaded model; ``said`` is what its file says, the rest a manifest.

    Raises ConfigError where the model is no detector, or none that can be read.
    """
    said = said or Stated()
    input_size(interpreter)
    words: list[str] = []
    doubts: list[str] = []
    if interpreter.input.dtype == np.float32 and scaling is None:
        scaling, how, sure = _scaling(interpreter, said)
        (words if sure else doubts).append(how)
    layout = layout_of(interpreter, said, overrides, lowest_score)
    detector = NetDetector(interpreter, layout.decode, scaling=scaling)
    return Foreign(detector, (*words, *layout.words), (*doubts, *layout.doubts))


def _scaling(interpreter: Interpreter, said: Stated) -> tuple[Scaling, str, bool]:
    """Which number a pixel becomes, who says so, and whether anybody does."""
    if said.mean:
        return (
            Scaling(said.mean, said.deviation),
            f"a pixel less {_list(said.mean)}, divided by {_list(said.deviation)},"
            " as the metadata says",
            True,
        )
    ends = interpreter.ends
    if ends.range is not None:
        low, high = ends.range
        deviation = 255 / (high - low)
        how = f"a pixel becomes {low:.4g} to {high:.4g}, which is quantised at once"
        return Scaling((-low * deviation,), (deviation,)), how, True
    if ends.takes in SCALES_ITSELF:
        return (
            WHOLE_BYTES,
            f"a pixel goes in as 0 to 255, as {ends.takes} is first",
            True,
        )
    how = "a pixel becomes -1 to 1"
    if "normalized" in interpreter.input.name:
        return Scaling(), f"{how}, as the input's name says", True
    return (
        Scaling(),
        f"its input is float32 and nothing says which numbers it takes: {how}; a"
        " manifest can say otherwise (mean, deviation)",
        False,
    )


def _list(numbers: tuple[float, ...]) -> str:
    return " ".join(f"{number:g}" for number in numbers)
