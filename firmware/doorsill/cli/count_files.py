"""The files that ``doorsill count`` leaves: opened before the work, written after it.

One that cannot be written in the end costs no result: what is wrong is a sentence, and
the count is printed all the same.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from doorsill.documents.durable import FOR_ALL
from doorsill.errors import ConfigError


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that takes its place whole, or not at all."""

    named: Path  # as the user named it
    place: Path  # where it goes: a link is followed
    made: Path  # beside its place until then

    def write(self, data: bytes) -> str:
        """Put ``data`` in its place; why that cannot be done, empty if it was done."""
        try:
            self.made.write_bytes(data)
            self.made.chmod(FOR_ALL)
            self.made.replace(self.place)
        except OSError as error:
            return f"cannot write {self.named}: {error.strerror}"
        return ""


@contextlib.contextmanager
def new_file(named: Path | None) -> Iterator[NewFile | None]:
    """A file beside ``named``, which is gone at the end unless it was written.

    Raises ConfigError at once if nothing can be written there.
    """
    if named is None:
        yield None
        return
    try:
        place = named.resolve()
        if place.is_symlink():  # Python 3.13 resolves a circle to itself
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".doorsill-")
    except (OSError, RuntimeError) as error:  # the second: a circle before 3.13
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"cannot write {named}: {why}") from None
    os.close(handle)
    try:
        yield NewFile(named, place, Path(name))
    finally:
        Path(name).unlink(missing_ok=True)
