"""Crops on their way from vision to the vault: sealed memory, never a file.

    vision ── crop: width, height, time + sealed memfd ──► vault
           ◄────────── lease: open until, or 0 ───────────

AF_UNIX, SOCK_SEQPACKET, faces.sock. Vision listens, the vault connects. A lease ends
by itself at ``until`` (seconds of CLOCK_MONOTONIC), even if the vault is dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from doorsill.errors import UntrustedError

CROP = struct.Struct("<4sHHd")  # b"CRP1", width, height, time (monotonic s)
LEASE = struct.Struct("<4sd")  # b"LSE1", open until (monotonic s); 0 is shut
CROP_TAG = b"CRP1"  # the first bytes of a crop, with the version
LEASE_TAG = b"LSE1"  # the first bytes of a lease, with the version
SIDE_LEAST = 8  # pixels: shortest side of a crop
SIDE_MOST = 512  # pixels: longest side of a crop
CHANNELS = 3  # R, G, B, one byte each
LEASE_MOST_S = 2.0  # a vault that asks for a longer lease is not ours
SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
QUEUE_BYTES = 1 << 16  # send buffer of the socket: messages the vault has not read


@dataclass(slots=True, repr=False, eq=False)
class Crop:
    """One picture of a head, (height, width, 3) uint8 RGB, in sealed memory."""

    width: int  # pixels
    height: int  # pixels
    time: float  # of the frame, monotonic s
    handle: int  # the sealed memfd

    @property
    def size(self) -> int:
        """Bytes of the picture."""
        return self.width * self.height * CHANNELS

    def map(self) -> mmap.mmap:
        """The pixels, read-only; close it as soon as they are sealed."""
        return mmap.mmap(self.handle, self.size, prot=mmap.PROT_READ)

    def close(self) -> None:
        """Give the memory back to the kernel, which zeroes it."""
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1

    def __repr__(self) -> str:
        return f"<Crop {self.width}x{self.height}, pixels withheld>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Crop cannot be copied, pickled or sent on")


class VisionLeftError(UntrustedError):
    """Vision has closed the link, as it does at every stop: nothing is wrong yet."""


class CropSource:
    """The vault's end: says how long the lease is, takes crops."""

    def __init__(self, path: Path) -> None:
        """Raises UntrustedError if vision does not listen on ``path``."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)  # a vision that hangs must not delay the vault
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise UntrustedError(
                f"vision does not listen on {path}: {error.strerror}"
            ) from None

    def fileno(self) -> int:
        """For select and poll."""
        return self._socket.fileno()

    def lease(self, until: float) -> None:
        """Let crops come until ``until`` (monotonic s); 0.0 ends the lease at once.

        Raises UntrustedError if vision went away. A full socket raises nothing: the
        lease then ends by itself.
        """
        with contextlib.suppress(BlockingIOError):
            self._send(LEASE.pack(LEASE_TAG, until))

    def receive(self) -> Crop | None:
        """The next crop, or None if none waits.

        Raises VisionLeftError if vision went away, UntrustedError if it sent anything
        but a sealed crop.
        """
        try:
            message, handles, _, _ = socket.recv_fds(self._socket, CROP.size + 1, 4)
        except BlockingIOError:
            return None
        except OSError as error:
            raise UntrustedError(f"vision went away: {error.strerror}") from None
        try:
            return _parse(message, handles)
        except UntrustedError:
            for handle in handles:
                os.close(handle)
            raise

    def close(self) -> None:
        """Disconnect; that ends vision's lease."""
        self._socket.close()

    def _send(self, message: bytes) -> None:
        try:
            self._socket.send(message, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            raise
        except OSError as error:
            raise UntrustedError(f"vision went away: {error.strerror}") from None


def _parse(message: bytes, handles: list[int]) -> Crop:
    if not message and not handles:
        raise VisionLeftError("vision went away")
    if len(message) != CROP.size or len(handles) != 1:
        raise UntrustedError(
            f"vision sent {len(message)} bytes and {len(handles)} handles: not a crop"
        )
    tag, width, height, time = CROP.unpack(message)
    if tag != CROP_TAG:
        raise UntrustedError("vision sent a message of another version: not a crop")
    if not all(SIDE_LEAST <= side <= SIDE_MOST for side in (width, height)):
        raise UntrustedError(
            f"vision sent a crop of {width}x{height}: the limit is 512"
        )
    crop = Crop(width, height, time, handles[0])
    _require_sealed(crop)
    return crop


def _require_sealed(crop: Crop) -> None:
    """UntrustedError if the sender could still change the memory or cut it short."""
    try:
        seals = fcntl.fcntl(crop.handle, fcntl.F_GET_SEALS)
    except OSError:
        seals = 0
    if seals & SEALS != SEALS:
        raise UntrustedError("vision sent a crop that is not sealed")
    size = os.fstat(crop.handle).st_size
    if size != crop.size:
        raise UntrustedError(f"vision sent {size} bytes for a crop of {crop.size}")
