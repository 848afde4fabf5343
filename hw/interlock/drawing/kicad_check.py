"""KiCad judges its file: its rules, its drawing, and its netlist against ours."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from interlock.errors import BoardError
from interlock.netlist import Board

PROGRAM = "kicad-cli"
LIMIT_S = 120.0
VIOLATED = 5  # its exit code
NET = re.compile(r'\(net\s+\(code "\d+"\)\s+\(name "([^"]*)"\)')
NODE = re.compile(r'\(node\s+\(ref "([^"]+)"\)\s+\(pin "([^"]+)"\)')
Nets = frozenset[frozenset[tuple[str, str]]]


def is_there() -> bool:
    """Whether KiCad is installed."""
    return shutil.which(PROGRAM) is not None


def check(board: Board, schematic: Path, out: Path) -> None:
    """Its electrical rules, its drawing, and its netlist; raises BoardError."""
    report = out / "kicad-erc.txt"
    rules = ["--exit-code-violations", "--severity-error", "-o", str(report)]
    code = run("sch", "erc", *rules, str(schematic))
    if code:
        says = report.read_text("utf-8") if report.exists() else f"exit code {code}"
        raise BoardError(f"KiCad's rules: {says}")
    _must("sch", "export", "svg", "-o", str(out / "kicad"), str(schematic))
    netlist = out / "kicad.net"
    _must("sch", "export", "netlist", "-o", str(netlist), str(schematic))
    require_same(netlist.read_text("utf-8"), board)


def run(*words: str) -> int:
    """Run KiCad; gives its exit code. Raises BoardError where it is not there."""
    try:
        return subprocess.run(
            [PROGRAM, *words],
            capture_output=True,
            check=False,
            timeout=LIMIT_S,
        ).returncode
    except FileNotFoundError:
        raise BoardError(f"there is no {PROGRAM}: make hw KICAD=1") from None


def _must(*words: str) -> None:
    if code := run(*words):
        raise BoardError(f"{PROGRAM} {' '.join(words[:3])} ended with {code}")


def require_same(netlist: str, board: Board) -> None:
    """Raise BoardError unless KiCad joins the same pins as we do."""
    theirs, ours = nets_of(netlist), _ours(board)
    if theirs != ours:
        apart = sorted(" ".join(map(".".join, sorted(net))) for net in theirs ^ ours)
        raise BoardError(f"KiCad joins other pins than the board: {'; '.join(apart)}")


def nets_of(netlist: str) -> Nets:
    """The nets of two pins and more, as pins by number."""
    starts = [found.start() for found in NET.finditer(netlist)]
    pieces = [
        netlist[start:end]
        for start, end in zip(starts, [*starts[1:], len(netlist)], strict=True)
    ]
    found = (frozenset(NODE.findall(each)) for each in pieces)
    return frozenset(each for each in found if len(each) > 1)


def _ours(board: Board) -> Nets:
    """Ours with the numbers of the pins."""
    return frozenset(
        frozenset(
            (joint.placed.ref, pin.number)
            for joint in joints
            if (pin := joint.placed.part.pin(joint.pin))
        )
        for joints in board.nets().values()
    )
