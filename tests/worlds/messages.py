"""One good message of each kind, and a minute from wherever a test wants it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from doorsill.wire import rules
from doorsill.wire.certificate import Certificate
from doorsill.wire.messages import (
    Attributes,
    Health,
    LineInterval,
    Live,
    Message,
    State,
    ZoneInterval,
)

RELEASE: dict[str, Any] = {"firmware": "0.1.0", "model": "ab" * 16, "policy": "cd" * 16}

LINE = LineInterval(
    line=0,
    start=1_800_000_000,
    end=1_800_000_060,
    count_in=3,
    count_out=2,
    total_in=103,
    total_out=99,
    epoch=0xC0FFEE,
    coverage_s=60,
    quality=("dark", "gap"),
    is_historical=False,
    **RELEASE,
)
ZONE = ZoneInterval(
    zone=1,
    start=1_800_000_000,
    end=1_800_000_060,
    visits=12,
    dwell_s=320,
    occupancy_max=4,
    occupancy_mean_milli=1750,
    epoch=7,
    coverage_s=60,
    quality=(),
    is_historical=True,
    **RELEASE,
)
ATTRIBUTES = Attributes(
    line=0,
    start=1_800_000_000,
    end=1_800_010_800,
    people=38,
    age_child=-2,
    age_adult=36,
    age_unknown=6,
    expression_feminine=17,
    expression_masculine=15,
    expression_unknown=3,
    k=10,
    epsilon_micro=250_000,
    is_historical=False,
    **RELEASE,
)
LIVE = Live(
    time=1_800_000_000, epoch=7, lines=({"in": 3, "out": 2},) * 2, quality=("dark",)
)
GAUGES = [
    name
    for _, name, rule in rules.fields_of(Health)
    if isinstance(rule, rules.Whole) and name not in ("schema", "time")
]
HEALTH = Health(
    time=1_800_000_000,
    **dict.fromkeys(GAUGES, 5),
    picture="fresh",
    problems=("reader",),
    locks=("seccomp", "landlock"),
    reader="missing",
    power="good",
    time_synchronised=True,
    temperature_c=51,
    policy_refused=None,
    policy_why="none",
    **RELEASE,
)
STATE = State(state="ready")

CERTIFICATE = Certificate(
    counter=7,
    previous="11" * 32,
    signature_r="22" * 32,
    signature_s="33" * 32,
    signer="44" * 32,
    release="0.1.0",
    firmware="55" * 32,
    policy="cd" * 32,
    boot="11111111-2222-3333-4444-555555555555",
    time_ms=1_800_000_000_000,
    synchronised=True,
    reason="removed",
    medium="memory",
    medium_named="66" * 32,
    medium_bytes=4 << 20,
    methods=("key-destroyed", "overwritten"),
    key="77" * 16,
    blank=True,
    read_back=None,
    swap_bytes=0,
    core_dumps="off",
    journal="none",
    disks=({"kind": 0, "number": 0, "sectors": 4242},),
    lease_opened_ms=1_799_999_000_000,
    lease_closed_ms=1_800_000_000_000,
    lease_card="88" * 32,
    lease_purpose="99" * 32,
    lease_sealed=7,
    lease_sealed_bytes=70_000,
    lease_exported=0,
)

EVERY: tuple[Message, ...] = (LINE, ZONE, ATTRIBUTES, LIVE, HEALTH, STATE, CERTIFICATE)


def line(start: int, **changes: Any) -> LineInterval:
    """A minute from ``start`` on."""
    return replace(LINE, start=start, end=start + 60, **changes)
