"""A call that may hang (a card, a daemon), given a limit.

It runs in a thread of its own. After the limit the caller goes on; the thread ends with
the process, because nothing can end a call that is stuck in the kernel or in C.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def in_time(limit_s: float, what: str, call: Callable[[], T]) -> T:
    """What ``call`` returns or raises; TimeoutError with ``what`` after ``limit_s``."""
    returned: list[T] = []
    raised: list[BaseException] = []

    def work() -> None:
        try:
            returned.append(call())
        except BaseException as error:  # handed on to the caller
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(limit_s)
    if raised:
        raise raised[0]
    if not returned:
        raise TimeoutError(f"{what} within {limit_s:g} s")
    return returned[0]
