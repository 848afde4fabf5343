"""Vision as the vault sees it: not connected yet, connected, or gone without a word."""

from __future__ import annotations

import logging
from contextlib import suppress

from doorsill.channels.crops import Crop, CropSource, VisionLeftError
from doorsill.errors import UntrustedError

log = logging.getLogger(__name__)


class VisionPresence:
    """Hands leases to vision and takes its crops; any error ends the connection.

    The caller that connected puts the connection into ``source``.
    """

    def __init__(self) -> None:
        self.source: CropSource | None = None

    def lease(self, until: float) -> None:
        """Let crops come until ``until`` (monotonic s); 0.0 ends the lease at once."""
        if self.source is None:
            return
        try:
            self.source.lease(until)
        except UntrustedError as error:
            self._lose(error)

    def stop(self) -> None:
        """End the lease at once, in any thread.

        An error is left to :meth:`receive`, which meets it again in its own thread.
        """
        source = self.source
        if source is not None:
            with suppress(UntrustedError):
                source.lease(0.0)

    def receive(self) -> Crop | None:
        """The next crop; None if none waits or vision is not connected."""
        if self.source is None:
            return None
        try:
            return self.source.receive()
        except UntrustedError as error:
            self._lose(error)
            return None

    def _lose(self, error: UntrustedError) -> None:
        left = isinstance(error, VisionLeftError)
        log.log(logging.INFO if left else logging.WARNING, "%s", error)
        if self.source is not None:
            self.source.close()
            self.source = None
