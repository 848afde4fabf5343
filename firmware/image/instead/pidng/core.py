"""See the package."""


class PICAM2DNG:
    """Saves raw pictures; not here."""

    def __init__(self, *_: object) -> None:
        raise NotImplementedError("this camera saves no raw picture")
