"""How soon nothing more is accepted, on the real card stack, as rows of the table."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from bench.rows import Row
from bench.vault_latency import measure

PULLS = 100
SEEN_MS, LOST_MS = 100.0, 1500.0  # promise P4
LOOK_MS = 400.0  # pcscd looks at a virtual reader this often; a USB reader tells


def rows(pulls: int = PULLS) -> Iterable[Row]:
    """``pulls`` cards pulled, up to 20 readers and daemons lost: a whole vault."""
    spans = measure(pulls)
    for name, words, most in (
        ("seen", "consent: removal reported -> key destroyed, nothing taken", SEEN_MS),
        (
            "pulled",
            "consent: card out of the reader -> nothing taken",
            SEEN_MS + LOOK_MS,
        ),
        (
            "unplugged",
            "consent: reader unplugged, card in it -> nothing taken",
            LOST_MS,
        ),
        ("killed", "consent: pcscd killed -> nothing taken", LOST_MS),
    ):
        values = sorted(each * 1e3 for each in spans[name])
        last = statistics.quantiles(values, n=100)[98]
        yield Row(
            words,
            f"n {len(values)}: median {statistics.median(values):.1f} ms, "
            f"p99 {last:.1f} ms, worst {values[-1]:.1f} ms",
            target=f"p99 <= {most:.0f} ms"
            + (f", of which pcscd's look {LOOK_MS:.0f}" if name == "pulled" else ""),
            ok=last <= most,
        )
