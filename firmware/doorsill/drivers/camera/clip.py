"""The simulated street as pictures: our rendered clip, whose crossings are known.

It goes through the real model at the pace of the clock, once (``once``) or for ever
(``loop``, the default). Nobody is in its first and last frames, so that nobody is
counted at the seam.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from doorsill.drivers.camera.camera import Camera, Size
from doorsill.drivers.camera.video import open_recording
from doorsill.errors import ConfigError
from doorsill.values import Frame

ASSETS = Path(__file__).parents[2] / "assets"
STREET = ASSETS / "street.mp4"
SOURCES = ("", "loop", "once")  # that camera.source may be
SEAM_S = 0.08  # from the last frame of a round to the first of the next


def open_street(
    source: str,
    fit: Size,
    *,
    frame_rate: float | None = None,
    live: bool = True,
) -> Camera:
    """Open the clip; ``source`` is ``loop``, ``once`` or empty for ``loop``.

    Raises ConfigError where it is none of them or the clip is not installed.
    """
    if source not in SOURCES:
        raise ConfigError(f"camera.source = {source!r} is none of loop, once")
    if not STREET.is_file():
        raise ConfigError(f"the street's clip {STREET.name} is not installed")

    def reopen(begins: float | None) -> Camera:
        return open_recording(
            str(STREET), fit, frame_rate=frame_rate, live=live, begins=begins
        )

    return reopen(None) if source == "once" else Loop(reopen)


def street_truth() -> dict[str, Any]:
    """Read what happens in the clip, as its maker wrote it down."""
    truth: dict[str, Any] = json.loads(
        STREET.with_suffix(".truth.json").read_text(encoding="utf-8")
    )
    return truth


class Loop:
    """A recording that begins again when it ends; its time goes on rising."""

    def __init__(self, reopen: Callable[[float | None], Camera]) -> None:
        self._reopen = reopen
        self._camera = reopen(None)
        self._time = 0.0  # of the last frame, s

    def read(self) -> Frame | None:
        """The next frame; there always is one."""
        frame = self._camera.read()
        if frame is None:
            self._camera.close()
            self._camera = self._reopen(self._time + SEAM_S)
            frame = self._camera.read()
        if frame is not None:
            self._time = frame.time
        return frame

    def close(self) -> None:
        """Let go of the file."""
        self._camera.close()
