"""In place of python-prctl, which has no wheel: picamera2 names its threads with it."""


def set_name(_: str) -> None:
    """Nothing: nobody looks at the names of threads in a camera."""
