"""Where `doorsill count` counts: lines of the command line, or of a policy."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from doorsill.commandline.options import Point
from doorsill.errors import ConfigError

if TYPE_CHECKING:
    from doorsill.policy.document import Policy


@dataclass(frozen=True, slots=True)
class Places:
    """Where to count: lines and zones with their names, and zones to exclude."""

    lines: list[tuple[Point, ...]]
    line_names: list[str]
    zones: list[tuple[Point, ...]] = field(default_factory=list)
    zone_names: list[str] = field(default_factory=list)
    exclude: list[tuple[Point, ...]] = field(default_factory=list)
    policy: Policy | None = None


def places_of(args: argparse.Namespace) -> Places:
    """The lines of ``--line``, or all that ``--policy`` says; ConfigError for both."""
    if args.starts is not None and args.policy is None:
        raise ConfigError("--starts is for the hours of a policy: give --policy FILE")
    if args.starts is not None and len(args.source) > 1:
        raise ConfigError("--starts is of one recording; count several one by one")
    if args.policy is None:
        if not args.line:
            raise ConfigError(
                "there is nothing to count: give --line X0,Y0,X1,Y1 or --policy FILE"
            )
        names = [str(number + 1) for number in range(len(args.line))]
        return Places(args.line, names)
    if args.line:
        raise ConfigError("give --line or --policy, not both")
    policy = read_policy(args.policy)
    counted = [each for each in policy.zones if each.kind == "count"]
    return Places(
        [each.points for each in policy.lines],
        [each.id for each in policy.lines],
        [each.polygon for each in counted],
        [each.id for each in counted],
        [each.polygon for each in policy.zones if each.kind == "exclude"],
        policy,
    )


def read_policy(path: Path) -> Policy:
    """A draft or a signed policy; its signature is not checked: it is not applied."""
    # They need cryptography, whose import takes a tenth of a second.
    from doorsill.policy.draft import preview
    from doorsill.policy.file import read_unverified

    return read_unverified(path, preview)


def unheeded(policy: Policy | None, starts: datetime | None) -> tuple[str, ...]:
    """What ``policy`` says and the count could not heed, one sentence each."""
    if policy is None or not policy.keeps_hours or starts is not None:
        return ()
    return (
        "the opening hours of the policy are not heeded, since nothing says when the "
        "recording begins: give --starts, such as 2026-11-23T09:00+01:00",
    )


def hours_of(
    policy: Policy | None, starts: datetime | None
) -> Callable[[float], bool] | None:
    """Whether the shop is open so many seconds into the recording; None: always.

    ``starts`` is when the recording begins, with its offset from UTC.
    """
    if policy is None or not policy.keeps_hours or starts is None:
        return None
    from doorsill.policy.hours import is_open

    begins = starts.timestamp()
    return lambda seconds: is_open(policy, begins + seconds)
