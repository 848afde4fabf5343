"""The table of SECURITY.md: which lock alone closes which way out of which process.

python tests/worlds/ways_table.py        measure, and write it into SECURITY.md
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from places import ROOT
from ways import ATTEMPTS
from ways_run import Site, plan, shop

SECURITY = ROOT / "SECURITY.md"
BEGIN, END = "<!-- ways: measured by make confine-all -->\n", "<!-- end of ways -->\n"
PROCESSES = ("vision", "uplink", "vault")
ABIS = range(1, 8)
# What all locks together leave open, on every kernel; SECURITY.md says why.
LEFT_OPEN: dict[str, set[str]] = {
    "vision": {"read another's environment", "read a device"},
    "uplink": {"speak on standard error", "speak on standard output"},
    "vault": {"speak on standard error", "speak on standard output"},
}


def measured(site: Site) -> str:
    """The table, from trying every way with one lock at a time."""
    cells = {each: _closed_by(site, each) for each in PROCESSES}
    lines = ["| way out | vision | uplink | vault |", "|---|---|---|---|"]
    for way in ATTEMPTS:
        said = " | ".join(cells[each][way] or "**open**" for each in PROCESSES)
        lines.append(f"| {way} | {said} |")
    return "\n".join(lines) + "\n"


def _closed_by(site: Site, process: str) -> dict[str, str]:
    """By way: H, S, R, L with the first ABI that closes it, each alone; or nothing."""
    plain = site.tried(process, plan(abi=0, room=False, calls=False))
    calls = site.tried(process, plan(abi=0, room=False))
    room = site.tried(process, plan(abi=0, calls=False))
    files = {
        abi: site.tried(process, plan(abi=abi, room=False, calls=False)) for abi in ABIS
    }
    found = {}
    for way in ATTEMPTS:
        if plain[way] != "open":
            found[way] = "H"
            continue
        words = ["S"] if calls[way] != "open" else []
        words += ["R"] if room[way] != "open" else []
        words += [f"L{abi}" for abi, said in files.items() if said[way] != "open"][:1]
        found[way] = " ".join(words)
    return found


def table_in(text: str) -> str:
    """The table as it stands in SECURITY.md."""
    return text.partition(BEGIN)[2].partition(END)[0]


def cells_in(path: Path) -> dict[str, dict[str, str]]:
    """By way and process: which locks close it alone, such as "S R L1"."""
    rows = [
        line.strip("| \n").split(" | ") for line in table_in(_text(path)).splitlines()
    ]
    return {row[0]: dict(zip(PROCESSES, row[1:], strict=True)) for row in rows[2:]}


def _text(path: Path) -> str:
    return path.read_text("utf-8")


def main() -> None:
    text = SECURITY.read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        table = measured(shop(Path(folder)))
    if BEGIN not in text:
        sys.exit(f"{SECURITY} has no place for the table: {BEGIN.strip()}")
    before, _, rest = text.partition(BEGIN)
    SECURITY.write_text(before + BEGIN + table + END + rest.partition(END)[2], "utf-8")


if __name__ == "__main__":
    main()
