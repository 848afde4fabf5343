"""Where a frame's time goes: sums for a recording, medians for the health cell."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter_ns

STAGES = (
    "capture",
    "gate",
    "prepare",
    "invoke",
    "decode",
    "track",
    "count",
    "quality",
    "attributes",
    "window",
)
RECENT = 750  # frames of which the medians are: a minute at 12.5 frames a second


@dataclass(slots=True)
class Timing:
    """Microseconds by stage; bounded, however long the run is."""

    total_us: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    last_inferred: bool = False  # whether the detector saw the last frame
    _frame: dict[str, int] = field(default_factory=dict)
    _since: int = 0
    _invoke: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT))
    _overhead: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT))

    def begin(self) -> None:
        """Begin a stage now."""
        self._since = perf_counter_ns()

    def lap(self, stage: str) -> None:
        """End ``stage`` now, and begin the next one."""
        now = perf_counter_ns()
        self.add(stage, (now - self._since) // 1000)
        self._since = now

    def add(self, stage: str, microseconds: int) -> None:
        """Add to the time of ``stage`` in this frame."""
        self._frame[stage] = self._frame.get(stage, 0) + microseconds

    def end_frame(self) -> None:
        """Book this frame; one without an invoke says nothing about the overhead."""
        for stage, microseconds in self._frame.items():
            self.total_us[stage] += microseconds
        invoke = self._frame.get("invoke", 0)
        self.last_inferred = invoke > 0
        if invoke:
            capture = self._frame.get("capture", 0)
            self._invoke.append(invoke)
            self._overhead.append(sum(self._frame.values()) - invoke - capture)
        self._frame.clear()

    @property
    def invoke_us(self) -> int:
        """Median of the bare invoke over the last minute, 0 if there was none."""
        return round(median(self._invoke)) if self._invoke else 0

    @property
    def overhead_us(self) -> int:
        """Median of everything from the buffer to the cell but the invoke."""
        return round(median(self._overhead)) if self._overhead else 0
