"""``doorsill check``: all that is wrong with a configuration, at once.

It looks at everything that a start would need: the kernel, the clock, the policy, keys,
certificates, models, camera, reader, folders, and who may read them. It changes
nothing. ``--connect`` goes to the broker as well.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from doorsill.cli import check_connect, check_devices, check_machine, check_papers
from doorsill.config import Config, read_config
from doorsill.device.fault import Fault
from doorsill.errors import DoorsillError
from doorsill.process import locks

LOCKS = "locks that this kernel gives"


def run(args: argparse.Namespace) -> int:
    """Print every fault with its first step; 2 if one is more than a warning."""
    config, problems = read_config(args.config)
    faults = [Fault(each) for each in problems]
    if config is not None:
        faults = list(problems_of(config, datetime.now(UTC)))
        if args.connect:
            faults += check_connect.connect(config)
    for each in faults:
        word = "warning: " if each.warning else ""
        sys.stdout.write(f"{args.config}: {word}{each.says}\n")
        if each.step:
            sys.stdout.write(f"    first: {each.step}\n")
    if config is not None:
        held = ", ".join(locks.probe_locks().words)
        sys.stdout.write(f"{args.config}: {LOCKS}: {held}\n")
    wrong = [each for each in faults if not each.warning]
    if not wrong:
        beside = f" beside {len(faults)} warnings" if faults else ""
        sys.stdout.write(f"{args.config}: nothing is wrong{beside}\n")
    return 2 if wrong else 0


def problems_of(config: Config, now: datetime) -> Iterator[Fault]:
    """Every reason why ``doorsill run`` would not work with ``config``."""
    checks: tuple[Callable[[Config, datetime], Iterator[Fault]], ...] = (
        check_machine.kernel,
        check_machine.time,
        check_papers.the_policy,
        check_papers.key,
        check_papers.certificates,
        check_papers.authorities,
        check_connect.broker,
        check_devices.camera,
        check_devices.model,
        check_devices.consent,
        check_devices.reader,
        check_machine.folders,
        check_machine.permissions,
        check_machine.running,
    )
    said: set[str] = set()
    for check in checks:
        for fault in _all_of(check, config, now):
            if fault.says not in said:  # two parts may find a fault in the same file
                said.add(fault.says)
                yield fault


def _all_of(
    check: Callable[[Config, datetime], Iterator[Fault]], config: Config, now: datetime
) -> Iterator[Fault]:
    try:
        yield from check(config, now)
    except DoorsillError as error:
        yield Fault(str(error))
    except PermissionError as error:
        yield Fault(f"cannot look at {error.filename}: {error.strerror}", "run as root")
