"""What a machine says by itself, in a file that grows, since its last start."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError

LOOK_S = 0.2
SHOWN = 2000  # characters of it in a failure


@dataclass(slots=True)
class Said:
    """The lines at ``path``, which another program appends to."""

    path: Path
    _before: int = 0  # bytes that were said before

    def begin(self) -> None:
        """From now on what comes counts."""
        self.path.touch()
        self._before = self.path.stat().st_size

    def text(self) -> str:
        """All since :meth:`begin`."""
        with self.path.open("rb") as file:
            file.seek(self._before)
            return file.read().decode(errors="replace")

    def wait(self, words: str, seconds: float) -> None:
        """Until ``words`` were said since :meth:`begin`; BenchError after that time."""
        ends = time.monotonic() + seconds
        while words not in (said := self.text()):
            if time.monotonic() > ends:
                last = said[-SHOWN:]
                raise BenchError(
                    f"{words!r} was not said within {seconds:.0f} s, but:\n{last}"
                )
            time.sleep(LOOK_S)
