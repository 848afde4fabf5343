"""A child process that we forked for one answer: read the answer, end the child."""

from __future__ import annotations

import os
import select
import signal
import time

ENDED_WITHIN_S = 5.0  # longest wait for a child that was killed
POLL_S = 0.002  # between two checks whether it has ended
PIECE_BYTES = 1 << 16  # read from the pipe at once


def read_answer(reader: int, limit_s: float) -> bytes:
    """All that the child wrote until it closed its end of the pipe ``reader``.

    Raises TimeoutError if it did not close it within ``limit_s`` seconds.
    """
    answer, ends = b"", time.monotonic() + limit_s
    while select.select([reader], [], [], max(0.0, ends - time.monotonic()))[0]:
        piece = os.read(reader, PIECE_BYTES)
        if not piece:
            return answer
        answer += piece
    raise TimeoutError(f"nothing within {limit_s:g} s")


def end(child: int) -> None:
    """Kill ``child`` and wait; one that is stuck in the kernel is left behind."""
    os.kill(child, signal.SIGKILL)
    ends = time.monotonic() + ENDED_WITHIN_S
    while os.waitpid(child, os.WNOHANG)[0] == 0 and time.monotonic() < ends:
        time.sleep(POLL_S)
