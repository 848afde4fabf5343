"""A raw partition or a file as a medium: ciphertext only, and nothing cached.

Blanking overwrites, syncs, reads back, and only then discards: blocks that are given
back first are no longer ours, and the zeros never reach them. A file is overwritten
where it lies (:mod:`doorsill.drivers.media.in_place`) and never discarded. Reading back
drops the page cache first, so that it asks the device. What a flash controller keeps to
itself no software can overwrite (Wei et al., FAST '11): that is why the key is
destroyed first, and why the certificate says Clear and not Purge.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
import struct
from pathlib import Path

from doorsill.certificates.claims import printable
from doorsill.drivers.media.in_place import Place, place_of, require_in_place
from doorsill.drivers.media.medium import (
    MediumFacts,
    read_all,
    require_room,
    require_same,
    require_size,
)
from doorsill.errors import ConfigError, UntrustedError
from doorsill.process.kernel import libc

libc.fallocate.argtypes = (
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int64,
    ctypes.c_int64,
)
# ioctl requests of linux/fs.h
BLKROGET = 0x125E
BLKDISCARD = 0x1277
BLKGETSIZE64 = 0x80081272
CHUNK = 1 << 20  # bytes of 0 that are written at once
NOT_OFFERED = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.ENOSYS)  # a discard


class DiskMedium:
    """Opened once, before the process confines itself, and kept open."""

    def __init__(self, path: Path, size: int) -> None:
        """``size`` is the bytes of a new file; a partition is used whole.

        Raises ConfigError where it is too small, read-only, mounted or not there.
        """
        self._handle = _open(path)
        self._used = 0
        self._place: Place = ()  # of a file: where its blocks are
        try:
            self._block = stat.S_ISBLK(os.fstat(self._handle).st_mode)
            self.facts = self._facts(path, size)
        except BaseException:
            os.close(self._handle)
            raise

    def append(self, record: bytes) -> int:
        """See :class:`doorsill.drivers.media.medium.Medium`."""
        offset = require_room(self.facts, self._used, len(record))
        self._write(offset, record)
        self._used += len(record)
        require_same(self.read_back(offset, len(record)), record, self.facts)
        return offset

    def read_back(self, offset: int, size: int) -> bytes:
        """See :class:`doorsill.drivers.media.medium.Medium`."""
        try:
            self._forget_cache()
            found = os.pread(self._handle, size, offset)
            while 0 < len(found) < size:
                more = os.pread(self._handle, size - len(found), offset + len(found))
                if not more:
                    break
                found += more
        except OSError as error:
            raise self._error("cannot be read back", error) from None
        return found

    def blank(self) -> tuple[str, ...]:
        """See :class:`doorsill.drivers.media.medium.Medium`."""
        self._overwrite()
        if not self._block:
            self._require_place()
            return ("overwritten",)
        if not read_all(self, b"")[1] or not self._discard():
            return ("overwritten",)
        if not read_all(self, b"")[1]:  # a device may answer anything after a discard
            self._overwrite()
        return ("overwritten", "discarded")

    def close(self) -> None:
        """See :class:`doorsill.drivers.media.medium.Medium`."""
        os.close(self._handle)

    def _facts(self, path: Path, size: int) -> MediumFacts:
        name = printable(path.name)
        if self._block:
            read_only = fcntl.ioctl(self._handle, BLKROGET, bytes(4))
            if any(read_only):  # the kernel lets it be opened, and refuses the write
                raise ConfigError(f"the medium {path} is read-only")
            answer = fcntl.ioctl(self._handle, BLKGETSIZE64, bytes(8))
            (whole,) = struct.unpack("Q", answer)
            return MediumFacts("partition", name, require_size(whole, name))
        require_size(size, name)
        require_in_place(self._handle, path)
        if libc.fallocate(self._handle, 0, 0, size) != 0:
            problem = os.strerror(ctypes.get_errno())
            raise ConfigError(f"the medium {path} cannot hold {size} bytes: {problem}")
        # A file that was larger is blanked whole, not only the part in use.
        whole = os.fstat(self._handle).st_size
        self._place = place_of(self._handle)
        return MediumFacts("file", name, require_size(whole, name))

    def _write(self, offset: int, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                written = os.pwrite(self._handle, view, offset)
                view, offset = view[written:], offset + written
        except OSError as error:
            raise self._error("cannot be written", error) from None

    def _overwrite(self) -> None:
        for offset in range(0, self.facts.size, CHUNK):
            self._write(offset, bytes(min(CHUNK, self.facts.size - offset)))
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise self._error("cannot be written", error) from None
        self._used = 0

    def _require_place(self) -> None:
        """Raise UntrustedError unless the zeros went to the blocks of the records."""
        if place_of(self._handle) != self._place:
            raise UntrustedError(
                f"the file system moved the medium {self.facts.identity}; what lay in "
                "its old blocks is not overwritten"
            )

    def _discard(self) -> bool:
        """Discard a whole partition; False where the device cannot do that."""
        try:
            span = struct.pack("QQ", 0, self.facts.size)
            fcntl.ioctl(self._handle, BLKDISCARD, span)
        except OSError as error:
            if error.errno in NOT_OFFERED:
                return False
            raise self._error("cannot be discarded", error) from None
        return True

    def _forget_cache(self) -> None:
        os.fdatasync(self._handle)
        os.posix_fadvise(self._handle, 0, 0, os.POSIX_FADV_DONTNEED)

    def _error(self, what: str, error: OSError) -> UntrustedError:
        return UntrustedError(
            f"the medium {self.facts.identity} {what}: {error.strerror}"
        )


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_DSYNC | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        if path.is_block_device():
            return os.open(path, flags | os.O_EXCL)  # EBUSY where it is mounted
        handle = os.open(path, flags | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(
            f"the medium {path} cannot be opened for writing: {error.strerror}"
        ) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ConfigError(f"the medium {path} is neither a file nor a partition")
    return handle
