"""Contradictions in one blanking certificate, or between two in a row.

Each is signed by the right device, so only its own words can show that it is wrong:
leases are compared with key, medium and time, and each certificate with the one before.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from doorsill.certificates import claims
from doorsill.errors import UntrustedError

SLACK_MS = 60_000  # allowed between two times: a stalled disk, a slewed clock
# The longest that any policy allows; see policy.document.CONSENT_SECONDS_CEILING.
LONGEST_LEASE_MS = 4 * 3600 * 1000
MOST_CROPS = 10_000  # the most in one lease that any policy allows
CROP_LEAST = 8 * 8 * 3 + 28  # sealed bytes of the smallest crop
CROP_MOST = 512 * 512 * 3 + 28  # sealed bytes of the largest crop
NO_LEASE = ("start", "power-back", "new-medium")  # reasons for which nothing was open
VANISHES = ("memory", "sram")  # media that are empty once the process is gone
UNKNOWN_KEY = "0" * 32  # key id after a crash that tore the marker


def check_alone(body: dict[str, Any]) -> None:
    """UntrustedError if a certificate, whose form is right, contradicts itself."""
    leases, key = body["leases"], body["key"]
    if key["destroyed"] and key["id"] is None:
        raise UntrustedError("a key was destroyed that has no name")
    if len(leases) > 1:
        raise UntrustedError(
            f"it tells of {len(leases)} leases; a key lives for one lease alone"
        )
    if not leases and key["id"] is not None and body["reason"] != claims.DIED:
        raise UntrustedError(f"the key {key['id']} was made, but nothing was ever open")
    for lease in leases:
        _check_key(body)
        _check_reason(body, lease)
        _check_time(body, lease)
        _check_crops(body["medium"], lease)


def check_pair(old: dict[str, Any], new: dict[str, Any]) -> None:
    """UntrustedError if ``new`` contradicts ``old``, the certificate before it."""
    _check_clock(old, new)
    _check_medium(old, new)
    for lease in new["leases"]:
        if lease["opened_ms"] < old["time"]["utc_ms"] - SLACK_MS:
            raise UntrustedError(
                f"it was open from {_at(lease['opened_ms'])} on, and the certificate "
                f"before it, of {_at(old['time']['utc_ms'])}, says that it was shut"
            )
    if old["boot"] == new["boot"]:
        _check_writes(old, new)


def clock_went_back(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether the time goes back from ``old`` to ``new``, as when a clock was lost."""
    return bool(new["time"]["utc_ms"] < old["time"]["utc_ms"] - SLACK_MS)


def _check_key(body: dict[str, Any]) -> None:
    if body["key"]["id"] is None:
        raise UntrustedError("it was open, and no key was ever made or destroyed")
    # After a crash the policy may be unreadable as well; the lease was under one.
    if body["policy"] is None and body["reason"] != claims.DIED:
        raise UntrustedError("it was open under no policy at all")
    if body["key"]["id"] == UNKNOWN_KEY:
        raise UntrustedError("the name of its key is not known, but its lease is")


def _check_reason(body: dict[str, Any], lease: dict[str, Any]) -> None:
    if body["reason"] in NO_LEASE:
        raise UntrustedError(
            f"it was blanked because {claims.REASONS[body['reason']]}, and yet it was "
            "open before"
        )
    if lease["reason"] != body["reason"]:
        raise UntrustedError(
            f"its lease ended because {claims.REASONS[lease['reason']]}, and it was "
            f"blanked because {claims.REASONS[body['reason']]}"
        )


def _check_time(body: dict[str, Any], lease: dict[str, Any]) -> None:
    lasted = lease["closed_ms"] - lease["opened_ms"]
    if lasted > LONGEST_LEASE_MS + SLACK_MS:
        raise UntrustedError(
            f"it was open for {lasted / 3_600_000:.1f} hours; no policy allows over 4"
        )
    if body["reason"] == claims.DIED:
        if lasted:
            raise UntrustedError("it died, and yet it knows when its lease ended")
        if body["time"]["source"] == claims.NOT_SYNCHRONISED:
            return  # the clock was lost with the power
    if lease["closed_ms"] > body["time"]["utc_ms"] + SLACK_MS:
        raise UntrustedError(
            f"its lease ended at {_at(lease['closed_ms'])}, after the certificate, "
            f"which is of {_at(body['time']['utc_ms'])}"
        )


def _check_crops(medium: dict[str, Any], lease: dict[str, Any]) -> None:
    count, size = lease["sealed"], lease["sealed_bytes"]
    if lease["reason"] == claims.DIED and (count or size or lease["exported"]):
        raise UntrustedError("it died, and yet it knows how much was sealed")
    if count > MOST_CROPS:
        raise UntrustedError(f"it sealed {count} crops; no policy allows over 10000")
    if size > medium["size"]:
        raise UntrustedError(
            f"it sealed {size} bytes onto a medium of {medium['size']} bytes"
        )
    if not count * CROP_LEAST <= size <= count * CROP_MOST:
        raise UntrustedError(f"{size} bytes cannot be {count} sealed crops")
    if lease["exported"] and not count:
        raise UntrustedError(f"{lease['exported']} crops were exported, none sealed")


def _check_clock(old: dict[str, Any], new: dict[str, Any]) -> None:
    """The time may go back only if a clock was lost, or is set for the first time."""
    if not clock_went_back(old, new):
        return
    known = [each["time"]["source"] == claims.SYNCHRONISED for each in (old, new)]
    if old["boot"] == new["boot"] and known != [False, True]:
        raise UntrustedError(
            f"the time goes back from {_at(old['time']['utc_ms'])} to "
            f"{_at(new['time']['utc_ms'])} within one boot"
        )
    if all(known):
        raise UntrustedError(
            f"the time goes back from {_at(old['time']['utc_ms'])} to "
            f"{_at(new['time']['utc_ms'])}, on a clock that was right both times"
        )


def _check_medium(old: dict[str, Any], new: dict[str, Any]) -> None:
    before, after = old["medium"], new["medium"]
    if before == after:
        return
    if new["reason"] == claims.DIED and before["kind"] not in VANISHES:
        raise UntrustedError(
            f"it died with records on {_named(before)}, and {_named(after)} was "
            "blanked instead"
        )
    if new["reason"] not in ("new-medium", claims.DIED):
        raise UntrustedError(
            f"the medium was {_named(before)} and is {_named(after)}, and no start in "
            "between says so"
        )


def _check_writes(old: dict[str, Any], new: dict[str, Any]) -> None:
    earlier, later = (each["system"]["sectors_written"] for each in (old, new))
    for device, sectors in earlier.items():
        if device not in later:
            raise UntrustedError(
                f"the disk {device} is not named any more within one boot, so what "
                "was written to it cannot be seen"
            )
        if later[device] < sectors:
            raise UntrustedError(
                f"the sectors written to {device} go back from {sectors} to "
                f"{later[device]} within one boot"
            )


def _named(medium: dict[str, Any]) -> str:
    return f"{medium['identity']} ({medium['kind']}, {medium['size']} bytes)"


def _at(utc_ms: int) -> str:
    return f"{datetime.fromtimestamp(utc_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
