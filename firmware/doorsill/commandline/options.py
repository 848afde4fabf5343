"""Options that more than one command has, and the kinds of value that are ours."""

from __future__ import annotations

import argparse
import itertools
import math
import zoneinfo
from datetime import UTC, datetime
from pathlib import Path

from doorsill.config import INSTALLED

Point = tuple[float, float]

MOST_THREADS = 64  # for the model's runtime
RUNTIMES = ("litert", "tflite-runtime")  # the first is the default
LEAST_RATE, MOST_RATE = 0.5, 480.0  # frames a second that a recording may have


def add_config(parser: argparse.ArgumentParser) -> None:
    """``--config FILE`` for a command about one camera."""
    parser.add_argument(
        "--config",
        type=Path,
        default=INSTALLED,
        metavar="FILE",
        help="the configuration of this camera",
    )


def add_reader(parser: argparse.ArgumentParser) -> None:
    """``--reader NAME`` for a command that needs a card."""
    parser.add_argument(
        "--reader",
        default="",
        metavar="NAME",
        help="part of the card reader's name (default: any reader)",
    )


def add_line(parser: argparse.ArgumentParser, words: str) -> None:
    """``--line X0,Y0,X1,Y1``, once for each line."""
    parser.add_argument(
        "--line",
        type=line_argument,
        action="append",
        default=[],
        metavar="X0,Y0,X1,Y1",
        help=words,
    )


def add_delegate(parser: argparse.ArgumentParser) -> None:
    """``--delegate LIBRARY`` for a command that runs a model."""
    parser.add_argument(
        "--delegate",
        default="",
        metavar="LIBRARY",
        help="of an accelerator, such as libedgetpu.so.1",
    )


def add_management_key(parser: argparse.ArgumentParser) -> None:
    """``--management-key FILE`` for a command that writes to a card."""
    parser.add_argument(
        "--management-key",
        type=Path,
        metavar="FILE",
        help="the card's 9B key in hexadecimal (default: the factory's)",
    )


def line_argument(text: str) -> tuple[Point, ...]:
    """``X0,Y0,X1,Y1[,…]`` as points, or an error that says what is wrong."""
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
    """A length of time, or an error that says what is wrong."""
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
    """Frames a second, or an error that says what is wrong."""
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
    """A moment with its offset from UTC, or an error that says what is wrong."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a time with its offset, such as 2026-11-23T09:00+01:00"
        )
    return moment


def day_argument(text: str) -> datetime:
    """The beginning of a day in UTC, or an error that says what is wrong."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a date as 2027-01-31"
        ) from None


def zone_argument(text: str) -> str:
    """A time zone that this system knows, or an error that says what is wrong.

    A system without any table of zones accepts every name.
    """
    try:
        known = text == "UTC" or bool(zoneinfo.ZoneInfo(text).key)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = not zoneinfo.available_timezones()
    if not known:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time zone, such as Europe/Lisbon"
        )
    return text
