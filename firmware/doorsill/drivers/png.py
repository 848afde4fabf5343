"""A drawing as a PNG. Never given a camera's pixels: see ``evaluation/plot.py``."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray


def png_bytes(drawing: NDArray[np.uint8]) -> bytes:
    """``drawing``, (height, width, 3) uint8 R, G, B, as a PNG file."""
    height, width = drawing.shape[:2]
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "rgb24"
    encoder.time_base = Fraction(1)
    frame = av.VideoFrame.from_ndarray(drawing, format="rgb24")
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
