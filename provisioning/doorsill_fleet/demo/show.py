"""The running demo: it shows what was received, until the time is over."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.live import Live

from doorsill.config import Config
from doorsill.vision.window import RUNNING_S
from doorsill_fleet.demo.plan import Plan, truth_of
from doorsill_fleet.demo.raw_faces import raw_faces
from doorsill_fleet.demo.view import NO_STATE, Measured, Received, picture, plain

if TYPE_CHECKING:  # it needs pyscard, and a demo without a card does not
    from doorsill_fleet.demo.token import Token

Running = dict[str, subprocess.Popen[bytes]]
REFRESH_S = 0.25  # between two updates on a terminal
PLAIN_EVERY_S = 10.0  # between two lines without a terminal


@dataclass(slots=True)
class Show:
    """Draws what has been received until the time is over or a process ends."""

    plan: Plan
    config: Config
    received: Received
    console: Console
    token: Token | None
    vault: list[str] = field(default_factory=list)
    began: float | None = None  # when the camera began, in seconds of the demo
    ended: float = 0.0  # the last update, in seconds of the demo
    _plain_at: float = 0.0  # the last line without a terminal, in seconds of the demo
    _plain_state: str = NO_STATE

    def watch(self, running: Running) -> list[str]:
        """The failures; empty when all went well."""
        begun = time.monotonic()
        with Live(console=self.console, auto_refresh=False, transient=False) as live:
            while (elapsed := time.monotonic() - begun) < self.plan.seconds:
                self.ended = elapsed
                ended = _ended(running)
                if ended is not None:
                    return ended
                if self.token is not None:
                    self.token.act(elapsed)
                measured = self._measure(elapsed)
                if self.console.is_terminal:
                    live.update(self._picture(measured), refresh=True)
                elif self._is_due(elapsed):
                    self.console.print(plain(self.received, measured), soft_wrap=True)
                time.sleep(REFRESH_S)
        return []

    def _is_due(self, elapsed: float) -> bool:
        """Whether a line is to be printed: the state has changed, or it is time."""
        early = elapsed < self._plain_at + PLAIN_EVERY_S
        if early and self.received.state == self._plain_state:
            return False
        self._plain_at, self._plain_state = elapsed, self.received.state
        return True

    def _vault(self) -> str:
        if self.token is None:
            return ""
        says = self.token.says(self.config)
        word = says.split(" ")[0]
        if not self.vault or self.vault[-1] != word:
            self.vault.append(word)
        return says

    def _measure(self, elapsed: float) -> Measured:
        vault = self._vault()
        return Measured(elapsed, self.plan.seconds, raw_faces(self.config), vault)

    def _picture(self, measured: Measured) -> RenderableType:
        truth = truth_of(self.plan, self._looked(measured.elapsed))
        return picture(self.received, truth, measured)

    @property
    def looked(self) -> float:
        """Seconds from the camera's first frame to the end, or a little less."""
        return self._looked(self.ended)

    def _looked(self, elapsed: float) -> float:
        """Seconds since the camera began: its first totals come ``RUNNING_S`` later."""
        if self.began is None and self.received.live:
            self.began = max(0.0, elapsed - RUNNING_S)
        return 0.0 if self.began is None else elapsed - self.began


def _ended(running: Running) -> list[str] | None:
    """None while all run; [] if a recording ended well; else what failed."""
    for name, child in running.items():
        code = child.poll()
        if code is not None:
            clean = name == "vision" and code == 0
            return [] if clean else [f"{name} ended with {code}"]
    return None
