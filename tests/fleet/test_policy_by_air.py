"""A whole camera: enrolled, at work, and given another policy without a hand.

`doorsill run` with its processes, mosquitto with mutual TLS, `serve`'s HTTPS: all real.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fleets import SITE, enrolled, fleet_world
from limits import END_S, PROGRAM_S, wait_until

from doorsill.config import load_config
from doorsill.policy.obedience import read_declaration
from doorsill_fleet.broker.local import running
from doorsill_fleet.cli.main import run
from doorsill_fleet.policies.draft import text_of
from doorsill_fleet.policies.signed import newest
from doorsill_fleet.registry.register import transaction

SHARED = {
    "version": 1, "site": SITE, "purpose": "count", "timezone": "UTC", "k": 10,
    "controller": "Example Stores, 1 Road", "attributes": False, "epsilon_per_day": 1.0,
}  # fmt: skip
WAIT_S = 90.0  # a camera names its policy with each minute


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """The camera in ``folder``, whose files beside its configuration are there too."""
    path = folder / "doorsill.toml"
    own = f'state = "{folder}/state"\nrun = "{folder}/run"'
    path.write_text(path.read_text().replace("[device]", f"[device]\n{own}"))
    program = [sys.executable, "-m", "doorsill", "run", "--config", str(path)]
    config = load_config(path)
    log = folder.parent / "camera.log"
    with log.open("wb") as said:
        child = subprocess.Popen(program, stdout=said, stderr=said)
    try:
        wait_until(
            lambda: read_declaration(config.declaration("uplink")),
            log.read_text,
            PROGRAM_S,
        )
        yield
    finally:
        child.terminate()
        child.wait(END_S)


def test_a_camera_at_work_takes_what_was_signed_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with fleet_world(tmp_path) as fleet:
        own = ["--folder", str(fleet.chain.folder)]
        made = fleet.add()[0]
        draft = fleet.chain.folder / "policies" / f"{SITE}.toml"
        line = {"id": "door", "points": [[0.022, 0.659], [0.978, 0.659]]}
        draft.write_text(text_of(SHARED, {made.device: [line]}))
        assert run(["policy", "sign", SITE, *own]) == 0
        folder = tmp_path / "camera"
        voucher = fleet.voucher(made).text()
        enrolled(fleet, folder, voucher).publisher.stop()
        with (
            running(fleet.chain.broker, fleet.chain.places.broker_port),
            at_work(folder),
        ):
            two = {**SHARED, "version": 2, "purpose": "count, and see by air"}
            draft.write_text(text_of(two, {made.device: [line]}))
            assert run(["policy", "sign", SITE, *own]) == 0
            code = run(["policy", "push", SITE, "--wait", str(WAIT_S), *own])
            said = capsys.readouterr()
            assert code == 0, said.out + (tmp_path / "camera.log").read_text()[-3000:]
            config = load_config(folder / "doorsill.toml")
            with transaction(fleet.register) as session:
                row = newest(session, SITE, made.device)
                assert row is not None and row.version == 2
                digest = row.digest
            places = [config.declaration(each) for each in ("vision", "uplink")]
            # Each starts again with it; that it is in force is said before that.
            wait_until(lambda: {read_declaration(each) for each in places} == {digest})
        assert run(["policy", "status", *own]) == 0
