"""See the package."""


class Picamera2Camera:
    """Describes a camera to what is not here."""

    def __init__(self, *_: object) -> None:
        raise NotImplementedError("this camera saves no raw picture")
