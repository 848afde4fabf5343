"""Start a process as the product does, and try every way out from inside it.

    python ways_inside.py PROCESS CONFIG PLAN

The product's own ``main`` runs, with its own Confinement. Where it would go on, the
ways of ``ways.py`` are tried and one line for each goes to the file handle that PLAN
names. What PLAN takes away (a newer landlock, the room, the list of calls) shows what
the other locks hold alone; ``control`` takes away all of them.
"""

from __future__ import annotations

import ctypes
import errno
import importlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import ways

from doorsill.cli.run import PROCESSES
from doorsill.config import load_config
from doorsill.process import confine, landlock, locks, room, scribe, seccomp

LOCKS = "(locks that hold)"


@dataclass(frozen=True, slots=True)
class Plan:
    """What holds, and what to try."""

    ground: str  # see ways.Ground
    out: int  # a file handle
    abi: int = 7
    room: bool = True
    calls: bool = True
    control: bool = False
    foreign: str = ""  # the library with the calls of a foreign ABI, and then
    only: str = ""  # which of them to make

    def text(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))


def main() -> None:
    process, config, text = sys.argv[1:]
    plan = Plan(**json.loads(text))
    code = ctypes.CDLL(plan.foreign) if plan.only else None
    real = landlock.version()
    landlock.version = lambda: min(plan.abi, real)
    if not plan.room:
        room.left_by_unit = lambda *_: []  # so none is made
    if not plan.calls:
        seccomp.install = lambda _: None
    close = confine.close

    def closed(keep: confine.Confinement) -> None:
        if not plan.control:
            close(keep)
        if keep.process == process:  # not the connector
            _try_all(plan, code)

    confine.close = closed
    if plan.control:
        confine.restrict = lambda _: None
        scribe.Scribe.take_over = lambda _: None  # type: ignore[method-assign]
    importlib.import_module(PROCESSES[process]).main(load_config(Path(config)))


def _try_all(plan: Plan, code: ctypes.CDLL | None) -> None:
    """Never returns."""
    at = ways.ground_of(plan.ground)
    _say(plan, LOCKS, "; ".join(locks.locks().words))
    if plan.only:
        ways.FOREIGN[plan.only](code)
        _say(plan, plan.only, "open")
        os._exit(0)
    for name, attempt in ways.ATTEMPTS.items():
        if plan.control or not plan.calls:
            _say(plan, name, _apart(lambda way=attempt: way(at)))  # type: ignore[misc]
        else:
            _say(plan, name, _answer(lambda way=attempt: way(at)))  # type: ignore[misc]
    os._exit(0)


def _answer(act: Callable[[], object]) -> str:
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "OSError")
    except Exception as error:  # a test that is broken must not look like a lock
        return f"broken: {error!r}"
    return "open"


def _apart(act: Callable[[], object]) -> str:
    """In a child, so that what works changes nothing for the next."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, _answer(act).encode())
        os._exit(0)
    os.close(writer)
    said = os.read(reader, 300).decode()
    os.close(reader)
    ended = os.waitpid(child, 0)[1]
    return said or ("open" if ended == 0 else f"ended with {ended}")


def _say(plan: Plan, name: str, answer: str) -> None:
    os.write(plan.out, f"{name}\t{answer}\n".encode())


if __name__ == "__main__":
    main()
