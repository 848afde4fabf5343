"""What a door reports of itself: frames, speed, memory, and what the camera gives.

Once a minute, and at once when what the camera gives is another thing than before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from doorsill.cells import FRESH_S, GONE_S, Picture
from doorsill.device.health import resident_kib
from doorsill.values import HealthCell, Quality
from doorsill.vision.timing import Timing

EVERY_S = 60.0  # between two reports
FIRST_S = 5.0  # from the start to the first one, for the person who installs it


@dataclass(slots=True)
class HealthWatch:
    """Counts what one door does, from one report to the next."""

    began: float  # when this process began, monotonic s
    camera_failures: int = 0
    _due: float = field(init=False)  # when the next report is due, monotonic s
    _since: float = field(init=False)  # when the last report was made, monotonic s
    _frames: int = 0  # since then
    _gated: int = 0  # frames among them that were not inferred
    _frame_at: float | None = None  # when the last frame came, monotonic s
    _seen: Quality = Quality.GOOD  # of the last frame
    _reported: Picture = Picture.UNKNOWN  # in the last report

    def __post_init__(self) -> None:
        self._due, self._since = self.began + FIRST_S, self.began

    def see(self, quality: Quality, now: float) -> None:
        """Note that a frame came; ``now`` is monotonic, in s."""
        self._seen, self._frame_at = quality, now

    def count(self, *, inferred: bool) -> None:
        """Count a frame that was dealt with."""
        self._frames += 1
        self._gated += not inferred

    def count_failure(self) -> None:
        """Count a camera that failed, or did not open."""
        self.camera_failures += 1

    def picture(self, now: float, *, open_: bool) -> Picture:
        """What the camera gives; ``open_`` says whether the shop is open."""
        if not open_:
            return Picture.CLOSED
        if self._frame_at is None:
            age_s = now - self.began
            return Picture.UNKNOWN if age_s < FRESH_S else Picture.NONE
        age_s = now - self._frame_at
        if age_s >= FRESH_S:
            return Picture.OLD if age_s < GONE_S else Picture.NONE
        return Picture.FROZEN if Quality.FROZEN in self._seen else Picture.FRESH

    def is_due(self, now: float, *, open_: bool) -> bool:
        """Whether a report has to be made now."""
        return now >= self._due or self.picture(now, open_=open_) is not self._reported

    def report(
        self,
        now: float,
        utc: float,
        *,
        open_: bool,
        timing: Timing | None,
        dropped: int,
    ) -> HealthCell:
        """The report of the time since the last one; counting begins again.

        ``utc`` is the time in s, ``dropped`` the number of windows that were lost.
        """
        picture = self.picture(now, open_=open_)
        cell = HealthCell(
            start=int(utc),
            frames=self._frames,
            gated=self._gated,
            frame_rate_milli=round(1000 * self._frames / max(now - self._since, 0.1)),
            invoke_us=0 if timing is None else timing.invoke_us,
            overhead_us=0 if timing is None else timing.overhead_us,
            resident_kib=resident_kib(),
            camera_restarts=self.camera_failures,
            dropped=dropped,
            picture=picture,
        )
        soon = self._reported is Picture.UNKNOWN  # its first frames come now
        self._due = now + (FIRST_S if soon else EVERY_S)
        self._reported, self._since = picture, now
        self._frames = self._gated = 0
        return cell
