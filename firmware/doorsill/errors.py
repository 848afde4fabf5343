"""Four errors, because callers react in four ways.

    DoorsillError
    ├── ConfigError      fix the file, then start again
    ├── CameraError      restart the camera, with back-off
    ├── UntrustedError   stop; never retry
    └── UplinkError      keep the data and retry

A message names the thing, the value and the limit:
``privacy.k = 2 is below the minimum of 10``.
"""

from __future__ import annotations

from typing import Self


class DoorsillError(Exception):
    """Any error that doorsill raises on purpose; each argument is one problem."""

    def __str__(self) -> str:
        return "; ".join(str(each) for each in self.args)

    def of(self, place: object) -> Self:
        """The same error, with the file or other source before each problem."""
        return type(self)(*(f"{place}: {each}" for each in self.args))


class ConfigError(DoorsillError):
    """A person wrote something that cannot be: a file, an option, an argument."""


class CameraError(DoorsillError):
    """The picture source is gone, cut short or unreadable."""


class UntrustedError(DoorsillError):
    """A signature, a hash, a certificate or a token is not what it must be."""


class UplinkError(DoorsillError):
    """The broker, the link or the outbox cannot take data now."""
