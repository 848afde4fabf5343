"""Try something as another system user: what root can read, others may not.

The units run each process as a user of its own. Only the kernel knows what such a user
may read (modes, groups, lists of access, folders on the way), so a child becomes that
user and tries.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import pwd
import warnings
from collections.abc import Callable
from typing import TypeVar

from doorsill.errors import ConfigError, DoorsillError
from doorsill.process.child import end, read_answer

T = TypeVar("T")


def is_there(user: str) -> bool:
    """Whether this system has a user of that name."""
    with contextlib.suppress(KeyError):
        pwd.getpwnam(user)
        return True
    return False


def run_apart(work: Callable[[], T], within_s: float, user: str | None = None) -> T:
    """What ``work`` returns or raises in a child, as ``user`` if that is given.

    What it has opened is closed with the child, and what hangs is ended. Raises
    ConfigError where it does not end in time, or dies.
    """
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # The child does little and ends; no thread's lock is waited for in it.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _work_and_end(work, user, writer)
    os.close(writer)
    try:
        data = read_answer(reader, within_s) or None
    except TimeoutError as error:
        raise ConfigError(f"no answer: {error}") from None
    finally:
        os.close(reader)
        end(child)
    if data is None:
        raise ConfigError("no answer: it ended")
    found = pickle.loads(data)  # noqa: S301 - from our own child
    if isinstance(found, DoorsillError):
        raise found
    result: T = found
    return result


def _work_and_end(work: Callable[[], T], user: str | None, writer: int) -> None:
    """Do ``work`` in the child, send its answer and end; never returns."""
    answer: object
    try:
        if user is not None:
            _become(user)
        answer = work()
    except DoorsillError as error:
        answer = error
    except OSError as error:
        answer = ConfigError(str(error))
    except BaseException as error:  # the top of a process
        answer = ConfigError(f"{type(error).__name__}: {error}")
    try:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(pickle.dumps(answer))
    finally:
        os._exit(0)


def _become(user: str) -> None:
    found = pwd.getpwnam(user)
    os.setgroups(os.getgrouplist(user, found.pw_gid))
    os.setgid(found.pw_gid)
    os.setuid(found.pw_uid)
