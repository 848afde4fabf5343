"""From cells to messages: what vision counted, in the words of the wire. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from doorsill.cells import LineCell, Quality, ZoneCell
from doorsill.uplink.codec import decode, encode
from doorsill.uplink.rows import Entry, Running
from doorsill.uplink.wire import (
    Attributes,
    LineInterval,
    ZoneInterval,
    quality_words,
)

HISTORICAL_AFTER_S = 300  # a window told later than that after its end is history


@dataclass(frozen=True, slots=True)
class Release:
    """What runs here; it goes into every interval."""

    firmware: str  # 1.2.3
    model: str  # SHA-256, the first 32 hexadecimal digits
    policy: str  # the same of the signed policy


def place_of(cell: LineCell | ZoneCell) -> str:
    """``line-0``, ``zone-3``."""
    if isinstance(cell, LineCell):
        return f"line-{cell.line}"
    return f"zone-{cell.zone}"


def event_of(cell: LineCell | ZoneCell) -> str:
    """The same for the same window however often vision sends it, and for no other.

    The start alone does not do: a clock that is set back gives two windows one start.
    """
    if isinstance(cell, LineCell):
        counts = f"{cell.total_in}:{cell.total_out}"
    else:
        counts = f"{cell.visits}:{cell.dwell_s}"
    window = f"{place_of(cell)}:{cell.epoch}:{cell.start}"
    return f"{window}:{counts}:{cell.coverage_ms}"


def interval_of(
    cell: LineCell | ZoneCell, release: Release, k: int
) -> LineInterval | ZoneInterval:
    """The authoritative record of one window; the looks are not in it."""
    if isinstance(cell, LineCell):
        return _line(cell, release)
    return _zone(cell, release, k)


def entry_of(cell: LineCell | ZoneCell, release: Release, k: int) -> Entry:
    """A closed window as a row for the outbox; UntrustedError where it does not fit."""
    payload = encode(interval_of(cell, release, k))
    return Entry(event_of(cell), "interval", payload)


def running_of(cell: LineCell | ZoneCell, release: Release, k: int) -> Running:
    """An open window as what a power cut must not take: counts, no looks."""
    payload = encode(interval_of(cell, release, k))
    return Running(place_of(cell), cell.epoch, cell.start, "interval", payload)


def cut_short(running: Running) -> Entry:
    """A window that never closed, because the power or vision went: with its gap."""
    interval = decode(running.stream, running.payload)
    if not isinstance(interval, LineInterval | ZoneInterval):
        raise TypeError("only a window can be cut short")
    words = {*interval.quality, *quality_words(Quality.GAP)}
    every = quality_words(Quality(sum(Quality)))
    marked = replace(interval, quality=tuple(word for word in every if word in words))
    event = f"cut:{running.place}:{running.epoch}:{running.start}"
    return Entry(event, running.stream, encode(marked))


def as_told_now(stream: str, payload: bytes, now: float) -> bytes:
    """``payload`` with ``is_historical`` set if it is told late; ``now`` is UTC s."""
    message = decode(stream, payload)
    if not isinstance(message, LineInterval | ZoneInterval | Attributes):
        return payload
    if now - message.end <= HISTORICAL_AFTER_S:
        return payload
    return encode(replace(message, is_historical=True))


def _line(cell: LineCell, release: Release) -> LineInterval:
    return LineInterval(
        line=cell.line,
        start=cell.start,
        end=cell.start + cell.duration_s,
        count_in=cell.count_in,
        count_out=cell.count_out,
        total_in=cell.total_in,
        total_out=cell.total_out,
        epoch=cell.epoch,
        coverage_s=cell.coverage_ms // 1000,
        quality=quality_words(cell.quality),
        is_historical=False,
        firmware=release.firmware,
        model=release.model,
        policy=release.policy,
    )


def _zone(cell: ZoneCell, release: Release, k: int) -> ZoneInterval:
    """How long fewer than k stayed is not told: it would be one person's time."""
    return ZoneInterval(
        zone=cell.zone,
        start=cell.start,
        end=cell.start + cell.duration_s,
        visits=cell.visits,
        dwell_s=cell.dwell_s if cell.visits >= k else None,
        occupancy_max=cell.occupancy_max,
        occupancy_mean_milli=cell.occupancy_mean_milli,
        epoch=cell.epoch,
        coverage_s=cell.coverage_ms // 1000,
        quality=quality_words(cell.quality),
        is_historical=False,
        firmware=release.firmware,
        model=release.model,
        policy=release.policy,
    )
