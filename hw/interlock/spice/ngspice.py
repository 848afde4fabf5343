"""Run a deck in ngspice's batch mode; what does not converge is an error, no pass."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from interlock.errors import BoardError

LIMIT_S = 120.0  # for one run
FOUND = re.compile(r"^(\w+)\s*=\s*([-+0-9.eE]+)", re.MULTILINE)
FAILED = re.compile(
    r"^\s*(?:Error: )?(?:measure|meas)\b.*\s(\w+)\b.*fail", re.MULTILINE
)
BROKEN = re.compile(
    r"timestep too small|no convergence|singular matrix|iteration limit|aborted|"
    r"fatal|unknown model|can't find|no such vector|syntax error|undefined",
    re.IGNORECASE,
)
ENDED = "ended_at"  # the measurement that says how far a run came


@dataclass(frozen=True, slots=True)
class Run:
    """What a run measured, and its waveforms."""

    figures: dict[str, float]  # by name; what was never reached is not in it
    waves: dict[str, list[float]]  # "time" in seconds, others in volts


def simulate(deck: str, stop_s: float, waves: tuple[str, ...] = ()) -> Run:
    """Run ``deck``, whose control block measures ``ended_at``; raises BoardError."""
    with TemporaryDirectory(prefix="interlock-") as folder:
        path = Path(folder) / "deck.cir"
        path.write_text(deck, "utf-8")
        said = _batch(path)
        figures = {name.lower(): float(value) for name, value in FOUND.findall(said)}
        require_end(said, figures, stop_s)
        drawn = _waves(Path(folder) / "waves.txt", waves) if waves else {}
    return Run(figures, drawn)


def require_end(said: str, figures: dict[str, float], stop_s: float) -> None:
    """Raise BoardError unless the run reached its end."""
    broken = BROKEN.search(said)
    if broken and not broken.group().lower().startswith("measure"):
        raise BoardError(f"ngspice: {_line_of(said, broken.start())}")
    reached = figures.get(ENDED)
    if reached is None:
        raise BoardError("ngspice did not say how far it came: nothing was simulated")
    if reached < stop_s * 0.999:
        raise BoardError(
            f"ngspice stopped at {reached * 1e3:.3f} ms of {stop_s * 1e3:g}: "
            "it did not converge"
        )


def _batch(path: Path) -> str:
    try:
        done = subprocess.run(
            ["ngspice", "-b", path.name],
            cwd=path.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
    except FileNotFoundError:
        raise BoardError("there is no ngspice: apt-get install ngspice") from None
    except subprocess.TimeoutExpired:
        raise BoardError(f"ngspice did not end within {LIMIT_S:g} s") from None
    return done.stdout + done.stderr


def _line_of(said: str, at: int) -> str:
    return said[said.rfind("\n", 0, at) + 1 :].splitlines()[0].strip()


def _waves(path: Path, names: tuple[str, ...]) -> dict[str, list[float]]:
    """The columns that wrdata wrote: the time once, as ``wr_singlescale`` is set."""
    rows = [line.split() for line in path.read_text("utf-8").splitlines() if line]
    columns = list(zip(*rows, strict=True))
    found = {"time": [float(each) for each in columns[0]]}
    for index, name in enumerate(names, 1):
        found[name] = [float(each) for each in columns[index]]
    return found
