"""The demo's consent card: in after a third of the time, out after two thirds."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from doorsill.config import Config
from doorsill.errors import DoorsillError
from doorsill_fleet.stage import consent
from doorsill_fleet.stage.consent import ConsentStage
from doorsill_fleet.stage.shop import Stage


class Token:
    """A virtual card in our own card stack, moved as a hand would move it."""

    def __init__(self, folder: Path, site: str, seconds: float) -> None:
        self._stage = ConsentStage(folder, site)
        self._insert_at, self._pull_at = seconds / 3, seconds * 2 / 3
        self._inserted = self._pulled = False

    def __enter__(self) -> Token:
        self._stage.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stage.stop()

    @property
    def policy(self) -> dict[str, Any]:
        """The consent part of the policy."""
        return self._stage.policy

    @property
    def configuration(self) -> str:
        """The [consent] section of the device's configuration."""
        return self._stage.configuration

    @property
    def environment(self) -> dict[str, str]:
        """What the vault process needs to find our card stack."""
        return self._stage.environment

    def act(self, elapsed: float) -> None:
        """Insert or pull when it is time."""
        if not self._inserted and elapsed >= self._insert_at:
            self._inserted = True
            self._stage.insert()
        if not self._pulled and elapsed >= self._pull_at:
            self._pulled = True
            self._stage.pull()

    def says(self, config: Config) -> str:
        """BLANK, OPEN (n sealed) or BLANK (verified), in the vault's own words."""
        try:
            status = consent.status(config)
        except (DoorsillError, OSError):
            return "BLANK (the vault does not run)"
        if status["state"] == "open":
            return f"OPEN ({status['sealed']} sealed)"
        return "BLANK (verified)" if status["verified_blank"] else "BLANK"

    def count_certificates(self, config: Config, stage: Stage) -> int:
        """How many blanking certificates stand in the verified chain."""
        return len(consent.verify_certificates(config, stage.authority.certificate))
