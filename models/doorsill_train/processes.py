"""Share seeds out to processes; one that a signal ends starts again."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from multiprocessing import Process

TRIES = 5


def in_processes(
    work: Callable[[argparse.Namespace, list[int]], None],
    args: argparse.Namespace,
    seeds: list[int],
) -> None:
    """``work`` on all seeds in ``args.jobs`` processes; it passes over what is written.

    The software renderer dies of a segfault in about one of a hundred worlds, and the
    same world goes well again: what such a process had is shared out again, ``TRIES``
    times in all. SystemExit when one stops for another reason, or too often.
    """
    for left in reversed(range(TRIES)):
        shares = [seeds[i :: args.jobs] for i in range(args.jobs)]
        jobs = [Process(target=work, args=(args, share)) for share in shares]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        rows = list(zip(jobs, shares, strict=True))
        if not any(job.exitcode for job in jobs):
            return
        if left == 0 or any((job.exitcode or 0) > 0 for job in jobs):
            raise SystemExit("a renderer stopped early; run the same command again")
        seeds = [seed for job, share in rows if job.exitcode for seed in share]
        print("a signal ended a renderer: what it had is shared out again", flush=True)
