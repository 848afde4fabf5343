"""``make mutants``: change the product in small ways, and see that its tests notice.

    make mutants                       all targets; goes on where it was stopped
    make mutants ONLY="gate noise"     modules whose path holds one of the words
    make mutants ONLY=--table          what is known by now

Exit code 1 where a change survives that has no sentence in ``targets.py``. The changed
product stands in a copy, with its tests: the tree is never touched, and may be changed
meanwhile. The tests that run the changed line come first, the quickest before the
others; where all of them pass, all other tests of the target follow.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest's pythonpath
sys.path.insert(0, str(Path(__file__).parents[1] / "worlds"))
from mutants.changes import Change, changes_of, functions_only
from mutants.runner import ENDED, Ran, Run, Runner
from mutants.targets import SURVIVORS, TARGETS, Target
from places import ROOT

PRODUCT = Path("firmware", "doorsill")
COPIED = ("firmware", "provisioning", "models", "tests")
READ = ("pyproject.toml", "SECURITY.md")  # by pytest and by tests
DONE = ROOT / "build" / "mutants.jsonl"
LIMIT_S = 600.0  # of a run without any change
ONE_LIMIT_S = 120.0  # of one test
LONGER = 3.0  # a change that makes the tests run for so many times as long was noticed
SEED = 7


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one target."""

    target: Target
    change: Change
    key: str  # of the module's source and the change

    @property
    def name(self) -> str:
        """How it is printed, and named in ``SURVIVORS``."""
        return str(self.change)


@dataclass(frozen=True, slots=True)
class Whole:
    """What the tests of a target do where nothing is changed."""

    seconds: float
    reach: dict[str, frozenset[int]]  # lines of the module, by test; quickest first

    def first(self, change: Change, before: str) -> list[str]:
        """The tests that run the changed lines, first the one of the time before."""
        lines = range(change.line, change.line + change.old.count("\n") + 1)
        reached = [test for test, seen in self.reach.items() if seen & set(lines)]
        return ([before] if before else []) + reached


def main() -> int:
    """Try all; 1 where one survives without a sentence."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="WORD")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--table", action="store_true", help="what is known, no more")
    args = parser.parse_args()
    chosen = [
        each
        for target in TARGETS
        if not args.only or any(word in target.module for word in args.only)
        for each in mutants_of(target)
    ]
    known = Known()
    if args.table:
        return report(chosen, known.by)
    started, tried = time.monotonic(), 0
    left = [each for each in chosen if each.key not in known.by]
    with workshop(args.jobs, known) as shop, ThreadPoolExecutor(args.jobs) as pool:
        for mutant, by in pool.map(shop.tried, left):
            known.add(mutant, by)
            tried += 1
            minutes = (time.monotonic() - started) / tried * (len(left) - tried) / 60
            print(
                f"{tried}/{len(left)}, {minutes:.0f} min left  {mutant.target.module}:"
                f"{mutant.change.line} {mutant.name}: {by or 'SURVIVES'}",
                file=sys.stderr,
                flush=True,
            )
    return report(chosen, known.by)


def mutants_of(target: Target) -> Iterator[Mutant]:
    """The changes that are tried of one target."""
    source = (ROOT / PRODUCT / target.module).read_text(encoding="utf-8")
    changes = list(functions_only(changes_of(source), target.functions))
    if target.sample is not None and target.sample < len(changes):
        changes = random.Random(SEED).sample(changes, target.sample)
    for change in sorted(changes, key=lambda each: each.start):
        yield Mutant(
            target, change, _hash(source, change.start, change.end, change.new)
        )


def tests_of(target: Target) -> list[Path]:
    """The files of tests."""
    return [ROOT / each for each in files_of(target)]


def _hash(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def files_of(target: Target) -> list[str]:
    """The files of tests, below the tree or a copy of it."""
    return [f"tests/{name}.py" for name in target.tests]


class Known:
    """What was found before and now: a file that grows by one line for each change.

    A change stays noticed while the module and the test that noticed it are the same, a
    survivor while no test of its target is another one. What a test calls is not
    looked at.
    """

    def __init__(self) -> None:
        self.by: dict[str, str] = {}  # the test that noticed; "" for a survivor
        self.before: dict[tuple[str, str], str] = {}  # the same, by module and change
        self._texts: dict[str, dict[str, str]] = {}  # of tests, by file and name
        DONE.parent.mkdir(parents=True, exist_ok=True)
        DONE.touch()
        for line in DONE.read_text(encoding="utf-8").splitlines():
            key, module, name, by, proof = json.loads(line)
            self.before[module, name] = by
            if proof in (self._of_test(by), *map(self._of_files, _of_module(module))):
                self.by[key] = by

    def add(self, mutant: Mutant, by: str) -> None:
        """Keep it, also over a cut."""
        proof = self._of_test(by) or self._of_files(mutant.target)
        module, name = mutant.target.module, mutant.name
        with DONE.open("a", encoding="utf-8") as file:
            file.write(json.dumps((mutant.key, module, name, by, proof)) + "\n")
        self.by[mutant.key] = self.before[module, name] = by

    def _of_test(self, test: str) -> str:
        """A hash of the test's own text; "" where there is no such test."""
        path, _, name = test.partition("::")
        text = self._functions(path).get(name.partition("[")[0]) if name else None
        return "" if text is None else _hash(test, text)

    def _of_files(self, target: Target) -> str:
        return _hash(*(path.read_text(encoding="utf-8") for path in tests_of(target)))

    def _functions(self, path: str) -> dict[str, str]:
        if path not in self._texts and not (ROOT / path).is_file():
            return {}
        if path not in self._texts:
            text = (ROOT / path).read_text(encoding="utf-8")
            self._texts[path] = {
                each.name: ast.get_source_segment(text, each) or ""
                for each in ast.parse(text).body
                if isinstance(each, ast.FunctionDef)
            }
        return self._texts[path]


def _of_module(module: str) -> list[Target]:
    return [each for each in TARGETS if each.module == module]


@contextmanager
def workshop(jobs: int, known: Known) -> Iterator[Workshop]:
    """Copies of the product, one for each job, with a process that tests each."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="doorsill-mutants-"))
        shop = Workshop(known)
        for number in range(jobs):
            copy = Path(folder, str(number))
            for name in COPIED:
                ignored = shutil.ignore_patterns("__pycache__", "doorsill_train")
                shutil.copytree(ROOT / name, copy / name, ignore=ignored)
            for name in READ:
                shutil.copy(ROOT / name, copy)
            shop.free.put((copy, stack.enter_context(closing(Runner(copy)))))
        yield shop


class Workshop:
    """Tries changes, one in each copy at a time."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._whole: dict[Target, Whole] = {}
        self.free: SimpleQueue[tuple[Path, Runner]] = SimpleQueue()

    def tried(self, mutant: Mutant) -> tuple[Mutant, str]:
        """The change, and the test that noticed it or ""."""
        copy, runner = self.free.get()
        path = copy / PRODUCT / mutant.target.module
        source = path.read_text(encoding="utf-8")
        try:
            path.write_text(mutant.change.applied(source), encoding="utf-8")
            before = self._known.before.get((mutant.target.module, mutant.name), "")
            if before and self._still(before, mutant.target, runner):
                return mutant, before
            if mutant.target not in self._whole:
                path.write_text(source, encoding="utf-8")
                self._whole[mutant.target] = whole(mutant.target, runner, path)
                path.write_text(mutant.change.applied(source), encoding="utf-8")
            unchanged = self._whole[mutant.target]
            run = Run(
                files=files_of(mutant.target),
                limit_s=20.0 + LONGER * unchanged.seconds,
                first=unchanged.first(mutant.change, before),
            )
            return mutant, _noticed(runner.run(run))
        finally:
            path.write_text(source, encoding="utf-8")
            self.free.put((copy, runner))

    def _still(self, test: str, target: Target, runner: Runner) -> bool:
        """Whether the test that noticed a change before does so now."""
        file = test.partition("::")[0]
        if file not in files_of(target):
            return False
        ran = runner.run(Run([file], ONE_LIMIT_S, first=[test], only=True))
        return ran.failed == test


def whole(target: Target, runner: Runner, path: Path) -> Whole:
    """Run the tests on what is unchanged; SystemExit where they notice that as well."""
    started = time.monotonic()
    ran = runner.run(Run(files_of(target), LIMIT_S, traced=str(path)))
    if ran.result != 0:
        raise SystemExit(f"{_noticed(ran)} fails without any change: mend it first")
    quickest = sorted(ran.reach, key=lambda test: ran.seconds.get(test, 0.0))
    reach = {test: frozenset(ran.reach[test]) for test in quickest}
    return Whole(time.monotonic() - started, reach)


def _noticed(ran: Ran) -> str:
    if ran.result == 0:
        return ""
    return ran.failed or ("the time" if ran.result == ENDED else "what imports it")


def report(chosen: list[Mutant], by: dict[str, str]) -> int:
    """Print the table; 1 where a survivor has no sentence, or is in a strict target.

    And where a change was not tried yet.
    """
    waiting = [each for each in chosen if each.key not in by]
    chosen = [each for each in chosen if each.key in by]
    table = Table("area", "module", "tried", "noticed", "with a sentence", "survive")
    bad = 0
    for target in TARGETS:
        mine = [each for each in chosen if each.target is target]
        left = [each for each in mine if not by[each.key]]
        named = [each for each in left if (target.module, each.name) in SURVIVORS]
        bad += len(left) - (0 if target.strict else len(named))
        if mine:
            counts = (len(mine), len(mine) - len(left), len(named))
            row = (*map(str, counts), str(len(left) - len(named)))
            table.add_row(target.area, target.module, *row)
    console = Console()
    console.print(table)
    noticed = sum(bool(by[each.key]) for each in chosen)
    later = f", {len(waiting)} to be tried" if waiting else ""
    console.print(f"{len(chosen)} changes tried, {noticed} noticed{later}")
    return 1 if bad or waiting else 0


if __name__ == "__main__":
    sys.exit(main())
