"""Numbers rounded so far that little can be hidden in them.

What vision says of itself (speed, memory, counts) goes out every half hour, with three
binary digits; see ``capacity.py``. The same holds for what vision could change without
a message: it can make the processor hot, or the power fail.
"""

from __future__ import annotations

FRAME_RATE_STEP = 500  # thousandths of a frame a second
FRAME_RATE_MOST = 60_000  # thousandths of a frame a second
FRAMES_MOST = 3600  # in a minute
MICROSECONDS_MOST = 1_000_000  # for one frame
KIB_MOST = 1 << 20  # memory of a process
TIMES_MOST = 1 << 16  # times that something failed
WINDOWS_MOST = 1 << 20  # cells that were lost
DEGREES_STEP = 10  # Celsius
DEGREES_MOST = 110  # Celsius; below 0 it is reported as 0


def coarse(value: int, most: int) -> int:
    """``value`` within 0..``most``, rounded to three leading binary digits."""
    return min(_rounded(min(max(0, value), most)), _leading(most))


def levels(most: int) -> int:
    """How many values ``coarse`` gives for 0..``most``."""
    if most < 8:
        return most + 1
    shift = most.bit_length() - 3
    return 8 + 4 * (shift - 1) + ((most >> shift) - 3)


def round_to_step(value: int, step: int, most: int) -> int:
    """``value`` within 0..``most``, rounded to the nearest ``step``."""
    return min((min(max(0, value), most) + step // 2) // step * step, most)


def _rounded(value: int) -> int:
    shift = max(0, value.bit_length() - 3)
    return (value + (1 << shift) // 2) >> shift << shift


def _leading(value: int) -> int:
    shift = max(0, value.bit_length() - 3)
    return value >> shift << shift


def warmth(celsius: int | None) -> int | None:
    """A temperature as it is reported, in steps of ten degrees Celsius."""
    return (
        None if celsius is None else round_to_step(celsius, DEGREES_STEP, DEGREES_MOST)
    )
