"""The policy process of ``doorsill run``: what it decides, and what it cannot do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from limits import PROGRAM_S

from doorsill.config import Config
from doorsill.documents import canonical
from doorsill.documents.durable import put
from doorsill.policy.verdict import IN_FORCE, digest_of, read_verdict
from doorsill.services.children import prepare
from doorsill.services.policies import store_of
from doorsill_fleet.stage.shop import Stage

LINE = (((0.0, 0.6), (1.0, 0.6)),)
# Puts another function in place of the decision: it tries what may not work.
PROGRAM = """\
import os, socket, sys
from pathlib import Path
from doorsill.config import load_config
from doorsill.services import policy
PROGRAM = ["echo", "a program works"]
config = load_config(Path(sys.argv[1]))
state = config.device.state
def attempt(name, act):
    try:
        act()
        print(name, "works", flush=True)
    except OSError as error:
        print(name, "refused")
def trying(store, arrived, verdict, utc):
    attempt("read what came", lambda: arrived.read_bytes())
    attempt("write the verdict", lambda: verdict.write_bytes(b"x"))
    attempt("a socket", lambda: socket.socket(socket.AF_INET))
    attempt("a local socket", lambda: socket.socket(socket.AF_UNIX))
    attempt("fork", lambda: os.fork() or os._exit(0))
    attempt("write to what came", lambda: arrived.write_bytes(b"x"))
    attempt("read the outbox", lambda: config.outbox.read_bytes())
    attempt("read the device's key", lambda: config.broker.key.read_bytes())
    attempt("write beside it", lambda: (state / "new").write_bytes(b"x"))
    attempt("signal another", lambda: os.kill(os.getppid(), 0))
    attempt("become a program", lambda: os.execv("/bin/echo", PROGRAM))
if sys.argv[2] == "unconfined":
    policy.confine = lambda keep: None
policy.decide = trying
policy.main(config)
"""
WORK = {"read what came", "write the verdict"}
OPEN = WORK | {
    "a socket", "a local socket", "write to what came", "read the outbox",
    "read the device's key", "write beside it", "signal another", "fork", "a program",
}  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> tuple[Stage, Config]:
    stage = Stage(tmp_path, LINE)
    config = stage.set()
    prepare(config)
    config.outbox.write_bytes(b"counts")
    return stage, config


def decided(stage: Stage) -> subprocess.CompletedProcess[str]:
    command = ["doorsill", "run", "--only", "policy", "--config"]
    return subprocess.run(
        [sys.executable, "-m", *command, str(stage.configuration)],
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
        check=False,
    )


def tried(stage: Stage, how: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(stage.configuration), how],
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert len(lines) >= len(OPEN), done.stderr
    return {each.removesuffix(" works") for each in lines if each.endswith(" works")}


def test_it_reads_one_folder_writes_one_and_can_do_nothing_else(
    shop: tuple[Stage, Config],
) -> None:
    put(shop[1].arrived, b"rubbish")
    assert tried(shop[0], "confined") == WORK


def test_negative_control_without_its_locks_all_of_it_works(
    shop: tuple[Stage, Config],
) -> None:
    put(shop[1].arrived, b"rubbish")
    assert tried(shop[0], "unconfined") >= OPEN


@pytest.mark.parametrize("good", [True, False], ids=["in force", "refused"])
def test_it_decides_and_ends(shop: tuple[Stage, Config], good: bool) -> None:
    stage, config = shop
    body = stage.policy_body() | {"version": 2 if good else 1, "timezone": "Asia/Tokyo"}
    body["hours"] = [{"days": ["mon"], "opens": "09:00", "closes": "20:00"}]
    document = canonical.seal(body, stage.controller)
    put(config.arrived, document)
    done = decided(stage)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    verdict = read_verdict(config.verdict)
    assert verdict is not None and verdict.digest == digest_of(document)
    assert verdict.word == (IN_FORCE if good else "rollback")
    assert store_of(config).load().version == (2 if good else 1)


def test_where_nothing_came_it_does_nothing(shop: tuple[Stage, Config]) -> None:
    stage, config = shop
    assert decided(stage).returncode == 0
    assert read_verdict(config.verdict) is None
