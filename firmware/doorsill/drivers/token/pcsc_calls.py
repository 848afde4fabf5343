"""Calls of libpcsclite: one at a time where they must be, and watched where they hang.

Contexts are made and released by these functions alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from doorsill.drivers.token.pcsc_faults import scard

# libpcsclite 1.9.9: SCardDisconnect walks the process's list of contexts without the
# list's lock, and crashes if another thread makes or releases one meanwhile. So only
# one of these calls at a time. None of them waits for a card, except a disconnect while
# another program holds a transaction.
CONTEXTS = threading.Lock()
CONTEXT_S = 10.0  # such a call waits this long for the one before it
# What is asked of pcscd or of a card takes up to 2 s. Where a reader loses an answer of
# a T=0 card, libccid holds up all that speak with it for 262 times the card's waiting
# time (ISO 7816-3, 10.2): 4 minutes.
HANGS_S = 15.0


class Asked:
    """Since when a thread waits for an answer; another thread may look."""

    def __init__(self) -> None:
        self._since: float | None = None  # monotonic s

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """It waits while this is held."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    @property
    def hangs(self) -> bool:
        """Whether it has waited for longer than HANGS_S."""
        since = self._since  # the other thread may end the wait meanwhile
        return since is not None and time.monotonic() - since > HANGS_S


@contextmanager
def contexts() -> Iterator[bool]:
    """Hold the lock; gives False where pcscd hangs in a call of another thread."""
    alone = CONTEXTS.acquire(timeout=CONTEXT_S)
    try:
        yield alone
    finally:
        if alone:
            CONTEXTS.release()


def establish() -> tuple[int, Any]:
    """A code, and a context where the code is success."""
    with contexts() as alone:
        if not alone:
            return scard.SCARD_E_TIMEOUT, None
        code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    return code, context


def release(context: Any) -> None:
    """Let it go; where pcscd hangs it is left."""
    with contexts() as alone:
        if alone:  # otherwise it ends with this process
            scard.SCardReleaseContext(context)
