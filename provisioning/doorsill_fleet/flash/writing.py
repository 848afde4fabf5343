"""Write an image to a card and read it back: what is not proven is not a card.

A card that fails on the way is made one that does not start: its first megabyte is
overwritten. So no half of an image ever hangs on a ceiling.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from doorsill.errors import ConfigError, UntrustedError
from doorsill_fleet.flash.block_map import Piece
from doorsill_fleet.flash.image import Image, Stream, opened

CHUNK_BYTES = 4 << 20  # read and written at once
ZEROS = bytes(CHUNK_BYTES)
SYNC_BYTES = 64 << 20  # written between two waits for the card, so progress is true
SPOILT_BYTES = 1 << 20  # at the front of a card that failed
BLKFLSBUF = 0x1261  # drop what the kernel keeps of a disk: linux/fs.h

Progress = Callable[[int], None]  # bytes written or read back since the last call


def write_image(image: Image, path: Path, progress: Progress) -> None:
    """Write ``image`` to ``path`` and verify it.

    ConfigError: another card, or another image. UntrustedError: a byte is not what it
    must be.
    """
    handle = open_card(path)
    try:
        with opened(image) as stream:
            _clear(image, handle, progress)
            digests = _write(image, stream, handle, progress)
        forget(handle)
        _verify(image, handle, digests, progress)
    except BaseException:
        _spoil(handle)
        raise
    finally:
        os.close(handle)


def open_card(path: Path) -> int:
    """A handle to read and write; ConfigError where somebody else has it."""
    flags = os.O_RDWR | os.O_CLOEXEC
    if stat.S_ISBLK(path.stat().st_mode):
        flags |= os.O_EXCL  # the kernel refuses what is mounted, also elsewhere
    try:
        return os.open(path, flags)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def forget(handle: int) -> None:
    """Bring all to the card, and forget it here: what is read then is the card's."""
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        if stat.S_ISBLK(os.fstat(handle).st_mode):
            fcntl.ioctl(handle, BLKFLSBUF, 0)
    except OSError as error:
        raise _gone(error, "at its end") from None


def _clear(image: Image, handle: int, progress: Progress) -> None:
    """Zeros where the map has holes and the card had something.

    A map may leave out what is zero: the end of a table of partitions, of a FAT, of a
    bitmap. On a used card something else would stand there.
    """
    buffer = bytearray(CHUNK_BYTES)
    for hole in image.map.holes:
        for at, size in _chunks(hole):
            _get(handle, memoryview(buffer)[:size], at)
            if buffer[:size] != ZEROS[:size]:
                _put(handle, memoryview(ZEROS)[:size], at)
            progress(size)


def _write(image: Image, stream: Stream, handle: int, progress: Progress) -> list[str]:
    """All pieces; returns what each one hashes to."""
    buffer, since = memoryview(bytearray(CHUNK_BYTES)), 0
    digests = []
    for piece in image.map.pieces:
        digest = hashlib.sha256()
        for at, size in _chunks(piece):
            chunk = buffer[:size]
            stream.read_into(chunk, at)
            _put(handle, chunk, at)
            digest.update(chunk)
            progress(size)
            since += size
            if since >= SYNC_BYTES:
                _sync(handle, at)
                since = 0
        digests.append(_right(piece, digest.hexdigest(), image.path))
    return digests


def _right(piece: Piece, found: str, path: Path) -> str:
    if piece.sha256 not in (None, found):
        raise UntrustedError(
            f"{path} is not the image of its .bmap: bytes {piece.first} and on differ; "
            "fetch both again"
        )
    return found


def _verify(image: Image, handle: int, digests: list[str], progress: Progress) -> None:
    buffer = memoryview(bytearray(CHUNK_BYTES))
    for piece, wanted in zip(image.map.pieces, digests, strict=True):
        digest = hashlib.sha256()
        for at, size in _chunks(piece):
            _get(handle, buffer[:size], at)
            digest.update(buffer[:size])
            progress(size)
        if digest.hexdigest() != wanted:
            ends = piece.first + piece.size
            raise UntrustedError(
                f"the card does not give back what was written, in bytes {piece.first} "
                f"to {ends}; throw it away"
            )


def _chunks(piece: Piece) -> list[tuple[int, int]]:
    ends = piece.first + piece.size
    starts = range(piece.first, ends, CHUNK_BYTES)
    return [(at, min(CHUNK_BYTES, ends - at)) for at in starts]


def _put(handle: int, data: memoryview, at: int) -> None:
    """All of it, also where the kernel takes less at once."""
    done = 0
    while done < len(data):
        try:
            count = os.pwrite(handle, data[done:], at + done)
        except OSError as error:
            raise _gone(error, f"at byte {at + done}") from None
        if not count:
            raise ConfigError(f"the card takes nothing more at byte {at + done}")
        done += count


def _get(handle: int, buffer: memoryview, at: int) -> None:
    done = 0
    while done < len(buffer):
        try:
            count = os.preadv(handle, [buffer[done:]], at + done)
        except OSError as error:
            raise _gone(error, f"at byte {at + done}, while it was read back") from None
        if not count:
            raise ConfigError(
                f"the card ends at byte {at + done}: it is not that large"
            )
        done += count


def _sync(handle: int, at: int) -> None:
    try:
        os.fdatasync(handle)
    except OSError as error:
        raise _gone(error, f"at about byte {at}") from None


def _gone(error: OSError, where: str) -> ConfigError:
    return ConfigError(
        f"the card was pulled, is broken or full {where}: {error.strerror}; put it in "
        "again, or take another one"
    )


def _spoil(handle: int) -> None:
    """Make it a card that does not start, if it is still there."""
    with contextlib.suppress(OSError):
        size = os.lseek(handle, 0, os.SEEK_END)
        os.pwrite(handle, bytes(min(SPOILT_BYTES, size)), 0)
        os.fsync(handle)
