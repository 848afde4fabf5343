"""From minutes to messages: what was counted, in the words of the wire. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from doorsill.cells import MINUTE_S, PEOPLE_MOST, STAY_MOST_S, Quality
from doorsill.privacy.threshold import least
from doorsill.uplink.pieces import LineSums, Sums, ZoneSums
from doorsill.uplink.rows import Entry
from doorsill.uplink.tally import Minute
from doorsill.wire import four_bands
from doorsill.wire.codec import encode
from doorsill.wire.gauges import coarse
from doorsill.wire.messages import Attributes, LineInterval, ZoneInterval, quality_words

HISTORICAL_AFTER_S = 300  # a window sent later than this after its end is history
MEAN_STEP_MILLI = 250  # the mean occupancy is reported in quarters of a person


@dataclass(frozen=True, slots=True)
class Release:
    """What runs here; it goes into every interval."""

    firmware: str  # version, as 1.2.3
    model: str  # SHA-256 of the detector, the first 32 hexadecimal digits
    policy: str  # SHA-256 of the signed policy, the first 32 hexadecimal digits


def entries_of(minute: Minute, release: Release, k: int) -> list[Entry]:
    """A closed minute as rows for the outbox, in the order of the policy."""
    return [
        Entry(
            f"{place}:{minute.epoch}:{minute.start}",
            "interval",
            encode(interval_of(minute, place, release, k)),
        )
        for place in minute.sums
    ]


def interval_of(
    minute: Minute, place: str, release: Release, k: int
) -> LineInterval | ZoneInterval:
    """The authoritative record of one place in one minute; it holds no looks."""
    sums, number = minute.sums[place], int(place.split("-")[1])
    if isinstance(sums, LineSums):
        return _line(minute, number, sums, release)
    return _zone(minute, number, sums, release, k)


def quality_of(sums: Sums) -> Quality:
    """The flags of a closed minute; a minute not covered completely has a gap."""
    quality = Quality(sums.quality)
    return quality if _covered_s(sums) >= MINUTE_S else quality | Quality.GAP


def as_of_now(stream: str, payload: bytes, now: float) -> bytes:
    """``payload`` with ``is_historical`` set if it is sent late; ``now`` is UTC s.

    What was stored before an update is spelt as today. Raises UntrustedError.
    """
    message = four_bands.read(stream, payload)
    if not isinstance(message, LineInterval | ZoneInterval | Attributes):
        return payload
    if now - message.end > HISTORICAL_AFTER_S:
        message = replace(message, is_historical=True)
    return encode(message)


def _line(
    minute: Minute, number: int, sums: LineSums, release: Release
) -> LineInterval:
    total_in, total_out = minute.totals[number]
    return LineInterval(
        line=number,
        start=minute.start,
        end=minute.start + MINUTE_S,
        count_in=sums.count_in,
        count_out=sums.count_out,
        total_in=total_in,
        total_out=total_out,
        epoch=minute.epoch,
        coverage_s=_covered_s(sums),
        quality=quality_words(quality_of(sums)),
        is_historical=False,
        firmware=release.firmware,
        model=release.model,
        policy=release.policy,
    )


def _zone(
    minute: Minute, number: int, sums: ZoneSums, release: Release, k: int
) -> ZoneInterval:
    dwell_s, most, mean_milli = _stays(sums, k)
    return ZoneInterval(
        zone=number,
        start=minute.start,
        end=minute.start + MINUTE_S,
        visits=sums.visits,
        dwell_s=dwell_s,
        occupancy_max=most,
        occupancy_mean_milli=mean_milli,
        epoch=minute.epoch,
        coverage_s=_covered_s(sums),
        quality=quality_words(quality_of(sums)),
        is_historical=False,
        firmware=release.firmware,
        model=release.model,
        policy=release.policy,
    )


def _stays(sums: ZoneSums, k: int) -> tuple[int | None, int | None, int | None]:
    """Dwell time, maximum and mean, rounded; None for fewer than k visits.

    One rule for all three, because each one alone would reveal something of the others.
    """
    if sums.visits < least(k):
        return None, None, None
    most = coarse(sums.occupancy_max, PEOPLE_MOST)
    quarters = 4 * sums.presence_ms // max(sums.coverage_ms, 1)
    mean = min(coarse(quarters, 4 * PEOPLE_MOST), 4 * most)
    return coarse(sums.dwell_s, STAY_MOST_S), most, MEAN_STEP_MILLI * mean


def _covered_s(sums: Sums) -> int:
    return round(sums.coverage_ms / 1000)
