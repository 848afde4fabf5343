"""Whether a file is overwritten where it lies; elsewhere its blanking would be a lie.

    write zeros ──► the same blocks of the device       ext4: yes, and the old is gone
                └─► other blocks, or a journal first    the old stays where it was

So a file may be a medium only where that was measured (``tests/drivers/test_disk.py``
searches the device below), and its blocks are compared before and after each
overwriting.
Source: Linux, Documentation/filesystems/fiemap.rst and ext4/journal.rst.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from pathlib import Path

from doorsill.errors import ConfigError, UntrustedError
from doorsill.process.kernel import libc

EXT4_MAGIC = 0xEF53  # linux/magic.h; ext2 and ext3 are the same driver
NAMES = {
    0x9123683E: "btrfs",
    0x2FC12FC1: "ZFS",
    0xF2F52010: "F2FS",
    0x794C7630: "overlay",
    0x6969: "NFS",
    0xFF534D42: "CIFS",
    0x65735546: "FUSE",
    0x01021994: "tmpfs",
    0x58465342: "XFS",
    0x4D44: "FAT",
}
FS_IOC_GETFLAGS = 0x80086601  # linux/fs.h
JOURNAL_DATA_FLAG = 0x4000  # linux/fs.h: set by chattr +j
FS_IOC_FIEMAP = 0xC020660B  # linux/fiemap.h
FIEMAP_SYNC = 1  # linux/fiemap.h: write what is cached first
FIEMAP_HEAD = struct.Struct("=QQIIII")  # struct fiemap
FIEMAP_EXTENT = struct.Struct("=QQQQQIIII")  # struct fiemap_extent
EXTENTS_LIMIT = 1024  # pieces of one file; a medium in more of them is refused
INSTEAD = 'take a partition, or consent.medium = "memory"'

Place = tuple[tuple[int, int], ...]  # where a file lies: offset and bytes, by piece


def require_in_place(handle: int, path: Path) -> None:
    """Raise ConfigError unless the file ``handle`` is overwritten where it lies."""
    magic = magic_of(handle)
    if magic != EXT4_MAGIC:
        name = NAMES.get(magic, f"a file system of type {magic:#x}")
        raise ConfigError(
            f"the medium {path} lies on {name}, which is not known to overwrite a file "
            f"where it lies; {INSTEAD}"
        )
    state = os.fstat(handle)
    if "data=journal" in _options(os.major(state.st_dev), os.minor(state.st_dev)):
        raise ConfigError(
            f"the medium {path} lies on ext4 with data=journal, which keeps a copy of "
            f"what is written in its journal; {INSTEAD}"
        )
    flags = struct.unpack("Q", fcntl.ioctl(handle, FS_IOC_GETFLAGS, bytes(8)))[0]
    if flags & JOURNAL_DATA_FLAG:
        raise ConfigError(
            f"the medium {path} is journalled with its data (chattr +j): the journal "
            f"keeps a copy; {INSTEAD}"
        )


def place_of(handle: int) -> Place:
    """Where the file lies on its device now; raises UntrustedError if not known."""
    head = FIEMAP_HEAD.pack(0, 2**64 - 1, FIEMAP_SYNC, 0, EXTENTS_LIMIT, 0)
    buffer = bytearray(head + bytes(FIEMAP_EXTENT.size * EXTENTS_LIMIT))
    try:
        fcntl.ioctl(handle, FS_IOC_FIEMAP, buffer, True)
    except OSError as error:
        raise UntrustedError(
            f"the file system does not say where a file lies: {error.strerror}"
        ) from None
    count = FIEMAP_HEAD.unpack_from(buffer)[3]
    if count >= EXTENTS_LIMIT:
        raise UntrustedError(
            f"the medium is in {count} pieces or more; the limit is {EXTENTS_LIMIT}"
        )
    pieces: list[tuple[int, int]] = []
    for number in range(count):
        at = FIEMAP_HEAD.size + number * FIEMAP_EXTENT.size
        _, start, length, *_ = FIEMAP_EXTENT.unpack_from(buffer, at)
        if pieces and sum(pieces[-1]) == start:  # only its flags differ: one piece
            start, length = pieces[-1][0], pieces[-1][1] + length
            pieces.pop()
        pieces.append((start, length))
    return tuple(pieces)


def magic_of(handle: int) -> int:
    """The type of the file system that ``handle`` lies on, a number of linux/magic.h.

    The first word of what statfs(2) answers; raises ConfigError if it does not.
    """
    answer = ctypes.create_string_buffer(256)
    if libc.fstatfs(handle, answer) != 0:
        problem = os.strerror(ctypes.get_errno())
        raise ConfigError(f"the medium's file system does not answer: {problem}")
    return ctypes.c_ulong.from_buffer(answer).value & 0xFFFFFFFF


def _options(major: int, minor: int) -> list[str]:
    """Options of the mounted file system on that device, from proc(5), mountinfo."""
    for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        fields = line.split()
        if fields[2] == f"{major}:{minor}":
            return fields[-1].split(",")
    raise ConfigError(
        "the options of the medium's file system cannot be seen, so it may be mounted "
        f"with data=journal; {INSTEAD}"
    )
