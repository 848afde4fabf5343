"""The C library, and the system calls by which a process confines itself.

A call that fails says why in words.

Source: prctl(2), seccomp(2), landlock(7); numbers from the kernel's own headers.
"""

from __future__ import annotations

import ctypes
import os

from doorsill.errors import ConfigError

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def call(number: int, *arguments: object) -> int:
    """System call ``number``; a negative answer is minus the error number."""
    # Not int: a plain 64-bit argument would be cut to 32 bits by ctypes.
    words = [ctypes.c_long(x) if isinstance(x, int) else x for x in arguments]
    answer = int(libc.syscall(ctypes.c_long(number), *words))
    return answer if answer >= 0 else -ctypes.get_errno()


def prctl(option: int, *values: object) -> int:
    """What prctl(2) answers; values that are not given are 0."""
    words = [ctypes.c_ulong(x) if isinstance(x, int) else x for x in values]
    words += [ctypes.c_ulong(0)] * (4 - len(words))
    answer = int(libc.prctl(ctypes.c_int(option), *words))
    return answer if answer >= 0 else -ctypes.get_errno()


def require(answer: int, purpose: str) -> int:
    """``answer`` if it is no error; else ConfigError, "cannot PURPOSE: why"."""
    if answer < 0:
        raise ConfigError(f"cannot {purpose}: {os.strerror(-answer)}")
    return answer
