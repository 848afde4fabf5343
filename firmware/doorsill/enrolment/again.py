"""What the fleet did not answer is asked again, a little later each time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from doorsill.enrolment.joining import Wait
from doorsill.errors import UplinkError

LEAST_WAIT_S, MOST_WAIT_S = 2.0, 60.0  # between two tries

T = TypeVar("T")


def again(step: Callable[[], T], within_s: float, say: Callable[[str], object]) -> T:
    """``step`` until it works; UplinkError if it does not within ``within_s``."""
    ends, wait = time.monotonic() + within_s, LEAST_WAIT_S
    while True:
        try:
            return step()
        except UplinkError as error:
            asked = error.after_s if isinstance(error, Wait) else None
            pause = min(asked or wait, MOST_WAIT_S)
            if time.monotonic() + pause > ends:
                raise
            say(f"{error}; next try in {pause:g} s, nothing is lost\n")
            time.sleep(pause)
            wait = min(wait * 2, MOST_WAIT_S)
