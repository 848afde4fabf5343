"""What the keeper does with the consent lamp, if there is one."""

from __future__ import annotations

import logging

from doorsill.consent.token import Lamp
from doorsill.errors import UntrustedError

log = logging.getLogger(__name__)


class Light:
    """Lit before the first face may come, dark when no face may come any more."""

    def __init__(self, lamp: Lamp | None) -> None:
        self._lamp = lamp
        self._lit = False

    @property
    def says(self) -> bool | None:
        """Whether it is lit; None if there is no lamp."""
        return None if self._lamp is None else self._lit

    def on(self) -> bool:
        """Light it; True if it is lit or there is none. Only then may a face come."""
        return self._show(True)

    def off(self) -> None:
        """Put it out. A failure is logged, and the vault is blanked all the same."""
        self._show(False)

    def close(self) -> None:
        """Put it out for good."""
        if self._lamp is not None:
            self._lamp.close()

    def _show(self, lit: bool) -> bool:
        if self._lamp is None:
            return True
        try:
            self._lamp.show(lit)
        except UntrustedError as error:
            log.error("%s", error)
            return False
        self._lit = lit
        return True
