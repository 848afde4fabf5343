"""The closed wire schema: everything that a camera can say, and nothing else.

    doorsill/<site>/<device>/interval     LineInterval | ZoneInterval   authoritative
                            /attributes   Attributes                    >= k crossings
                            /live         Live                          retained
                            /health       Health                        retained
                            /state        State                         retained, will
                            /certificate  Certificate                   of the vault
                            /policy       a signed policy               to the device

Whole numbers with bounds, words from a list, short hashes: no field can hold 64 bytes
of anybody's choosing, and ``codec`` gives each message exactly one spelling. Times are
UTC seconds. ``schema.json`` says the same as JSON Schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from doorsill.cells import (
    CROSSINGS_MOST,
    MINUTE_S,
    PEOPLE_MOST,
    STAY_MOST_S,
    Age,
    Expression,
    Picture,
    Quality,
)
from doorsill.wire.certificate import LARGEST_BYTES as CERTIFICATE_LARGEST_BYTES
from doorsill.wire.certificate import Certificate
from doorsill.wire.gauges import (
    FRAME_RATE_MOST,
    FRAMES_MOST,
    KIB_MOST,
    MICROSECONDS_MOST,
    TIMES_MOST,
    WINDOWS_MOST,
)
from doorsill.wire.rules import Flag, OrNull, Pairs, Text, Whole, Word, Words, rule

VERSION = 1  # of this schema
ATTRIBUTES_VERSION = 2  # of ``Attributes``: two age bands; 1 had four
LARGEST_BYTES = 1024  # of a message that is no certificate
LINES_LIMIT, ZONES_LIMIT = 8, 16  # of one device
STREAMS = ("interval", "live", "attributes", "health", "state", "certificate")
CERTIFICATE = "certificate"  # the one stream that the vault makes
POLICY = "policy"  # the one topic that a device reads; the office publishes, retained
POLICY_LARGEST_BYTES = 16_384  # of a signed policy that comes by air
QUALITY_WORDS = tuple(str(flag.name).lower() for flag in Quality)

_VERSION = Whole(VERSION, VERSION)
_ATTRIBUTES_VERSION = Whole(ATTRIBUTES_VERSION, ATTRIBUTES_VERSION)
_TIME = Whole(0, 2**33)  # UTC s, until 2242
_COUNT = Whole(0, CROSSINGS_MOST)  # people in one window
_TOTAL = Whole(0, 999_999_999)  # people since the epoch began
_EPOCH = Whole(0, 2**32 - 1)
_SECONDS = Whole(0, MINUTE_S)
_QUALITY = Words(QUALITY_WORDS)
_RELEASE = Text(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,3}", 24.0)
_HASH = Text(r"[0-9a-f]{32}", 128.0)  # the first half of a SHA-256
_NOISY = Whole(-1_000_000, 1_000_000)  # with noise a cell may be below 0
_GAUGE = Whole(0, 2**32 - 1)
STATES = ("init", "ready", "alert", "sleeping", "disconnected", "lost")

PICTURES = tuple(each.name.lower() for each in Picture)
PROBLEMS = (
    "vision",  # it does not run, or has sent nothing for a while
    "camera",  # it gives no frame
    "frozen",  # it gives the same picture again and again
    "locks",  # a lock of the kernel is missing, and no other replaces it
    "policy",  # vision obeys another policy than the one in force
    "expired",  # the last day of the policy in force is over; it stays in force
    "clock",  # it is earlier than it can be
    "certificate",  # ours ends soon, or has ended
    "access",  # the broker refused what we wrote
    "takeover",  # another client came with our certificate
    "reader",  # no reader, or no way to it
    "vault",  # it does not run
    "disk",  # full, nearly full, or it takes nothing
    "power",  # too little voltage, or throttled by heat
)
LOCKS = (  # of the uplink; a room is a mount namespace of its own
    "seccomp",
    "landlock",
    "room",
    "no_new_privileges",
    "no_new_code",
    "memory_locked",
)
POWERS = ("unknown", "good", "throttled", "under_voltage")
REFUSALS = (  # why the newest policy that came by air is not in force
    "too_large",
    "signature",  # altered, of another signer, or no signed document at all
    "incomplete",  # signed, but a key is missing, unknown or below the floors
    "other_site",
    "other_device",
    "expired",
    "rollback",  # not newer than the one in force
)
READERS = ("unused", "unknown", "ready", "missing", "no_service")


@dataclass(frozen=True, slots=True, kw_only=True)
class LineInterval:
    """One line in one whole minute; its key is (device, line, start, epoch).

    It comes once. ``in`` and ``out`` are exact and may be 1. ``total_in`` and
    ``total_out`` add them up and outlive a restart; a new ``epoch`` begins with a new
    outbox, and where the clock was set back.
    """

    schema: int = rule(_VERSION, default=VERSION)
    kind: str = rule(Word(("line",)), default="line")
    line: int = rule(Whole(0, LINES_LIMIT - 1))
    start: int = rule(_TIME)
    end: int = rule(_TIME)
    count_in: int = rule(_COUNT, "in")
    count_out: int = rule(_COUNT, "out")
    total_in: int = rule(_TOTAL)
    total_out: int = rule(_TOTAL)
    epoch: int = rule(_EPOCH)
    coverage_s: int = rule(_SECONDS)
    quality: tuple[str, ...] = rule(_QUALITY)
    is_historical: bool = rule(Flag())
    firmware: str = rule(_RELEASE)
    model: str = rule(_HASH)
    policy: str = rule(_HASH)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneInterval:
    """One zone in one whole minute; its key is (device, zone, start, epoch).

    ``visits`` counts who left the zone and is exact. ``dwell_s``, ``occupancy_max`` and
    ``occupancy_mean_milli`` are null below k visits, and rounded.
    """

    schema: int = rule(_VERSION, default=VERSION)
    kind: str = rule(Word(("zone",)), default="zone")
    zone: int = rule(Whole(0, ZONES_LIMIT - 1))
    start: int = rule(_TIME)
    end: int = rule(_TIME)
    visits: int = rule(_COUNT)
    dwell_s: int | None = rule(OrNull(Whole(0, STAY_MOST_S)))
    occupancy_max: int | None = rule(OrNull(Whole(0, PEOPLE_MOST)))
    occupancy_mean_milli: int | None = rule(OrNull(Whole(0, 1000 * PEOPLE_MOST)))
    epoch: int = rule(_EPOCH)
    coverage_s: int = rule(_SECONDS)
    quality: tuple[str, ...] = rule(_QUALITY)
    is_historical: bool = rule(Flag())
    firmware: str = rule(_RELEASE)
    model: str = rule(_HASH)
    policy: str = rule(_HASH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """Apparent looks of k crossings or more into the shop over one line, with noise.

    ``people`` is what ``interval`` counts in the span; each cell carries discrete
    Laplace noise of scale 2 / (epsilon_micro / 1e6) and may be negative.
    """

    schema: int = rule(_ATTRIBUTES_VERSION, default=ATTRIBUTES_VERSION)
    line: int = rule(Whole(0, LINES_LIMIT - 1))
    start: int = rule(_TIME)
    end: int = rule(_TIME)
    people: int = rule(_TOTAL)
    age_child: int = rule(_NOISY)
    age_adult: int = rule(_NOISY)
    age_unknown: int = rule(_NOISY)
    expression_feminine: int = rule(_NOISY)
    expression_masculine: int = rule(_NOISY)
    expression_unknown: int = rule(_NOISY)
    k: int = rule(Whole(10, 1000))
    epsilon_micro: int = rule(Whole(1, 2_000_000))
    is_historical: bool = rule(Flag())
    firmware: str = rule(_RELEASE)
    model: str = rule(_HASH)
    policy: str = rule(_HASH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Totals of all closed minutes, one row a line in the order of the policy.

    Once a minute; a policy may ask for it more often, then with the open minute.
    """

    schema: int = rule(_VERSION, default=VERSION)
    time: int = rule(_TIME)
    epoch: int = rule(_EPOCH)
    lines: tuple[dict[str, int], ...] = rule(Pairs(("in", "out"), _TOTAL, LINES_LIMIT))
    quality: tuple[str, ...] = rule(_QUALITY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The health of the device; counters run since the outbox was made."""

    schema: int = rule(_VERSION, default=VERSION)
    time: int = rule(_TIME)
    frames: int = rule(Whole(0, FRAMES_MOST))
    frame_rate_milli: int = rule(Whole(0, FRAME_RATE_MOST))
    invoke_us: int = rule(Whole(0, MICROSECONDS_MOST))
    overhead_us: int = rule(Whole(0, MICROSECONDS_MOST))
    vision_kib: int = rule(Whole(0, KIB_MOST))
    uplink_kib: int = rule(Whole(0, KIB_MOST))
    camera_restarts: int = rule(Whole(0, TIMES_MOST))
    vision_dropped: int = rule(Whole(0, WINDOWS_MOST))  # cells that no uplink came for
    vision_refused: int = rule(
        Whole(0, TIMES_MOST)
    )  # cells that no door could have made
    waiting: int = rule(_GAUGE)  # rows in the outbox
    dropped: int = rule(_GAUGE)  # oldest rows given up because the outbox was full
    dead_letters: int = rule(_GAUGE)  # refused by the broker for good
    refused: int = rule(_GAUGE)  # stopped by our own egress guard
    disk_failures: int = rule(_GAUGE)
    resets: int = rule(_GAUGE)  # a broken outbox was set aside
    reconnects: int = rule(_GAUGE)
    takeovers: int = rule(_GAUGE)  # another client came with our certificate
    epsilon_spent_micro: int = rule(Whole(0, 2_000_000))
    # The picture is one word from vision; the uplink measures all fields after it.
    picture: str = rule(Word(PICTURES))
    problems: tuple[str, ...] = rule(Words(PROBLEMS))
    locks: tuple[str, ...] = rule(Words(LOCKS))
    reader: str = rule(Word(READERS))
    power: str = rule(Word(POWERS))
    time_synchronised: bool = rule(Flag())
    certificate_days: int = rule(Whole(-9999, 9999))  # left; below 0: since it ended
    temperature_c: int | None = rule(OrNull(Whole(-99, 199)))
    disk_free_mib: int = rule(_GAUGE)
    # SHA-256 of the bytes that came by air last, its first half, if they were refused.
    policy_refused: str | None = rule(OrNull(_HASH))
    policy_why: str = rule(Word(("none", *REFUSALS)))
    firmware: str = rule(_RELEASE)
    model: str = rule(_HASH)
    policy: str = rule(_HASH)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The life cycle, in Homie's words; ``lost`` is the last will."""

    schema: int = rule(_VERSION, default=VERSION)
    state: str = rule(Word(STATES))


Message = LineInterval | ZoneInterval | Attributes | Live | Health | State | Certificate
KINDS: dict[str, tuple[type[Any], ...]] = {
    "interval": (LineInterval, ZoneInterval),
    "live": (Live,),
    "attributes": (Attributes,),
    "health": (Health,),
    "state": (State,),
    CERTIFICATE: (Certificate,),
}


def stream_of(message: Message) -> str:
    """The last level of the topic that ``message`` goes out on."""
    return next(name for name, kinds in KINDS.items() if type(message) in kinds)


def largest_bytes(stream: str) -> int:
    """The most bytes of a message of ``stream``."""
    return CERTIFICATE_LARGEST_BYTES if stream == CERTIFICATE else LARGEST_BYTES


def client(site: str, device: str) -> str:
    """<site>_<device>: our name in the certificate, at the broker, in Home Assistant.

    Neither half holds an underscore, so no two devices of two sites have one name.
    """
    return f"{site}_{device}"


def topic(site: str, device: str, stream: str) -> str:
    """doorsill/<site>/<device>/<stream>."""
    return f"doorsill/{site}/{device}/{stream}"


def quality_words(quality: Quality) -> tuple[str, ...]:
    """The flags as words, in their fixed order."""
    return tuple(str(flag.name).lower() for flag in Quality if flag in quality)


def age_cells(counts: tuple[int, ...]) -> dict[str, int]:
    """The three cells of the age histogram by their names on the wire."""
    return {f"age_{age.name.lower()}": counts[age] for age in Age}


def expression_cells(counts: tuple[int, ...]) -> dict[str, int]:
    """The three cells of the expression histogram by their names on the wire."""
    return {f"expression_{each.name.lower()}": counts[each] for each in Expression}
