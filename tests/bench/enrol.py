"""One camera, from its voucher to its first row in the store, over and over again.

All is as a person types it: `init`, `serve` with its own mosquitto, `receive --store`,
then for each try `doorsill enrol` with a voucher and `doorsill run` with the simulated
street, whole: vision, uplink and all. The clock starts when the voucher is handed over
and stops when the row is in the store. A window closes on the minute, so a try takes
up to a minute more than enrolment and start do. The tries begin evenly spread over the
minute: one after the other they would all begin where the last row came in.
"""

from __future__ import annotations

import csv
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.rows import Row
from limits import END_S, PROGRAM_S, wait_until

from doorsill.enrolment.configuration import FIRST
from doorsill_fleet.cli.store import opened
from doorsill_fleet.demo.fleet import MODULES, PAGE, READY, Demo
from doorsill_fleet.store.queries import seen

TRIES = 20
MEDIAN_S, WORST_S = 60.0, 90.0
MINUTE_S = 60.0  # in which a window closes
GIVEN_UP_S = 300.0  # for one try
OWN = '[device]\nstate = "state"\nrun = "run"'  # beside the configuration


def rows(tries: int = TRIES) -> Row:
    """``tries`` cameras, one after the other."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        office = Path(folder)
        _open(Demo(office, tries), running)
        with (office / "vouchers.csv").open(newline="") as file:
            given = list(csv.DictReader(file))
        took = []
        for number, each in enumerate(given):
            _wait_for(MINUTE_S * number / tries)
            took.append(_try(office, each["device"], each["voucher"]))
    median, worst = statistics.median(took), max(took)
    return Row(
        f"enrolment: from a voucher to the first row in the store, {tries} tries",
        f"median {median:.0f} s, worst {worst:.0f} s, best {min(took):.0f} s",
        {},
        f"median <= {MEDIAN_S:g} s, worst <= {WORST_S:g} s",
        median <= MEDIAN_S and worst <= WORST_S,
    )


def _open(demo: Demo, running: ExitStack) -> None:
    """The office as the README's page opens it; server and receiver run beside."""
    for line in PAGE[: next(n for n, each in enumerate(PAGE) if "simulate" in each)]:
        words = demo.words(line)
        command = [sys.executable, "-m", MODULES[words[0]], *words[1:]]
        if line.endswith("&"):
            said = running.enter_context(_beside(command, demo.folder, words[1]))
            wait_until(lambda said=said, of=words[1]: READY[of] in said.read_text())
        else:
            subprocess.run(command, cwd=demo.folder, check=True, timeout=PROGRAM_S,
                           stdout=subprocess.DEVNULL)  # fmt: skip


def _wait_for(second: float) -> None:
    """Until ``second`` of a minute."""
    time.sleep((second - time.time()) % MINUTE_S)


def _try(office: Path, device: str, voucher: str) -> float:
    """Seconds from the voucher to the row of this camera."""
    camera = office / device
    camera.mkdir()
    text = FIRST.replace("[device]", OWN).replace('driver = ""', 'driver = "street"')
    (camera / "doorsill.toml").write_text(text)
    (camera / "voucher.txt").write_text(voucher)
    ours = [sys.executable, "-m", "doorsill"]
    begun = time.monotonic()
    enrol = [*ours, "enrol", "--voucher", "voucher.txt", "--to", "."]
    subprocess.run(enrol, cwd=camera, check=True, timeout=PROGRAM_S,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    command = [*ours, "run", "--config", "doorsill.toml"]
    with _beside(command, camera, "run") as said:
        wait_until(lambda: _is_kept(office, device), said.read_text, GIVEN_UP_S)
        return time.monotonic() - begun


def _is_kept(office: Path, device: str) -> bool:
    with opened(str(office / "visitors.db")) as engine:
        return any(
            name == device and each.newest > 0
            for (_, name), each in seen(engine).items()
        )


@contextmanager
def _beside(command: list[str], folder: Path, name: str) -> Iterator[Path]:
    """A program that runs until this is left; what it says is in the file given."""
    log = folder / f"{name}.log"
    with log.open("wb") as said:
        child = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
    try:
        yield log
    finally:
        child.terminate()
        try:
            child.wait(2 * END_S)
        finally:
            child.kill()
            child.wait(END_S)
