"""One word that a process leaves for another: a small file of a fixed length.

The one who writes opens it before it confines itself, and has no name to choose and no
length to vary afterwards; the one who reads takes a word from a list, or nothing.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path

from doorsill.errors import ConfigError

LENGTH = 16  # bytes, filled up with blanks
FRESH_S = 15.0  # a note that nobody has written for longer says nothing
AGAIN_S = 5.0  # between two writings of the same word


class Note:
    """The writer's end."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError where ``path`` cannot be written."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._handle = os.open(path, flags, 0o640)
            os.fchmod(self._handle, 0o640)  # whatever the umask is
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror}") from None
        self._word = ""
        self._at = float("-inf")  # when it was last written, s, monotonic

    def say(self, word: str, now: float) -> None:
        """Leave ``word``; again every few seconds, so that it is known to be true."""
        if word == self._word and now - self._at < AGAIN_S:
            return
        self._word, self._at = word, now
        with contextlib.suppress(OSError):  # the next one is seconds away
            os.pwrite(self._handle, word.encode("ascii").ljust(LENGTH)[:LENGTH], 0)

    def close(self) -> None:
        """Say no more."""
        os.close(self._handle)


def read_note(path: Path, words: Collection[str], utc: float | None = None) -> str:
    """The word in ``path`` if it is one of ``words`` and fresh, else ""."""
    now = time.time() if utc is None else utc
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        fresh = abs(now - os.fstat(handle).st_mtime) < FRESH_S
        word = os.pread(handle, LENGTH, 0).decode("ascii", "replace").strip()
    except OSError:
        return ""
    finally:
        os.close(handle)
    return word if fresh and word in words else ""
