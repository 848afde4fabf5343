"""What is wrong with this device, in a few fixed words. Pure.

    facts (from vision, the broker, the disk, the kernel) ─► problems ─► state
                                                                      ├─► health
                                                                      └─► quality

All these take their answer from here, so that no two of them can differ: the retained
``state``, ``health``, Home Assistant's problem sensor, the flag ``fault`` of an
interval, and ``doorsill status``.
"""

from __future__ import annotations

from dataclasses import dataclass

from doorsill.cells import Picture, Quality
from doorsill.wire.messages import PROBLEMS

SILENT_S = 30.0  # vision sends its running window every 2 s; after this it hangs
START_S = 60.0  # how long vision may take to start before it is a problem
REMEMBER_S = 600.0  # how long a refusal or a takeover stays a problem
DAYS_SOON = 30  # so long before its end a certificate should be renewed
DISK_LEAST_MIB = 16  # less free space is a problem
READER_BAD = ("missing", "no_service")  # words of a reader that are a problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What the uplink measures of the machine that it runs on."""

    locks: tuple[str, ...] = ()  # words of wire.messages.LOCKS
    locked: bool = True  # whether every lock that is needed holds
    policy_obeyed: bool = True  # whether vision obeys the same policy
    policy_expired: bool = False  # whether the last day of the one in force is over
    # SHA-256 of what came by air last, if it was refused, and why: a word of REFUSALS.
    policy_refused: str | None = None
    policy_why: str = "none"
    clock_good: bool = True  # False if the clock is earlier than it can be
    synchronised: bool = False  # whether NTP has set the clock
    certificate_days: int = 9999  # until our certificate ends
    reader: str = "unused"  # a word of wire.messages.READERS
    power: str = "unknown"  # a word of wire.messages.POWERS
    temperature_c: int | None = None  # None without a sensor
    disk_free_mib: int = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the uplink knows at one moment; ages in seconds."""

    device: Device
    running_s: float = 0.0  # since this process began
    vision_heard_s: float | None = None  # since vision's last cell; None if none came
    picture: Picture = Picture.UNKNOWN
    refused_s: float | None = None  # since the broker last refused for good
    taken_over_s: float | None = None  # since another client came with our certificate
    disk_takes: bool = True  # whether the disk did not fail at the last try


def problems_of(facts: Facts) -> tuple[str, ...]:
    """What is wrong, in the words and the order of the wire."""
    device, heard = facts.device, facts.vision_heard_s
    silent = facts.running_s > START_S if heard is None else heard > SILENT_S
    found = {
        "vision": silent,
        "camera": not silent and facts.picture in (Picture.OLD, Picture.NONE),
        "frozen": not silent and facts.picture is Picture.FROZEN,
        "locks": not device.locked,
        "policy": not device.policy_obeyed,
        "expired": device.policy_expired,
        "clock": not device.clock_good,
        "certificate": device.certificate_days < DAYS_SOON,
        "access": _lately(facts.refused_s),
        "takeover": _lately(facts.taken_over_s),
        "reader": device.reader in READER_BAD,
        "vault": device.reader == "unknown" and facts.running_s > START_S,
        "disk": not facts.disk_takes or device.disk_free_mib < DISK_LEAST_MIB,
        "power": device.power in ("throttled", "under_voltage"),
    }
    return tuple(word for word in PROBLEMS if found[word])


def flag_fault(quality: Quality, problems: tuple[str, ...]) -> Quality:
    """``quality`` from vision, with ``fault`` if the uplink knows of a problem."""
    said = quality & ~Quality.FAULT  # vision must not set it
    return said | Quality.FAULT if problems else said


def _lately(since_s: float | None) -> bool:
    return since_s is not None and since_s < REMEMBER_S
