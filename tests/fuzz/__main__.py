"""``python -m tests.fuzz [SECONDS] [NAME ...]``: feed each, keep what broke it.

An input that was found lies in ``tests/fuzz/found/NAME`` afterwards; ``make test``
feeds it again from then on. Exit code: 0 where nothing broke, 1 otherwise.
"""

from __future__ import annotations

import logging
import secrets
import sys
import tempfile
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "worlds"))

from .parsers import PARSERS
from .running import keep, run

SECONDS = 20.0


def main(words: list[str]) -> int:
    """Print a line for each parser, and one for each place that broke."""
    seconds = float(words[0]) if words else SECONDS
    names = words[1:] or list(PARSERS)
    seed, broke = secrets.randbelow(2**32), 0
    logging.disable(logging.CRITICAL)
    print(f"seed {seed}, {seconds:g} s each")
    for name in names:
        with (
            tempfile.TemporaryDirectory(prefix="f-") as folder,
            closing(PARSERS[name](Path(folder))) as parser,
        ):
            report = run(parser, seconds, seed)
        print(
            f"{name:20} {report.inputs:8} inputs, {report.accepted:8} taken, "
            f"{len(report.unhandled)} places broke",
            flush=True,
        )
        for where, data in report.unhandled.items():
            print(f"    {where}\n    kept as {keep(name, data)}")
            broke += 1
    return min(broke, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
