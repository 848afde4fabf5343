"""How soon nothing more is accepted: ``python -m tests.bench.vault_latency [PULLS]``.

The real vault process and the real pcscd with a virtual reader. Three spans:
seen    the card's removal is reported by pcscd, until the vault has destroyed its key
pulled  the card leaves the virtual reader, until vision may hand over nothing more;
        pcscd looks at a virtual reader every 0.4 s, a USB reader tells at once
killed  pcscd is killed (kill -9), until vision may hand over nothing more
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from vault_process import VaultProcess

KILLS = 20


def measure(pulls: int) -> dict[str, list[float]]:
    spans: dict[str, list[float]] = {"seen": [], "pulled": [], "killed": []}
    with (
        tempfile.TemporaryDirectory(prefix="ds-") as folder,
        VaultProcess(Path(folder)) as site,
    ):
        site.start()
        for _ in range(pulls):
            spans["pulled"].append(until_shut(site, site.stage.pull))
            seen = site.status()["shut_after_us"]
            if site.status()["last_reason"] == "removed":
                spans["seen"] += [each / 1e6 for each in seen]
        for _ in range(min(KILLS, pulls)):
            spans["killed"].append(until_shut(site, site.stage.daemon.kill))
            site.stage.daemon.start()
        site.stop()
        assert site.chain()[-1].body["reason"] == "shutdown"
    return spans


def until_shut(site: VaultProcess, act: Callable[[], None]) -> float:
    """Open it, do ``act``, and give the seconds until vision is refused for good."""
    site.stage.insert()
    site.until_open()
    site.until(lambda: site.offer() and site.vision.open)
    began = time.monotonic()
    act()
    while site.vision.open:
        site.offer()
        time.sleep(0.0005)
    span = time.monotonic() - began
    site.until_blank()
    return span


def row(name: str, values: list[float]) -> str:
    """One line of the table, in ms."""
    cuts = statistics.quantiles(values, n=100)
    figures = (min(values), cuts[49], cuts[89], cuts[98], max(values))
    cells = "".join(f"{each * 1e3:10.1f}" for each in figures)
    return f"{name:8}{len(values):6}{cells}\n"


def main() -> None:
    pulls = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    spans = measure(pulls)
    heads = "".join(f"{each:>10}" for each in ("min", "p50", "p90", "p99", "max"))
    sys.stdout.write(f"{'span':8}{'n':>6}{heads}  ms\n")
    for name, values in spans.items():
        sys.stdout.write(row(name, values))


if __name__ == "__main__":
    main()
