"""One word that a process leaves for another: a small file of a fixed length.

The writer opens the file before it confines itself; afterwards it can choose neither a
name nor a length. The reader accepts a word of a list, or nothing.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path

from doorsill.errors import ConfigError

LENGTH = 16  # bytes of a note, filled up with blanks
FRESH_S = 15.0  # a note that is older than this counts as none
AGAIN_S = 5.0  # time after which the same word is written again


class Note:
    """The writer's end."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError if ``path`` cannot be written."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._handle = os.open(path, flags, 0o640)
            os.fchmod(self._handle, 0o640)  # independent of the umask
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror}") from None
        self._word = ""
        self._at = float("-inf")  # when the word was last written, monotonic s

    def say(self, word: str, now: float) -> None:
        """Write ``word``, and again every AGAIN_S, so that readers know it is fresh.

        ``now`` is monotonic s. A disk that fails is ignored: the next write is seconds
        away.
        """
        if word == self._word and now - self._at < AGAIN_S:
            return
        self._word, self._at = word, now
        with contextlib.suppress(OSError):
            os.pwrite(self._handle, word.encode("ascii").ljust(LENGTH)[:LENGTH], 0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


def read_note(path: Path, words: Collection[str], utc: float | None = None) -> str:
    """The word in ``path`` if it is one of ``words`` and fresh, else "".

    ``utc`` is the time now in s; without it, the system's clock is read.
    """
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
