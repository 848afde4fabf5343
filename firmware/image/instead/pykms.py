"""In place of pykms, which has no wheel: picamera2 imports it, to show windows.

There is no screen. The names of formats are asked for while it is imported.
"""


class _Named(type):
    def __getattr__(cls, name: str) -> str:
        return name


class PixelFormat(metaclass=_Named):
    """Each format is its own name."""
