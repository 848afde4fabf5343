"""``make mutants``: change the product in small ways, and see that its tests notice.

    make mutants                       all targets; goes on where it was stopped
    make mutants ONLY="gate noise"     modules whose path holds one of the words

Exit code 1 where a change survives that has no sentence in ``targets.py``. The changed
product stands in a copy; what is in the tree is never touched.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest's pythonpath

from mutants.changes import Change, changes_of, functions_only
from mutants.targets import SURVIVORS, TARGETS, Target

ROOT = Path(__file__).parents[2]
PRODUCT = Path("firmware", "doorsill")
DONE = ROOT / "build" / "mutants.jsonl"
LIMIT_S = 240.0  # a change that makes the tests run for longer was noticed
SEED = 7


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one target."""

    target: Target
    change: Change
    key: str  # of the source, the change and the tests

    @property
    def name(self) -> str:
        """How it is printed, and named in ``SURVIVORS``."""
        return str(self.change)


def main() -> int:
    """Try all; 1 where one survives without a sentence."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="WORD")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    args = parser.parse_args()
    chosen = [
        each
        for target in TARGETS
        if not args.only or any(word in target.module for word in args.only)
        for each in mutants_of(target)
    ]
    known = _known()
    results = dict(known)
    with Copies(args.jobs) as copies, DONE.open("a", encoding="utf-8") as file:
        waiting = [each for each in chosen if each.key not in known]
        copies.require_whole({each.target for each in waiting})
        with ThreadPoolExecutor(args.jobs) as pool:
            tried = pool.map(copies.noticed, waiting)
            console = Console(stderr=True)
            for each, noticed in zip(
                waiting,
                track(tried, "changing", len(waiting), console=console),
                strict=True,
            ):
                results[each.key] = noticed
                file.write(json.dumps([each.key, noticed]) + "\n")
                file.flush()
                if not noticed:
                    console.print(
                        f"{each.target.module}:{each.change.line} {each.name}"
                    )
    return report(chosen, results)


def mutants_of(target: Target) -> Iterator[Mutant]:
    """The changes that are tried of one target."""
    source = (ROOT / PRODUCT / target.module).read_text(encoding="utf-8")
    changes = list(functions_only(changes_of(source), target.functions))
    if target.sample is not None and target.sample < len(changes):
        changes = random.Random(SEED).sample(changes, target.sample)
    tests = "".join(path.read_text(encoding="utf-8") for path in tests_of(target))
    for change in sorted(changes, key=lambda each: each.start):
        text = f"{source}\0{tests}\0{change.start} {change.end} {change.new}"
        yield Mutant(target, change, hashlib.sha256(text.encode()).hexdigest())


def tests_of(target: Target) -> list[Path]:
    """The files of tests that there are."""
    paths = [ROOT / "tests" / f"{name}.py" for name in target.tests]
    return [path for path in paths if path.is_file()]


class Copies:
    """Copies of the product, one for each job."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._folder = Path(tempfile.mkdtemp(prefix="doorsill-mutants-"))
        self._free: SimpleQueue[Path] = SimpleQueue()

    def __enter__(self) -> Copies:
        DONE.parent.mkdir(parents=True, exist_ok=True)
        for number in range(self._jobs):
            copy = self._folder / str(number)
            for name in ("firmware", "provisioning", "models"):
                ignored = shutil.ignore_patterns("__pycache__", "train")
                shutil.copytree(ROOT / name, copy / name, ignore=ignored)
            self._free.put(copy)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def require_whole(self, targets: set[Target]) -> None:
        """SystemExit where tests fail on what is unchanged: they would notice all."""
        copy = self._free.get_nowait()
        for path in sorted({path for each in targets for path in tests_of(each)}):
            if not _pass(copy, path):
                raise SystemExit(f"{path.name} fails without any change: mend it first")
        self._free.put(copy)

    def noticed(self, mutant: Mutant) -> bool:
        """Whether a test fails with this change."""
        copy = self._free.get_nowait()  # one for each job
        path = copy / PRODUCT / mutant.target.module
        whole = path.read_text(encoding="utf-8")
        try:
            path.write_text(mutant.change.applied(whole), encoding="utf-8")
            # The next file of tests only where the one before notices nothing.
            return not all(_pass(copy, each) for each in tests_of(mutant.target))
        finally:
            path.write_text(whole, encoding="utf-8")
            self._free.put(copy)


def _pass(copy: Path, tests: Path) -> bool:
    folders = f"{copy / 'firmware'}:{copy / 'provisioning'}"
    environment = os.environ | {
        "PYTHONPATH": folders,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", str(tests)]
    with tempfile.TemporaryDirectory(prefix="doorsill-mutant-") as folder:
        try:
            done = subprocess.run(
                [*command, "--basetemp", f"{folder}/t", "--timeout", "60"],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                check=False,
                timeout=LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == 0


def _known() -> dict[str, bool]:
    if not DONE.exists():
        return {}
    return dict(json.loads(line) for line in DONE.read_text().splitlines())


def report(chosen: list[Mutant], results: dict[str, bool]) -> int:
    """Print the table; 1 where a survivor has no sentence, or is in a strict target."""
    table = Table("module", "tried", "noticed", "with a sentence", "survive")
    bad = 0
    for target in TARGETS:
        mine = [each for each in chosen if each.target is target]
        left = [each for each in mine if not results[each.key]]
        named = [each for each in left if (target.module, each.name) in SURVIVORS]
        bad += len(left) - (0 if target.strict else len(named))
        if mine:
            counts = (len(mine), len(mine) - len(left), len(named))
            table.add_row(target.module, *map(str, counts), str(len(left) - len(named)))
    console = Console()
    console.print(table)
    noticed = sum(results[each.key] for each in chosen)
    console.print(f"{len(chosen)} changes tried, {noticed} noticed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
