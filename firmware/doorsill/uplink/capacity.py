"""How much a vision process under an attacker's control could hide in the messages.

Every number follows from the rules that the uplink enforces on vision: the bounds of
``pieces``, the rounding of ``reports`` and ``gauges``, the moments of ``pace``. For
each stream it is the binary logarithm of how many different things could be sent in one
minute, with presence, order and the second of sending. ``SECURITY.md`` states the sum;
``tests/uplink/test_capacity.py`` compares the two and lets a hostile vision try.

    python -m doorsill.uplink.capacity          the table

What one line can say in a minute, field by field:

* ``in`` and ``out``: any two whole numbers with a sum of CROSSINGS_MOST or less.
* ``coverage_s`` 0..60; ``gap`` follows from it, and ``fault`` from the state. Eight
  more flags.
* ``start``, ``end``, ``epoch``, totals, release: the uplink's own. A minute is reported
  once and in order, so a missing minute is one more value and nothing else.
* A certificate of the vault: how much was sealed, when the lease ended and whether by a
  limit, when it was signed, and what was written to disks meanwhile. It takes two
  moments of the gauges, so it can be said in their place and not beside them.
* The moment: one second of each minute. Vision can only be late by whole minutes, and n
  minutes can come late in fewer than 4**n ways: 2 bits.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import comb, log2

from doorsill.cells import (
    CROSSINGS_MOST,
    MINUTE_S,
    PEOPLE_MOST,
    STAY_MOST_S,
    Age,
    Expression,
    Quality,
)
from doorsill.privacy.floors import K_FLOOR, SLOT_S
from doorsill.uplink.courier import MOMENTS
from doorsill.uplink.pace import Pace
from doorsill.uplink.retained import FROM_VISION
from doorsill.uplink.sight import SIGHTS
from doorsill.wire.certificate import CROPS_MOST, LARGEST_MEDIUM
from doorsill.wire.gauges import (
    DEGREES_MOST,
    DEGREES_STEP,
    FRAME_RATE_MOST,
    FRAME_RATE_STEP,
    KIB_MOST,
    coarse,
    levels,
)
from doorsill.wire.messages import POWERS

LATENESS_BITS = 2.0  # a minute: log2 of 4, see above
LEASE_MOST_MS = 4 * 3600 * 1000  # the longest that any policy allows
SECTORS_MOST = 1 << 20  # of 512 bytes that vision can cause to be written in a lease
ENDS = 3  # of a lease that vision can choose: a limit, a full medium, or none of them
FLAGS = len(Quality) - 2  # all except gap and fault, which are the uplink's own


@dataclass(frozen=True, slots=True)
class Share:
    """One part of what can be said in a minute."""

    name: str
    bits: float


def line_bits() -> float:
    """One window of a line."""
    counts = comb(CROSSINGS_MOST + 2, 2)
    return log2(counts * (MINUTE_S + 1) * 2**FLAGS + 1)


def zone_bits(k: int = K_FLOOR) -> float:
    """One window of a zone; the values on stays are there from k visits on."""
    stays = levels(STAY_MOST_S) * _occupancies()
    visits = k + (CROSSINGS_MOST + 1 - k) * stays
    return log2(visits * (MINUTE_S + 1) * 2**FLAGS + 1)


def _occupancies() -> int:
    """How many pairs of a maximum and a mean there are, the mean not above it."""
    maxima = {coarse(most, PEOPLE_MOST) for most in range(PEOPLE_MOST + 1)}
    means = {coarse(mean, 4 * PEOPLE_MOST) for mean in range(4 * PEOPLE_MOST + 1)}
    return sum(mean <= 4 * most for most in maxima for mean in means)


def attributes_bits() -> float:
    """The reports with attributes of one line, without the noise that they carry."""
    people = CROSSINGS_MOST * SLOT_S // MINUTE_S
    cells = comb(people + len(Age), len(Age)) * comb(
        people + len(Expression), len(Expression)
    )
    return log2(cells + 1) * MINUTE_S / SLOT_S


def state_bits(pace: Pace) -> float:
    """State, picture and problems: a change at one of a few moments, or none."""
    moments = max(1.0, pace.state_rest_s / pace.state_s)
    return log2(1 + moments * (SIGHTS - 1)) * MINUTE_S / pace.state_rest_s


def gauges_bits(pace: Pace) -> float:
    """What vision says of itself in ``health``, and the heat that it can make."""
    bits = log2(FRAME_RATE_MOST // FRAME_RATE_STEP + 1)
    bits += log2(levels(KIB_MOST))  # the uplink's own memory
    bits += log2(DEGREES_MOST // DEGREES_STEP + 2)  # or no sensor
    bits += log2(len(POWERS))
    bits += sum(log2(levels(most)) for most in FROM_VISION.values())
    return bits * MINUTE_S / pace.gauges_s


def one_certificate_bits() -> float:
    """What vision can change in one certificate, all of it as if it were free."""
    times = 2 * log2(LEASE_MOST_MS)  # the end of the lease, the signature
    sealed = log2(CROPS_MOST + 1) + log2(LARGEST_MEDIUM + 1)
    return times + sealed + log2(ENDS) + log2(SECTORS_MOST + 1)


def certificate_bits(pace: Pace) -> float:
    """What certificates add to the gauges, whose moments they take.

    With x bits a moment, sequences of gauges (g bits, one moment) and certificates (c
    bits, two) grow as 2**x where 2**(g - x) + 2**(c - 2x) is 1.
    """
    moment_min = pace.gauges_s / MINUTE_S
    gauges, certificate = gauges_bits(pace) * moment_min, one_certificate_bits()
    low, high = gauges, gauges + certificate
    for _ in range(100):
        middle = (low + high) / 2
        more = 2 ** (gauges - middle) + 2 ** (certificate - MOMENTS * middle) > 1
        low, high = (middle, high) if more else (low, middle)
    return (high - gauges) / moment_min


def live_bits(pace: Pace) -> float:
    """What ``live`` says of one line beyond ``interval``: when in a minute counts came.

    At the usual pace nothing: then it is the sum of the windows, sent with them.
    """
    if pace.live_s >= pace.minute_s:
        return 0.0
    moments = int(MINUTE_S / pace.live_s)
    return log2(comb(CROSSINGS_MOST + 2 * moments, 2 * moments))


def shares_of(kind: str, pace: Pace) -> list[Share]:
    """What a device with one place, a ``line`` or a ``zone``, can say in a minute."""
    if kind == "line":
        own = [
            Share("interval", line_bits()),
            Share("attributes", attributes_bits()),
            Share("live", live_bits(pace)),
        ]
    else:
        own = [Share("interval", zone_bits())]
    return [
        *own,
        Share("second of sending", LATENESS_BITS),
        Share("state", state_bits(pace)),
        Share("health", gauges_bits(pace)),
        Share("certificate", certificate_bits(pace)),
    ]


def bits_of(kind: str, pace: Pace) -> float:
    """All of it; a device with more places has less for each."""
    return sum(share.bits for share in shares_of(kind, pace))


def table() -> str:
    """The numbers of SECURITY.md."""
    rows = [
        "| stream | bits a line and minute | bits a zone and minute |",
        "|---|---|---|",
    ]
    usual = Pace()
    lines = {each.name: each.bits for each in shares_of("line", usual)}
    zones = {each.name: each.bits for each in shares_of("zone", usual)}
    for name in lines:
        rows.append(f"| {name} | {lines[name]:.1f} | {zones.get(name, 0):.1f} |")
    both = bits_of("line", usual), bits_of("zone", usual)
    rows.append(f"| all | **{both[0]:.1f}** | **{both[1]:.1f}** |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
