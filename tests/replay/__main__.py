"""The case, relived: ``python -m tests.replay [--days N] [--cameras N]``.

22 cameras, 7 shops, January to June, 431,623 visitors: enrolled with vouchers, sent
through a real mosquitto with mutual TLS, kept by two workers, while lines are down, a
camera is stolen, and processes are killed. Stopped, it goes on where it was. Ends with
1 where anything is not so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest's pythonpath
sys.path.insert(0, str(Path(__file__).parents[1] / "worlds"))
from replay.plan import DOORS, FIRST, LAST
from replay.play import Play, Stuck
from rich.console import Console

WHOLE = (LAST - FIRST).days + 1


class OutOfTime(BaseException):
    """Raised wherever the program is, so that nothing on the way keeps it."""


@contextlib.contextmanager
def limit(within_s: float | None) -> Iterator[None]:
    """Raise OutOfTime after so many seconds; the stack of that moment is shown."""

    def ring(number: int, frame: FrameType | None) -> None:
        traceback.print_stack(frame)
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, within_s or 0.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def no_child_left() -> Iterator[None]:
    """OutOfTime may come where a process has begun and nobody has its name yet."""
    try:
        yield
    finally:
        for each in Path("/proc/self/task").glob("*/children"):
            for child in each.read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), signal.SIGKILL)


def main(words: list[str]) -> int:
    """Replay, judge, show."""
    parser = argparse.ArgumentParser(prog="make replay", description=__doc__)
    parser.add_argument("--days", type=int, default=WHOLE, help="from 1 January on")
    parser.add_argument("--cameras", type=int, default=sum(DOORS))
    parser.add_argument("--folder", type=Path, help="where it works and goes on")
    parser.add_argument(
        "--no-film", action="store_true", help="without the camera that is whole"
    )
    parser.add_argument(
        "--within",
        type=float,
        metavar="SECONDS",
        help="give up after so long, and say how far it was",
    )
    args = parser.parse_args(words)
    if not 1 <= args.days <= WHOLE or not 1 <= args.cameras <= sum(DOORS):
        parser.error(f"--days is 1 to {WHOLE}, --cameras 1 to {sum(DOORS)}")
    folder = args.folder or Path("build") / f"replay-{args.days}-{args.cameras}"
    console = Console()
    films = not args.no_film
    play = Play(folder.absolute(), args.cameras, args.days, console, films)
    try:
        with no_child_left(), limit(args.within):
            return play.run()
    except OutOfTime:
        console.print(f"not within {args.within:g} s. {play.standing()}", markup=False)
    except Stuck as error:
        console.print(f"{error}. {play.standing()}", markup=False)
    except KeyboardInterrupt:
        console.print(f"stopped; the same command goes on from {folder}")
        return 130
    console.print(f"the same command goes on from {folder}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
