"""Vision as the vault has it: not there yet, there, or gone without a word."""

from __future__ import annotations

import logging
from contextlib import suppress

from doorsill.channels.crops import Crop, CropSource, VisionLeftError
from doorsill.errors import UntrustedError

log = logging.getLogger(__name__)


class VisionPresence:
    """Hands leases to vision and takes its crops; whatever goes wrong ends it.

    Whoever made the connection puts it into ``source``.
    """

    def __init__(self) -> None:
        self.source: CropSource | None = None

    def lease(self, until: float) -> None:
        """Let crops come until then (monotonic s); 0.0 shuts at once."""
        if self.source is None:
            return
        try:
            self.source.lease(until)
        except UntrustedError as error:
            self._lose(error)

    def stop(self) -> None:
        """Shut at once, from whatever thread; what goes wrong is found by the other."""
        source = self.source
        if source is not None:
            with suppress(UntrustedError):
                source.lease(0.0)

    def receive(self) -> Crop | None:
        """The next crop; None where none waits or there is no vision."""
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
