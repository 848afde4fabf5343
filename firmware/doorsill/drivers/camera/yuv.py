"""YUV 4:2:0 to RGB in numpy, for cameras that deliver nothing else (Pi 4 and older).

BT.601, limited range, as the colour space SMPTE 170M says: fixed point, 5 bits after
the point, chroma worked out at half the resolution. Everything is written into arrays
that are made once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from doorsill.drivers.camera.camera import Size
from doorsill.errors import CameraError
from doorsill.values import Pixels

Table = NDArray[np.int16]

BITS = 5  # after the point
LUMA = 1.164384  # factor of Y in all three
RED_V = 1.596027  # factor of V in red
GREEN_U = 0.391762  # factor of U that is taken from green
GREEN_V = 0.812968  # factor of V that is taken from green
BLUE_U = 2.017232  # factor of U in blue


def _table(factor: float, zero: int) -> Table:
    return np.round((np.arange(256) - zero) * factor * (1 << BITS)).astype(np.int16)


class YuvConverter:
    """Converts pictures of one size; the result is overwritten by the next one."""

    def __init__(self, size: Size) -> None:
        """``size`` is width and height in pixels, both even."""
        self._width, self._height = size
        width, half = self._width, self._height // 2
        self._luma_table = _table(LUMA, 16) + np.int16(1 << BITS - 1)  # rounds
        self._red_table, self._blue_table = _table(RED_V, 128), _table(BLUE_U, 128)
        self._green_u, self._green_v = _table(-GREEN_U, 128), _table(-GREEN_V, 128)
        self._luma = np.empty((half, 2, width), np.int16)
        self._chroma = np.empty((half, 1, width), np.int16)
        self._sum = np.empty((half, 2, width), np.int16)
        self._pixels = np.empty((self._height, width, 3), np.uint8)

    def convert(self, planes: Pixels) -> Pixels:
        """From Y, U and V, one under the other as a (height * 3 / 2, stride) array.

        The stride may be longer than the width; what lies beyond it is not read. Raises
        CameraError where the planes are of another size.
        """
        y, u, v = self._split(planes)
        np.take(self._luma_table, y, out=self._luma, mode="clip")
        self._channel(0, self._red_table[v])
        self._channel(1, self._green_u[u] + self._green_v[v])
        self._channel(2, self._blue_table[u])
        return self._pixels

    def _channel(self, number: int, chroma: Table) -> None:
        self._chroma[:, 0, 0::2] = chroma
        self._chroma[:, 0, 1::2] = chroma
        total = np.add(self._luma, self._chroma, out=self._sum)
        np.right_shift(total, BITS, out=total)
        np.clip(total, 0, 255, out=total)
        self._pixels[..., number] = total.reshape(self._height, self._width)

    def _split(self, planes: Pixels) -> tuple[Pixels, Pixels, Pixels]:
        width, height = self._width, self._height
        rows, stride = planes.shape
        if rows != height * 3 // 2 or stride < width:
            raise CameraError(
                f"the camera delivered {rows} rows of {stride} bytes,"
                f" {height * 3 // 2} rows of at least {width} were asked for"
            )
        flat = planes.reshape(-1)
        luma, chroma = height * stride, (height // 2) * (stride // 2)
        y = flat[:luma].reshape(height // 2, 2, stride)[..., :width]
        u = flat[luma : luma + chroma].reshape(height // 2, -1)[:, : width // 2]
        v = flat[luma + chroma : luma + 2 * chroma].reshape(height // 2, -1)
        return y, u, v[:, : width // 2]
