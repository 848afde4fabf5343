"""Open a camera by the name of its driver, without a silent fallback."""

from __future__ import annotations

from collections.abc import Callable

from doorsill.drivers.camera.camera import Camera, Size
from doorsill.errors import ConfigError

CAMERAS = ("street", "video", "picamera")  # names of the drivers


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
    ``declared_rate`` is the frames a second of a recording that does not say so itself.
    ``live`` delivers a recording at the pace of the clock, with late frames left out,
    and not as fast as it can be read. Raises :class:`ConfigError` for a name or source
    that cannot be, :class:`CameraError` for a source that gives no picture now.
    """
    if name not in CAMERAS:
        raise ConfigError(f"camera.driver = {name!r} is none of {', '.join(CAMERAS)}")
    # Each driver pulls in a large library; only the chosen one is loaded.
    if name == "picamera":
        from doorsill.drivers.camera.picamera import open_picamera

        return open_picamera(source, fit, frame_rate=frame_rate)
    if name == "street":
        return _import_street()(source, fit, frame_rate=frame_rate, live=live)
    from doorsill.drivers.camera.video import open_video

    return open_video(
        source, fit, frame_rate=frame_rate, declared_rate=declared_rate, live=live
    )


def _import_street() -> Callable[..., Camera]:
    """``clip.open_street``; raises ConfigError where it is not installed."""
    try:
        from doorsill.drivers.camera.clip import open_street
    except ModuleNotFoundError as error:
        if error.name != "doorsill.drivers.camera.clip":
            raise
        raise ConfigError(
            "camera.driver = 'street' is the simulated street; it comes with "
            "doorsill-fleet, which is not installed"
        ) from None
    return open_street
