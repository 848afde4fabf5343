"""What `doorsill count` is asked for: lines on the command line, or a policy's."""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from doorsill.drivers.decoding import LEAST_RATE, MOST_RATE
from doorsill.errors import ConfigError
from doorsill.policy import Policy, is_open
from doorsill.policy_draft import preview
from doorsill.policy_file import read_unverified

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Places:
    """Where to count: lines and zones with their names, and where nobody counts."""

    lines: list[tuple[Point, ...]]
    line_names: list[str]
    zones: list[tuple[Point, ...]] = field(default_factory=list)
    zone_names: list[str] = field(default_factory=list)
    exclude: list[tuple[Point, ...]] = field(default_factory=list)
    policy: Policy | None = None


def places_of(args: argparse.Namespace) -> Places:
    """The lines of ``--line``, or all that ``--policy`` says; ConfigError for both."""
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
    """A draft or a signed policy, whose signature is not asked for: none is applied."""
    return read_unverified(path, preview)


def hours_of(
    policy: Policy | None, starts: datetime | None
) -> Callable[[float], bool] | None:
    """Whether the shop is open so many seconds into the recording; None: always.

    ``starts`` is when the recording begins, with its offset from UTC.
    """
    if policy is None or not policy.hours or starts is None:
        return None
    begins = starts.timestamp()
    return lambda seconds: is_open(policy, begins + seconds)


def line_argument(text: str) -> tuple[Point, ...]:
    """``X0,Y0,X1,Y1[,…]`` as points, or a sentence on what is wrong."""
    try:
        numbers = [float(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) < 4 or len(numbers) % 2:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be X0,Y0,X1,Y1, such as 0.5,0,0.5,1"
        )
    if not all(0.0 <= number <= 1.0 for number in numbers):
        raise argparse.ArgumentTypeError(
            f"{text!r} lies outside the picture; x and y go from 0 to 1"
        )
    points = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if any(a == b for a, b in itertools.pairwise(points)):
        raise argparse.ArgumentTypeError(f"{text!r} has a stretch of no length")
    return points


def seconds_argument(text: str) -> float:
    """A length of time, or a sentence on what is wrong."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a number of seconds above 0"
        )
    return seconds


def rate_argument(text: str) -> float:
    """Frames a second, or a sentence on what is wrong."""
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be {LEAST_RATE:g} to {MOST_RATE:g} frames a second"
        )
    return rate


def start_argument(text: str) -> datetime:
    """A moment with its offset from UTC, or a sentence on what is wrong."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a time with its offset, such as 2026-11-23T09:00+01:00"
        )
    return moment
