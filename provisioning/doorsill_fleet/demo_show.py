"""The demo as it runs: a picture of what was received, until the time is over."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.live import Live

from doorsill.config import Config
from doorsill.vision.window import RUNNING_S
from doorsill_fleet.demo_plan import Plan, truth_of
from doorsill_fleet.demo_view import Measured, Received, picture
from doorsill_fleet.raw_faces import raw_faces

if TYPE_CHECKING:  # it needs pyscard, and a demo without a card does not
    from doorsill_fleet.demo_token import Token

Running = dict[str, subprocess.Popen[bytes]]
REFRESH_S = 0.25
PLAIN_EVERY_S = 10.0  # between two lines where there is no terminal


@dataclass(slots=True)
class Show:
    """Draws what has been received until the time is over or a process ends."""

    plan: Plan
    config: Config
    received: Received
    console: Console
    token: Token | None
    vault: list[str] = field(default_factory=list)
    began: float | None = None  # when the camera did, in seconds of the demo
    ended: float = 0.0  # the last look at it

    def watch(self, running: Running) -> list[str]:
        """The failures; empty when all went well."""
        begun = time.monotonic()
        plain_at = begun
        with Live(console=self.console, auto_refresh=False, transient=False) as live:
            while (elapsed := time.monotonic() - begun) < self.plan.seconds:
                self.ended = elapsed
                ended = _ended(running)
                if ended is not None:
                    return ended
                if self.token is not None:
                    self.token.act(elapsed)
                shown = self._picture(elapsed)
                if self.console.is_terminal:
                    live.update(shown, refresh=True)
                elif time.monotonic() >= plain_at:
                    self.console.print(self._plain(elapsed))
                    plain_at += PLAIN_EVERY_S
                time.sleep(REFRESH_S)
        return []

    def _vault(self) -> str:
        if self.token is None:
            return ""
        says = self.token.says(self.config)
        word = says.split(" ")[0]
        if not self.vault or self.vault[-1] != word:
            self.vault.append(word)
        return says

    def _picture(self, elapsed: float) -> RenderableType:
        vault = self._vault()
        faces = raw_faces(self.config)
        measured = Measured(elapsed, self.plan.seconds, faces, vault)
        truth = truth_of(self.plan, self._looked(elapsed))
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

    def _plain(self, elapsed: float) -> str:
        counted = " ".join(f"in {i} out {o}" for i, o in self.received.live) or "-"
        vault = "" if self.token is None else f", vault {self._vault()}"
        return (
            f"{elapsed:3.0f} s: {self.received.state}, {counted}, "
            f"{self.received.payload_bytes} bytes left the device{vault}"
        )


def _ended(running: Running) -> list[str] | None:
    """None while all run; [] where a recording ended well, else what failed."""
    for name, child in running.items():
        code = child.poll()
        if code is not None:
            clean = name == "vision" and code == 0
            return [] if clean else [f"{name} ended with {code}"]
    return None
