"""Memory for secrets: never swapped, never dumped, never inherited, and zeroised.

Sources: mlock(2), madvise(2); CERT C MEM06. Python may copy data that passes through
its own objects. So keys are made, used and destroyed inside this memory, by address.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import resource

from doorsill.errors import ConfigError, UntrustedError
from doorsill.process.kernel import libc

libc.mlock.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
libc.getrandom.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint)
libc.getrandom.restype = ctypes.c_ssize_t
GETRANDOM_MOST = 256  # bytes that getrandom(2) gives without an interruption
_BYTES_HEADER = bytes.__basicsize__ - 1  # bytes before the content of a CPython bytes


class LockedMemory:
    """``size`` zero bytes, locked; use it in a ``with`` or call :meth:`close`."""

    def __init__(self, size: int) -> None:
        """Raises ConfigError if the kernel does not lock that much memory."""
        self.size = size
        self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._anchor = ctypes.c_char.from_buffer(self._map)
        self._address = ctypes.addressof(self._anchor)
        self._lock()
        self._map.madvise(mmap.MADV_DONTDUMP)
        self._map.madvise(mmap.MADV_DONTFORK)
        self.view = memoryview(self._map)

    def __enter__(self) -> LockedMemory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<LockedMemory of {self.size} bytes, withheld>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("locked memory cannot be copied, pickled or sent")

    def fill_random(self) -> None:
        """Fill with the kernel's randomness, which is written here and nowhere else.

        Raises ConfigError for more than GETRANDOM_MOST bytes, UntrustedError if the
        kernel gives none.
        """
        if self.size > GETRANDOM_MOST:
            raise ConfigError(f"{self.size} random bytes; the limit is 256")
        if libc.getrandom(self._address, self.size, 0) != self.size:
            raise UntrustedError("the kernel gives no randomness")

    def zeroise(self) -> None:
        """Overwrite with zeros and check; UntrustedError if a byte is not 0 then."""
        ctypes.memset(self._address, 0, self.size)
        if not is_blank(self.view):
            raise UntrustedError("locked memory is not zero after zeroising")

    def close(self) -> None:
        """Zeroise and free; does nothing the second time."""
        if self._map.closed:
            return
        self.zeroise()
        self.view.release()
        del self._anchor
        self._map.close()

    def _lock(self) -> None:
        if libc.mlock(self._address, self.size) == 0:
            return
        with contextlib.suppress(OSError, ValueError):
            _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
        if libc.mlock(self._address, self.size) == 0:
            return
        limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
        raise ConfigError(
            f"cannot lock {self.size} bytes of memory: "
            f"{os.strerror(ctypes.get_errno())}; the limit is {limit}, "
            "raise it with LimitMEMLOCK= or make consent.medium_bytes smaller"
        )


def is_blank(data: memoryview | bytes | bytearray) -> bool:
    """Whether every byte is 0."""
    zeros = bytes(min(len(data), 1 << 16))
    view = memoryview(data)
    step = max(1, len(zeros))
    return all(
        view[at : at + step] == zeros[: len(view) - at]
        for at in range(0, len(view), step)
    )


def wipe(secret: bytes) -> None:
    """Overwrite a ``bytes`` from a library in place; nobody else may refer to it.

    A ``bytes`` is immutable by convention only. CPython keeps no other copy of one of
    16 bytes or more; a shorter one is left as it is.
    """
    if len(secret) >= 16:
        ctypes.memset(id(secret) + _BYTES_HEADER, 0, len(secret))
