"""Write a drawing as a PNG. Never given a camera's pixels: see ``plot.py``."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from doorsill.errors import ConfigError


def save_png(path: Path, drawing: NDArray[np.uint8]) -> None:
    """Write ``drawing``, (height, width, 3) uint8 R, G, B, to ``path``.

    Raises ConfigError where ``path`` cannot be written.
    """
    height, width = drawing.shape[:2]
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "rgb24"
    encoder.time_base = Fraction(1)
    frame = av.VideoFrame.from_ndarray(drawing, format="rgb24")
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    try:
        path.write_bytes(b"".join(bytes(packet) for packet in packets))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
