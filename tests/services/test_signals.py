"""Two signals 10 ms apart, at any moment: a clean end, and no false cause.

The moments are spread over what a start takes on this machine, and what comes after;
each pair of signals has moments of its own. ``make long`` tries more of them, and
DOORSILL_MOMENTS=40 more than that.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from limits import LONG, wait_until
from vault_process import VaultProcess

from doorsill.process.stopping import held_back
from doorsill.services.children import WIPING
from doorsill.services.policies import store_of
from doorsill_fleet.broker.mosquitto import running_broker
from doorsill_fleet.stage.shop import Stage

LINE = (((0.022, 0.659), (0.978, 0.659)),)
MOMENTS = int(os.environ.get("DOORSILL_MOMENTS", "6" if LONG else "2"))  # of a pair
APART_S = 0.01
WITHIN_S = 40.0
TERM, INT = signal.SIGTERM, signal.SIGINT
PAIRS = [
    pytest.param((TERM, TERM), id="TERM TERM"),
    pytest.param((INT, TERM), id="INT TERM"),
    pytest.param((TERM, INT), id="TERM INT"),
]
FALSE = ("Traceback", "needs the package", "could not be verified", "Stopped")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    found = Stage(tmp_path_factory.mktemp("signals"), LINE)
    config = found.set()
    config.device.run.mkdir(parents=True, exist_ok=True)
    for path in (config.policy_in_force, config.outbox):
        path.parent.mkdir(parents=True, exist_ok=True)
    store_of(config).take_over(config.policy.file)
    with running_broker(found.broker):
        yield found


def moments(
    after_s: float, pair: tuple[signal.Signals, ...] | None = None
) -> list[float]:
    """Before ``after_s``, closer together at the beginning; ``pair`` has its own.

    Without a pair there are as many as of two.
    """
    known = [tuple(each.values[0]) for each in PAIRS]
    first = 0.0 if pair is None else known.index(pair) / len(known)
    count = MOMENTS * 2 if pair is None else MOMENTS
    return [after_s * ((first + number) / count) ** 1.5 for number in range(count)]


def command(stage: Stage, *only: str) -> list[str]:
    program = [sys.executable, "-m", "doorsill", "run", *only]
    return [*program, "--config", str(stage.configuration)]


def ended(
    process: subprocess.Popen[bytes], pair: tuple[signal.Signals, ...], log: Path
) -> tuple[int, str]:
    """Send both signals; the exit code and what was said."""
    for number in pair:
        process.send_signal(number)
        time.sleep(APART_S)
    try:
        code = process.wait(WITHIN_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(WITHIN_S)
    return code, log.read_text(errors="replace")


def listens(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has a handler for SIGTERM by now, or has ended."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return True
    caught = int(status.split("SigCgt:")[1].split()[0], 16)
    return bool(caught >> (TERM - 1) & 1) or process.poll() is not None


def until_it_listens(process: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: listens(process), "no handler", WITHIN_S)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("name", ["vision", "uplink"])
def test_a_process_that_run_starts_ends_cleanly(
    stage: Stage, name: str, pair: tuple[signal.Signals, ...]
) -> None:
    """From its very first instant: what comes too early waits for it."""
    log = stage.folder / f"{name}.log"
    for moment in moments(3.0, pair):
        with log.open("wb") as file, held_back():
            process = subprocess.Popen(
                command(stage, "--only", name),
                env={**os.environ, **WIPING},
                stdout=file,
                stderr=file,
            )
        time.sleep(moment)
        code, said = ended(process, pair, log)
        assert code == 0, f"at {moment:.2f} s: {said}"
        assert not [word for word in FALSE if word in said], said


@pytest.mark.timeout(600)
@pytest.mark.parametrize("pair", PAIRS)
def test_run_ends_all_of_its_processes_cleanly(
    stage: Stage, pair: tuple[signal.Signals, ...]
) -> None:
    """From where it listens; before, Python itself starts and knows of no handler."""
    log = stage.folder / "run.log"
    for moment in moments(4.0, pair):
        with log.open("wb") as file:
            process = subprocess.Popen(command(stage), stdout=file, stderr=file)
        until_it_listens(process)
        time.sleep(moment)
        code, said = ended(process, pair, log)
        assert code == 0, f"at {moment:.2f} s: {said}"
        assert not [word for word in FALSE if word in said], said
        assert "killed" not in said


@pytest.mark.timeout(600)
def test_run_that_is_told_to_end_before_it_listens_ends_without_a_word(
    stage: Stage,
) -> None:
    log = stage.folder / "early.log"
    for moment in moments(0.15):
        with log.open("wb") as file:
            process = subprocess.Popen(command(stage), stdout=file, stderr=file)
        time.sleep(moment)
        code, said = ended(process, (TERM, TERM), log)
        assert code in (0, -TERM), f"at {moment:.2f} s: {code} {said}"
        assert not [word for word in FALSE if word in said], said


@pytest.mark.timeout(600)
def test_ctrl_c_in_a_terminal_reaches_all_of_them_at_once(stage: Stage) -> None:
    """The terminal signals the whole group, and then the parent its children."""
    log = stage.folder / "group.log"
    for moment in moments(4.0):
        with log.open("wb") as file:
            process = subprocess.Popen(
                command(stage), stdout=file, stderr=file, start_new_session=True
            )
        until_it_listens(process)
        time.sleep(moment)
        os.killpg(process.pid, INT)
        time.sleep(APART_S)
        code, said = ended(process, (INT,), log)
        assert code == 0, f"at {moment:.2f} s: {said}"
        assert not [word for word in FALSE if word in said], said


@pytest.mark.timeout(600)
@pytest.mark.parametrize("pair", PAIRS)
def test_the_vault_is_blank_and_ends_cleanly(
    tmp_path: Path, pair: tuple[signal.Signals, ...]
) -> None:
    with VaultProcess(tmp_path) as vault:
        for moment in moments(3.0, pair):
            vault.log.unlink(missing_ok=True)
            with held_back():
                vault.start(wait=False)
            assert vault.process is not None
            time.sleep(moment)
            code, said = ended(vault.process, pair, vault.log)
            vault.process = None
            assert code == 0, f"at {moment:.2f} s: {said}"
            assert not [word for word in FALSE if word in said], said
