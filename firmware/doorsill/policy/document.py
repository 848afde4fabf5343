"""What a policy says: its values, and one strict reader of the document's body.

A policy is complete and not below the floors, or it is no policy. The floors are
constants that no file can lower. Attributes stay off unless the policy names the
notice at the door. ``acceptance`` decides which signed document may be in force.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from doorsill.documents.fields import Fields
from doorsill.errors import ConfigError
from doorsill.policy.opening import (
    DAY,
    Holiday,
    OpeningHours,
    day_of,
    holidays_of,
    hours_of,
)
from doorsill.privacy.floors import EPSILON_CEILING_PER_DAY, K_FLOOR

FORMAT = "doorsill-policy/1"
K_CEILING = 1000  # crossings: highest k
LINES_LIMIT, ZONES_LIMIT = 8, 16  # of one policy
POINTS_LIMIT = 32  # of one line or zone
DEVICES_LIMIT = 100  # named in one policy
MODELS_LIMIT = 16  # named in one policy
CONSENT_SECONDS_CEILING = 4 * 3600  # of one session of the vault
CONSENT_BYTES_CEILING = 64 << 20  # of one session of the vault
CONSENT_CROPS_CEILING = 10_000  # of one session of the vault
REVOKED_LIMIT = 1000  # cards
# Between two live messages: by default, at least, at most.
LIVE_SECONDS, LIVE_SECONDS_LEAST, LIVE_SECONDS_MOST = 60, 2, 3600
# What a draft says until a person puts a name in; without a name it is refused.
PLACEHOLDER = "name and address of who is responsible"
# Files in the folder of time zones that are no time zones of a place.
NO_ZONES = re.compile(r"localtime|posixrules|Factory|leapseconds|(posix|right)/.*")

ID = r"[a-z0-9-]{1,16}"
PRINTABLE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]+"
NOTICE = r"[A-Za-z0-9][A-Za-z0-9._/-]*"

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Place:
    """Which device of which site a policy has to be for."""

    site: str
    device: str


@dataclass(frozen=True, slots=True)
class Line:
    """A directed poly-line; IN is from its left to its right."""

    id: str
    points: tuple[Point, ...]  # two or more, x and y in 0..1


@dataclass(frozen=True, slots=True)
class Zone:
    """A polygon: ``count`` counts people in it; in ``exclude`` nobody is counted."""

    id: str
    kind: str  # "count" or "exclude"
    polygon: tuple[Point, ...]  # three or more, x and y in 0..1


@dataclass(frozen=True, slots=True)
class ConsentRules:
    """What the vault may hold, for what, and whose cards open it."""

    purposes: tuple[str, ...]
    ca: str  # SHA-256 of the consent CA's certificate, hexadecimal
    revoked: tuple[str, ...]  # serial numbers of cards, hexadecimal
    max_seconds: int  # of one session
    max_bytes: int
    max_crops: int
    lamp: bool  # whether the vault opens only with a consent lamp that is lit


@dataclass(frozen=True, slots=True)
class Policy:
    """A verified policy; ``digest`` is the SHA-256 of the canonical signed bytes."""

    version: int
    site: str
    devices: tuple[str, ...]  # the devices that it is for; empty: all of the site
    models: tuple[str, ...]  # SHA-256 of the models that may run; empty: ours
    purpose: str  # why people are counted, in words
    controller: str  # name and address of who is responsible
    notice: str | None  # id of the notice at the door
    attributes: bool  # whether age band and gender expression are estimated
    k: int  # crossings: least number in a published group
    epsilon_per_day: float  # privacy budget
    live_seconds: int  # least time between two live messages
    consent: ConsentRules | None
    hours: tuple[OpeningHours, ...]
    holidays: tuple[Holiday, ...]  # by day
    timezone: str
    lines: tuple[Line, ...]
    zones: tuple[Zone, ...]
    expires: date | None  # last day, in ``timezone``, on which it may be put in force
    digest: str

    @property
    def keeps_hours(self) -> bool:
        """Whether the shop is ever closed."""
        return bool(self.hours or self.holidays)


def parse(body: dict[str, Any]) -> Policy:
    """``body`` as a Policy, or one ConfigError that lists every problem."""
    problems: list[str] = []
    table = Fields("policy", body, problems)
    table.text("format", FORMAT, len(FORMAT))
    values: dict[str, Any] = dict(_scalars(table))
    values["hours"] = hours_of(table)
    values["holidays"] = holidays_of(table)
    values["lines"] = tuple(_line(each) for each in table.tables("lines", LINES_LIMIT))
    values["zones"] = tuple(_zone(each) for each in table.tables("zones", ZONES_LIMIT))
    values["consent"] = _consent(table.optional_table("consent"))
    table.end()
    _check_whole(values, table)
    if problems:
        raise ConfigError(*problems)
    from doorsill.documents import canonical  # 12 MB that only a reader shall load

    digest = hashlib.sha256(canonical.encode(body)).hexdigest()
    return Policy(**values, digest=digest)


def has_expired(policy: Policy, utc: float) -> bool:
    """Whether the last day of ``policy`` is over at ``utc`` (s), by its own clock."""
    if policy.expires is None:
        return False
    today = datetime.fromtimestamp(utc, zone_of(policy.timezone)).date()
    return today > policy.expires


def _scalars(table: Fields) -> Iterator[tuple[str, object]]:
    yield "version", table.whole("version", 1, 2**31 - 1)
    yield "site", table.text("site", ID, 16)
    yield "devices", table.texts("devices", ID, DEVICES_LIMIT, absent=True)
    yield "models", table.texts("models", "[0-9a-f]{64}", MODELS_LIMIT, absent=True)
    yield "purpose", table.text("purpose", PRINTABLE, 200)
    yield "controller", table.text("controller", PRINTABLE, 200)
    yield "notice", table.optional_text("notice", NOTICE, 64)
    yield "attributes", table.flag("attributes")
    yield "k", table.whole("k", K_FLOOR, K_CEILING)
    most = EPSILON_CEILING_PER_DAY
    yield "epsilon_per_day", table.number("epsilon_per_day", 0.01, most)
    least, most_s = LIVE_SECONDS_LEAST, LIVE_SECONDS_MOST
    live = table.optional_whole("live_seconds", least, most_s, LIVE_SECONDS)
    yield "live_seconds", live
    yield "expires", day_of(table, "expires", table.optional_text("expires", DAY, 10))
    yield "timezone", table.text("timezone", r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", 40)


def _check_whole(values: dict[str, Any], table: Fields) -> None:
    if values["attributes"] and values["notice"] is None:
        table.note("attributes", "= true needs policy.notice, the id of the notice")
    if not values["lines"] and not values["zones"]:
        table.note("lines", "has nothing to count; give one line or zone at least")
    for name in ("lines", "zones"):
        ids = [each.id for each in values[name]]
        for twice in sorted({each for each in ids if ids.count(each) > 1}):
            table.note(name, f"holds the id {twice} twice")
    if values["controller"].strip().casefold() == PLACEHOLDER:
        table.note("controller", "names nobody yet; put a name and an address in")
    days = [each.day for each in values["holidays"]]
    for twice in sorted({each for each in days if days.count(each) > 1}):
        table.note("holidays", f"holds the day {twice} twice")
    if values["hours"] or values["holidays"] or values["expires"]:
        _check_zone(values["timezone"], table)


def _check_zone(name: str, table: Fields) -> None:
    """Note a time zone that this machine does not know."""
    try:
        zone_of(name)
    except ConfigError as error:
        table.note("timezone", str(error))


def zone_of(name: str) -> tzinfo:
    """The time zone; ConfigError if this machine does not know it."""
    if name in ("UTC", ""):
        return UTC  # needs no database
    try:
        if not NO_ZONES.fullmatch(name):
            return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        if not available_timezones():
            raise ConfigError(
                f"= {name!r}: this machine knows no time zones; install tzdata"
            ) from None
    raise ConfigError(f"= {name!r} is not an IANA timezone of this machine")


def _line(table: Fields) -> Line:
    points = table.points("points", 2, POINTS_LIMIT)
    if any(a == b for a, b in itertools.pairwise(points)):
        table.note("points", "holds a stretch of no length")
    line = Line(table.text("id", ID, 16), points)
    table.end()
    return line


def _zone(table: Fields) -> Zone:
    polygon = table.points("polygon", 3, POINTS_LIMIT)
    if len(polygon) >= 3 and _area(polygon) == 0:
        table.note("polygon", "has no area")
    zone = Zone(
        table.text("id", ID, 16), table.text("kind", "count|exclude", 16), polygon
    )
    table.end()
    return zone


def _area(polygon: tuple[Point, ...]) -> float:
    following = polygon[1:] + polygon[:1]
    return sum(
        a[0] * b[1] - b[0] * a[1] for a, b in zip(polygon, following, strict=True)
    )


def _consent(table: Fields | None) -> ConsentRules | None:
    if table is None:
        return None
    purposes = table.texts("purposes", r"[a-z0-9-]{1,32}", 8)
    if not purposes:
        table.note("purposes", "names no purpose")
    rules = ConsentRules(
        purposes=purposes,
        ca=table.text("ca", "[0-9a-f]{64}", 64),
        revoked=table.texts("revoked", "[0-9a-f]{1,40}", REVOKED_LIMIT),
        max_seconds=table.whole("max_seconds", 1, CONSENT_SECONDS_CEILING),
        max_bytes=table.whole("max_bytes", 4096, CONSENT_BYTES_CEILING),
        max_crops=table.whole("max_crops", 1, CONSENT_CROPS_CEILING),
        lamp=table.flag("lamp", default=False),
    )
    table.end()
    return rules
