"""``make matrix``: at least 200 kinds of recording, each shown and counted twice.

One line for each that differs, a table of what was covered at the end; exit code 1
where anything differs. ``--from N`` goes on with the N-th.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest's pythonpath
sys.path.insert(0, str(Path(__file__).parents[1] / "worlds"))

from matrix.combinations import Combination, all_pairs
from matrix.compare import Compared, compare

LEAST = 208


def main() -> int:
    """Compare all; 1 where anything differs."""
    parser = argparse.ArgumentParser(prog="make matrix", description=__doc__)
    parser.add_argument("--least", type=int, default=LEAST, metavar="N")
    parser.add_argument("--from", type=int, default=0, metavar="N", dest="first")
    args = parser.parse_args()
    chosen = all_pairs(args.least)
    begun = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        results = list(_watched(pool.map(_alone, chosen[args.first :]), chosen))
    wrong = [each for each in results if each.wrong]
    _print_covered(results, time.monotonic() - begun)
    return 1 if wrong else 0


def _alone(it: Combination) -> Compared:
    with TemporaryDirectory(prefix="doorsill-matrix-") as folder:
        return compare(it, Path(folder))


def _watched(
    results: Iterable[Compared], chosen: list[Combination]
) -> Iterable[Compared]:
    console = Console(stderr=True)
    counted = track(results, "comparing", total=len(chosen), console=console)
    for number, each in enumerate(counted):
        if each.wrong:
            console.print(f"{number}: {each.it}: {each.wrong}", highlight=False)
        yield each


def _print_covered(results: list[Compared], seconds: float) -> None:
    table = Table("property", "value", "recordings", "wrong")
    for name in asdict(results[0].it):
        seen = Counter(str(getattr(each.it, name)) for each in results)
        bad = Counter(str(getattr(each.it, name)) for each in results if each.wrong)
        for value, count in sorted(seen.items()):
            table.add_row(name, value, str(count), str(bad[value] or ""))
    console = Console()
    console.print(table)
    wrong = sum(bool(each.wrong) for each in results)
    every = max((e.levels for e in results if not e.it.chroma_resampled), default=0)
    light = max((e.levels for e in results if e.it.chroma_resampled), default=0)
    console.print(
        f"{len(results)} recordings, {sum(e.frames for e in results)} frames in "
        f"{seconds / 60:.1f} min: {wrong} wrong; pixels within {every:.0f} level "
        f"(light within {light:.1f} where colour is resampled)"
    )


if __name__ == "__main__":
    sys.exit(main())
