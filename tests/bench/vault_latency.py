"""How soon nothing more is accepted: ``python -m tests.bench.vault_latency [PULLS]``.

The real vault process and the real pcscd with a virtual reader. Four spans:
seen      the card's removal is reported by pcscd, until the vault has destroyed its key
pulled    the card leaves the virtual reader, until vision may hand over nothing more;
          pcscd looks at a virtual reader every 0.4 s, a USB reader tells at once
unplugged the reader's driver says that there is no such device and pcscd removes it,
          as a USB reader that is unplugged, until vision may hand over nothing more
killed    pcscd is killed (kill -9), until vision may hand over nothing more
"""

import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "worlds"))

from unplugging import Cable
from vault_process import Shut, VaultProcess

from doorsill.consent.reasons import WORDS, Reason

LOSSES = 20  # readers unplugged, and daemons killed


def measure(pulls: int) -> dict[str, list[float]]:
    names = ("seen", "pulled", "unplugged", "killed")
    spans: dict[str, list[float]] = {name: [] for name in names}
    with (
        tempfile.TemporaryDirectory(prefix="ds-") as folder,
        tempfile.TemporaryDirectory() as built,
    ):
        cable = Cable(Path(built))
        with VaultProcess(Path(folder), library=cable.library) as site:
            site.start()
            for _ in range(pulls):
                spans["pulled"].append(site.until_shut(site.stage.pull).by)
                if site.status()["last_reason"] == "removed":
                    seen = site.status()["shut_after_us"]
                    spans["seen"] += [each / 1e6 for each in seen]
            for _ in range(min(LOSSES, pulls)):
                spans["unplugged"].append(unplug(site, cable).by)
            for _ in range(min(LOSSES, pulls)):
                spans["killed"].append(site.until_shut(site.stage.daemon.kill).by)
                site.stage.daemon.start()
            site.stop()
            assert site.chain()[-1].body["reason"] == "shutdown"
    return spans


def unplug(site: VaultProcess, cable: Cable) -> Shut:
    """Unplug the reader with the card in it, and plug it in again, empty."""
    shut = site.until_shut(lambda: cable.pull(site.stage.daemon))
    words = (WORDS[Reason.READER_GONE], WORDS[Reason.REMOVED])
    site.until(lambda: site.status()["last_card"] in words)  # pcscd is done with it
    site.stage.pull()
    cable.plug_in(site.stage.daemon)
    return shut


def row(name: str, values: list[float]) -> str:
    """One line of the table, in ms."""
    cuts = statistics.quantiles(values, n=100)
    figures = (min(values), cuts[49], cuts[89], cuts[98], max(values))
    cells = "".join(f"{each * 1e3:10.1f}" for each in figures)
    return f"{name:10}{len(values):6}{cells}\n"


def main() -> None:
    pulls = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    spans = measure(pulls)
    heads = "".join(f"{each:>10}" for each in ("min", "p50", "p90", "p99", "max"))
    sys.stdout.write(f"{'span':10}{'n':>6}{heads}  ms\n")
    for name, values in spans.items():
        sys.stdout.write(row(name, values))


if __name__ == "__main__":
    main()
