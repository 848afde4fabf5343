"""Lays the newest certificates of the chain out for the uplink, as messages."""

from __future__ import annotations

import logging
from pathlib import Path

from doorsill.certificates.compact import compact
from doorsill.channels.tray import PLACES, Tray
from doorsill.errors import UntrustedError
from doorsill.vault.chain import CertificateChain
from doorsill.wire.codec import encode

log = logging.getLogger(__name__)


class Outlet:
    """What the tray shows of a chain; nothing comes back through it."""

    def __init__(self, chain: CertificateChain, tray: Tray) -> None:
        self._chain, self._tray = chain, tray
        self._shown = max(0, chain.counter - PLACES)  # number of the newest that lies

    def catch_up(self) -> None:
        """Lay out each certificate that is new. A disk that fails is tried again.

        A certificate that the wire schema has no place for stays in the chain, and the
        log says why; then the office misses its number, and says so.
        """
        while self._shown < self._chain.counter:
            path = self._chain.path_of(self._shown + 1)
            try:
                self._lay_out(path)
            except OSError as error:
                log.warning("%s is not laid out yet: %s", path.name, error.strerror)
                return
            self._shown += 1

    def _lay_out(self, path: Path) -> None:
        try:
            message = compact(path.read_bytes())
            self._tray.put(message.counter, encode(message))
        except UntrustedError as error:
            log.error("%s does not leave this device: %s", path.name, error)
