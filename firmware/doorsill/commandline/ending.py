"""How a command ends: one sentence for what is wrong, and an exit code.

Exit codes: 0 done · 1 the answer is no · 2 fix what you wrote · 3 not to be trusted ·
4 the camera · 5 the broker or the link · 130 interrupted.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable

from doorsill.errors import (
    CameraError,
    ConfigError,
    DoorsillError,
    UntrustedError,
    UplinkError,
)

EXIT_CODES: tuple[tuple[type[DoorsillError], int], ...] = (
    (ConfigError, 2),
    (UntrustedError, 3),
    (CameraError, 4),
    (UplinkError, 5),
)
NO, WRONG, INTERRUPTED = 1, 2, 130  # exit codes


def run_to_exit_code(
    program: str, work: Callable[[], int], verbose: Callable[[], bool]
) -> int:
    """Do ``work``; errors become sentences on standard error and an exit code.

    If ``verbose`` is true, an unexpected error of the system keeps its traceback.
    """
    _replace_closed_streams()
    for stream in (
        sys.stdout,
        sys.stderr,
    ):  # a locale without a character must not fail
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = _flushed(work)
    except DoorsillError as error:
        sys.stderr.writelines(f"{program}: {each}\n" for each in error.args)
        return next(code for kind, code in EXIT_CODES if isinstance(error, kind))
    except KeyboardInterrupt:
        sys.stderr.write(f"{program}: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        drop_output()  # the reader of our output has ended, so it cannot be written
        return 0
    except OSError as error:
        if verbose():
            raise
        return _of_the_system(program, error)
    return code


def _replace_closed_streams() -> None:
    """Put something in the place of a standard stream that was closed (``>&-``).

    A file that is opened later would get its number, and what is printed would go into
    it. What is written to standard output still fails: its result is lost otherwise.
    """
    ways = {"stdin": os.O_RDONLY, "stdout": os.O_RDONLY, "stderr": os.O_WRONLY}
    for name, flags in ways.items():
        if getattr(sys, name) is not None:
            continue
        handle = os.open(os.devnull, flags)  # the lowest number that is free
        mode = "r" if name == "stdin" else "w"
        setattr(sys, name, os.fdopen(handle, mode, encoding="utf-8"))


def _flushed(work: Callable[[], int]) -> int:
    try:
        code = work()
    except SystemExit as leaving:  # help, version, or a wrong command line
        code = int(leaving.code or 0)
    sys.stdout.flush()
    return code


def _of_the_system(program: str, error: OSError) -> int:
    """Print an unexpected error of the system, with its file; returns an exit code."""
    if _output_fails():
        drop_output()
        sys.stderr.write(
            f"{program}: standard output cannot be written: {error.strerror}\n"
        )
        return WRONG
    of = f"{error.filename}: " if error.filename else ""
    sys.stderr.write(f"{program}: {of}{error.strerror or error}\n")
    return NO


def _output_fails() -> bool:
    """Whether standard output cannot be written any more, not even a line end."""
    with contextlib.suppress(io.UnsupportedOperation):  # no file at all, in a test
        try:
            os.write(sys.stdout.fileno(), b"\n")
        except io.UnsupportedOperation:
            raise
        except OSError:
            return True
    return False


def drop_output() -> None:
    """Drop the rest of the output, or Python would end with a code of its own."""
    with contextlib.suppress(io.UnsupportedOperation):  # no file at all, in a test
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
