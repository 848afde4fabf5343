"""Read a file that others wrote: only a regular file, and only up to a bound.

A pipe would block the reader for ever, and a file of 2 GB would fill the memory of a
camera; both get a sentence instead.
"""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path
from typing import IO, Any

from doorsill.errors import ConfigError

BOM = b"\xef\xbb\xbf"  # Notepad begins a UTF-8 file with it
# Windows PowerShell and Notepad begin a "Unicode" file with one of these.
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
PIECE_BYTES = 1 << 20  # read at once
LARGEST_BYTES = 1 << 20  # of any file that a person or a fleet gives to a device


def read_file(path: Path, most: int = LARGEST_BYTES) -> bytes:
    """All of ``path``; ConfigError unless it is a file of at most ``most`` bytes."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:  # a zero byte, or half of a surrogate pair
        raise ConfigError(f"cannot read {str(path)!r}: no file has this name") from None
    try:
        _require_regular(path, os.fstat(handle), most)
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = _read_up_to(file, most + 1)
        if data is None:  # as /proc/kmsg, which calls itself a file
            raise ConfigError(f"{path} has nothing to read now: it is a kind of pipe")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    finally:
        os.close(handle)
    if len(data) > most:  # the file has grown since
        raise ConfigError(f"{path} has over {most} bytes, which is the limit")
    return data


def read_if_there(path: Path, most: int = LARGEST_BYTES) -> bytes | None:
    """As :func:`read_file`, or None if nothing is at ``path``."""
    try:
        return read_file(path, most)
    except ConfigError:
        if _is_there(path):
            raise
    return None


def _is_there(path: Path) -> bool:
    """Whether something is at ``path``; True also if that cannot be known."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):  # no right to look, or no file can have this name
        return True
    return True


def parse_toml(data: bytes) -> dict[str, Any]:
    """A TOML document; ConfigError if ``data`` is none.

    A byte order mark and the line ends of Windows are accepted.
    """
    if data.startswith(UTF_16):
        raise ConfigError("is text in UTF-16; save it as UTF-8")
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"is not text in UTF-8 (byte {data[error.start]:#04x} in line {line}); "
            "save it as UTF-8"
        ) from None
    except RecursionError:
        raise ConfigError("is not TOML: nested too deep") from None
    except ValueError as error:  # of TOML, or of a number of thousands of digits
        raise ConfigError(f"is not TOML: {error}") from None


def _read_up_to(file: IO[bytes], most: int) -> bytes | None:
    """At most ``most`` bytes; None if there is nothing to read now, and no end either.

    It reads piece by piece, because Python allocates all that is asked for first.
    """
    pieces: list[bytes] = []
    left = most
    while left > 0:
        piece = file.read(min(left, PIECE_BYTES))
        if piece is None:
            return None
        if not piece:
            break
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _require_regular(path: Path, state: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise ConfigError(f"{path} is {_kind(state.st_mode)}, and no file")
    if state.st_size > most:
        raise ConfigError(f"{path} has {state.st_size} bytes; the limit is {most}")


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device"
