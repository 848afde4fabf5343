"""Any camera: frames one after the other, chosen by name, without silent fallback.

A driver hands out its own buffer as :class:`Frame`: whoever reads a frame owns it until
``release``, owns one at a time, and reads the next one only after that. A driver that
runs out of pictures says so: ``None`` where a recording merely ends, a
:class:`CameraError` where pictures should have followed.
"""

from __future__ import annotations

from typing import Protocol

from doorsill.errors import ConfigError
from doorsill.values import Frame

CAMERAS = ("street", "video", "picamera")
Size = tuple[int, int]  # width, height


class Camera(Protocol):
    """An open camera."""

    def read(self) -> Frame | None:
        """Wait for the next frame; None when a recording has ended.

        ``Frame.time`` rises from frame to frame. Raises :class:`CameraError` when the
        source is gone, cut short or unreadable.
        """

    def close(self) -> None:
        """Let go of the source; a frame that is still held becomes invalid."""


def open_camera(
    name: str,
    source: str,
    fit: Size,
    *,
    frame_rate: float | None = None,
    declared_rate: float | None = None,
    live: bool = True,
) -> Camera:
    """Open a camera by the name of its driver.

    ``fit`` is the width and height that pictures are scaled into, aspect kept.
    ``frame_rate`` is the most frames a second that are delivered; None: all.
    ``declared_rate`` says how many a recording holds that does not say so itself.
    ``live``
    delivers a recording at the pace of the clock, with late frames left out, and not as
    fast as it can be read. Raises :class:`ConfigError` for a name or source that cannot
    be, :class:`CameraError` for a source that gives no picture now.
    """
    if name not in CAMERAS:
        raise ConfigError(f"camera.driver = {name!r} is none of {', '.join(CAMERAS)}")
    # Each driver pulls in a large library; only the chosen one is loaded.
    if name == "picamera":
        from doorsill.drivers.camera.picamera import open_picamera

        return open_picamera(source, fit, frame_rate=frame_rate)
    if name == "street":
        try:
            from doorsill.drivers.camera.clip import open_street
        except ModuleNotFoundError as error:
            if error.name != "doorsill.drivers.camera.clip":
                raise
            raise ConfigError(
                "camera.driver = 'street' is the simulated street; it comes with "
                "doorsill-fleet, which is not installed"
            ) from None

        return open_street(source, fit, frame_rate=frame_rate, live=live)
    from doorsill.drivers.camera.video import open_video

    return open_video(
        source, fit, frame_rate=frame_rate, declared_rate=declared_rate, live=live
    )


def content_size(picture: tuple[float, float], fit: Size) -> Size:
    """The largest size of the picture's aspect ratio inside ``fit``; width, height."""
    width, height = picture
    scale = min(fit[0] / width, fit[1] / height)
    return (
        max(1, min(fit[0], round(width * scale))),
        max(1, min(fit[1], round(height * scale))),
    )
