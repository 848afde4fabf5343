"""Vision's end of the way to the vault: without a lease nothing is cropped or copied.

The pipeline calls ``offer`` for every frame. Without a lease, ``offer`` compares two
numbers and does nothing else: it does not even read the pixels. A lease ends by itself
within two seconds, unless the vault renews it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import mmap
import os
import pwd
import socket
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from doorsill.channels.crops import (
    CROP,
    CROP_TAG,
    LEASE,
    LEASE_MOST_S,
    LEASE_TAG,
    QUEUE_BYTES,
    SEALS,
    SIDE_LEAST,
    SIDE_MOST,
)
from doorsill.channels.listening import listen_at, user_of
from doorsill.values import Boxes, Frame, Pixels

log = logging.getLogger(__name__)

VAULT_USER = "doorsill-vault"
MARGIN = 0.2  # added on each side of a head's box, as a share of its side
HEADS_MOST = 4  # heads cropped from one frame
GAP_S = 0.2  # least time between two frames that are cropped


class Handover:
    """Bound and listening before vision confines itself; never blocks the pipeline."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` must be CLOCK_MONOTONIC, which the vault reads as well.

        Raises ConfigError if it cannot listen on ``path``.
        """
        self._listener = listen_at(path, 0o660, backlog=1)
        self._clock = clock
        self._users = vault_users()
        self._peer: socket.socket | None = None
        self._until = 0.0  # end of the lease, monotonic s
        self._last = float("-inf")  # time of the last frame that was cropped, s
        self.handed_over = 0  # crops, since the start

    @property
    def open(self) -> bool:
        """Whether there is a lease at this moment."""
        return self._clock() < self._until

    def offer(self, frame: Frame, heads: Boxes, now: float) -> int:
        """Hand crops of ``heads`` ((n, 4), 0..1) to the vault, if it holds a lease.

        ``now`` is the frame's time, monotonic s. Returns how many were handed over.
        """
        self._listen()
        if not self.open:
            return 0
        if len(heads) == 0 or 0 <= now - self._last < GAP_S:
            return 0
        self._last = now
        taken = 0
        for head in heads[:HEADS_MOST]:
            pixels = cut_head(frame.pixels, head)
            if pixels is not None and self.open and self._send(pixels, now):
                taken += 1
        self.handed_over += taken
        return taken

    def close(self) -> None:
        """Stop listening."""
        self._leave()
        self._listener.close()

    def _listen(self) -> None:
        """Take a new vault, and the newest lease of the one that is there."""
        with contextlib.suppress(BlockingIOError):
            peer, _ = self._listener.accept()
            self._take(peer)
        while self._peer is not None:
            try:
                message = self._peer.recv(LEASE.size + 1)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not self._follow(message):
                self._leave()

    def _take(self, peer: socket.socket) -> None:
        """Accept a vault; a peer of another user is no vault and is disconnected.

        That is checked first, so that a stranger's process cannot end a lease.
        """
        user = user_of(peer)
        if user not in self._users:
            log.warning("a process of user %d is refused as vault", user)
            peer.close()
            return
        self._leave()
        peer.setblocking(False)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, QUEUE_BYTES)
        self._peer = peer
        log.info("vault connected")

    def _follow(self, message: bytes) -> bool:
        if len(message) != LEASE.size:
            return False
        tag, until = LEASE.unpack(message)
        if tag != LEASE_TAG or not until <= self._clock() + LEASE_MOST_S:
            return False
        self._until = until
        return True

    def _send(self, pixels: Pixels, now: float) -> bool:
        if self._peer is None:
            return False
        height, width = pixels.shape[:2]
        handle = seal_copy(pixels)
        try:
            message = CROP.pack(CROP_TAG, width, height, now)
            socket.send_fds(self._peer, [message], [handle], socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False  # the vault is busy: this crop is dropped, on purpose
        except OSError:
            self._leave()
            return False
        finally:
            os.close(handle)
        return True

    def _leave(self) -> None:
        self._until = 0.0
        if self._peer is not None:
            self._peer.close()
            self._peer = None
            log.info("vault gone")


def vault_users() -> frozenset[int]:
    """Which users may be the vault: its own on a camera, and ours on a laptop."""
    users = {0, os.geteuid()}
    with contextlib.suppress(KeyError):
        users.add(pwd.getpwnam(VAULT_USER).pw_uid)
    return frozenset(users)


def cut_head(pixels: Pixels, head: Boxes) -> Pixels | None:
    """A view of ``head`` (x0, y0, x1, y1 in 0..1) with MARGIN; None if too small."""
    rows, columns = pixels.shape[:2]
    x0, y0, x1, y1 = (float(each) for each in head)
    dx, dy = (x1 - x0) * MARGIN, (y1 - y0) * MARGIN
    left, right = _span(x0 - dx, x1 + dx, columns)
    top, bottom = _span(y0 - dy, y1 + dy, rows)
    if right - left < SIDE_LEAST or bottom - top < SIDE_LEAST:
        return None
    return pixels[
        top : min(bottom, top + SIDE_MOST), left : min(right, left + SIDE_MOST)
    ]


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    if not -9.0 < low < high < 9.0:  # true also if one of them is NaN
        return 0, 0
    return max(0, int(low * size)), min(size, round(high * size))


def seal_copy(pixels: Pixels) -> int:
    """A memfd with a copy of ``pixels`` that nobody can change."""
    handle = os.memfd_create("crop", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(handle, pixels.size)
        _copy(pixels, handle)
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _copy(pixels: Pixels, handle: int) -> None:
    """Copy without a buffer in between, in any memory layout of the picture."""
    with mmap.mmap(handle, pixels.size) as memory:
        there = np.frombuffer(memory, np.uint8).reshape(pixels.shape)
        np.copyto(there, pixels)
        del there  # the memory can be sealed only when nothing refers to it
