"""Run ``ways_inside.py`` and hear what was open and what was closed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from limits import PROGRAM_S
from ways import FACE, FOREIGN_SOURCE, MASK, ground
from ways_inside import LOCKS, Plan

from doorsill.config import Config
from doorsill.services.policies import store_of
from doorsill_fleet.stage.consent import ConsentStage
from doorsill_fleet.stage.shop import SITE, Stage

LINES = (((0.5, 0.0), (0.5, 1.0)),)
INSIDE = Path(__file__).with_name("ways_inside.py")
WITHIN_S = 60.0
# Whether these arrived is for the one at the other end to say.
SPOKEN = {"speak on standard error": FACE, "speak on standard output": MASK}


def plan(
    *,
    abi: int = 7,
    room: bool = True,
    calls: bool = True,
    control: bool = False,
    only: str = "",
) -> Plan:
    """What holds: everything, but for what is taken away."""
    return Plan("", -1, abi, room, calls, control, "", only)


@dataclass(frozen=True, slots=True)
class Site:
    """A shop whose processes can be started, and the ground outside of it."""

    stage: Stage
    library: str  # calls of a foreign ABI, compiled; empty on arm64
    locks: dict[str, str] = field(default_factory=dict)  # as each process said last

    def tried(self, process: str, plan: Plan) -> dict[str, str]:
        """By way: ``open``, or what closed it. ``killed`` for a fatal one."""
        with tempfile.TemporaryDirectory() as folder, ground(Path(folder)) as at:
            return self._tried(process, replace(plan, ground=at.text()))

    def _tried(self, process: str, plan: Plan) -> dict[str, str]:
        reader, writer = os.pipe()
        plan = replace(plan, out=writer, foreign=self.library)
        command = [sys.executable, str(INSIDE), process, str(self.stage.configuration)]
        with tempfile.TemporaryFile() as words:
            done = subprocess.run(
                [*command, plan.text()],
                pass_fds=(writer,),
                stderr=words,
                stdout=words,
                stdin=subprocess.DEVNULL,
                timeout=WITHIN_S,
                check=False,
                env={**os.environ, **QUIET},
            )
            os.close(writer)
            with os.fdopen(reader) as pipe:
                said = pipe.read()
            words.seek(0)
            heard = words.read()
        found = dict(line.split("\t") for line in said.splitlines())
        self.locks[process] = found.pop(LOCKS, "")
        if plan.only and not found and done.returncode == -31:  # SIGSYS
            return {plan.only: "killed"}
        assert done.returncode == 0, (done.returncode, heard[-2000:], said[-300:])
        for way, word in SPOKEN.items():
            if way in found:
                found[way] = "open" if word in heard else "unheard"
        return found


QUIET = {"OPENBLAS_NUM_THREADS": "1"}


def shop(folder: Path) -> Site:
    """In ``folder``, whose path must be short."""
    consent = ConsentStage(folder, SITE)
    stage = Stage(folder, LINES, consent=consent.policy, more=consent.configuration)
    config = stage.set()
    (folder / "consent-ca.pem").write_bytes(consent.ca_pem)
    _prepare(config)
    return Site(stage, _library(folder))


def _prepare(config: Config) -> None:
    for path in (
        config.device.run,
        config.policy_in_force.parent,
        config.outbox.parent,
    ):
        path.mkdir(parents=True, exist_ok=True)
    store_of(config).take_over(config.policy.file)


def _library(folder: Path) -> str:
    if os.uname().machine != "x86_64":
        return ""
    source, found = folder / "foreign.c", folder / "foreign.so"
    source.write_text(FOREIGN_SOURCE)
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-o", found, source], check=True, timeout=PROGRAM_S
    )
    return str(found)
