"""Any camera: frames one after the other, chosen by name, without silent fallback.

A driver hands out its own buffer as :class:`Frame`: the caller of ``read`` owns it
until ``release``, owns one at a time, and reads the next one only after that. At the
end of the pictures there is ``None`` where a recording merely ends, and a
:class:`CameraError` where pictures should have followed.
"""

from __future__ import annotations

from typing import Protocol

from doorsill.values import Frame

Size = tuple[int, int]  # width, height, pixels


class Camera(Protocol):
    """An open camera."""

    def read(self) -> Frame | None:
        """Wait for the next frame; None when a recording has ended.

        ``Frame.time`` rises from frame to frame. Raises :class:`CameraError` when the
        source is gone, cut short or unreadable.
        """

    def close(self) -> None:
        """Let go of the source; a frame that is still held becomes invalid."""


def content_size(picture: tuple[float, float], fit: Size) -> Size:
    """The largest size of the picture's aspect ratio inside ``fit``; width, height."""
    width, height = picture
    scale = min(fit[0] / width, fit[1] / height)
    return (
        max(1, min(fit[0], round(width * scale))),
        max(1, min(fit[1], round(height * scale))),
    )
