"""A child that we forked to look at something: what it says in time, and its end."""

from __future__ import annotations

import os
import select
import signal
import time

ENDED_WITHIN_S, POLL_S = 5.0, 0.002
PIECE_BYTES = 1 << 16


def read_answer(reader: int, limit_s: float) -> bytes:
    """All that it wrote until it closed its end of the pipe ``reader``.

    TimeoutError where it did not within ``limit_s``.
    """
    told, ends = b"", time.monotonic() + limit_s
    while select.select([reader], [], [], max(0.0, ends - time.monotonic()))[0]:
        piece = os.read(reader, PIECE_BYTES)
        if not piece:
            return told
        told += piece
    raise TimeoutError(f"nothing within {limit_s:g} s")


def end(child: int) -> None:
    """It has nothing left to do; one that is stuck in the kernel is left behind."""
    os.kill(child, signal.SIGKILL)
    ends = time.monotonic() + ENDED_WITHIN_S
    while os.waitpid(child, os.WNOHANG)[0] == 0 and time.monotonic() < ends:
        time.sleep(POLL_S)
