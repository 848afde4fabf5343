"""The server goes on: killed in the middle, with a full disk, or started twice."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from fleets import FleetWorld, fleet_world, new_key, request
from limits import END_S, wait_until
from small_disk import fill

from doorsill.device import identity
from doorsill.documents.voucher import Voucher
from doorsill.enrolment.joining import Wanted, join
from doorsill.enrolment.stage import Stage
from doorsill.errors import ConfigError, UplinkError
from doorsill_fleet.cli.main import run
from doorsill_fleet.enrolment.gate import Gate
from doorsill_fleet.registry import devices
from doorsill_fleet.registry.register import transaction

CAMERAS, KILLS = 6, 2


def joined(world: FleetWorld, folder: Path, voucher: Voucher) -> None:
    """As `doorsill enrol` goes on while the server is away."""

    def tried() -> bool:
        with suppress(UplinkError):
            join(Stage(folder, "enrol"), voucher, Wanted("street"), time.time())
            return True
        return False

    wait_until(tried, within_s=4 * END_S)


def test_a_server_that_is_killed_in_the_middle_gives_each_camera_one_certificate(
    tmp_path: Path,
) -> None:
    log = tmp_path / "serve.log"
    with fleet_world(tmp_path) as world, ThreadPoolExecutor(CAMERAS) as pool:
        vouchers = [world.voucher(each) for each in world.add(CAMERAS)]
        jobs = [
            pool.submit(joined, world, tmp_path / each.serial, each)
            for each in vouchers
        ]
        for turn in range(KILLS):
            with world.serving_apart(log) as child:
                wait_until(lambda n=turn: log.read_text().count("certificate") > n)
                child.kill()
                child.wait(END_S)
        with world.serving_apart(log):
            for job in jobs:
                job.result(8 * END_S)
        with transaction(world.register) as session:
            for each in vouchers:
                assert len(devices.certificates(session, each.serial)) == 1
                assert identity.load(tmp_path / each.serial).certificate


def test_a_full_disk_is_a_sentence_and_the_same_voucher_works_once_there_is_room(
    tmp_path: Path, small_disk: Path
) -> None:
    log = tmp_path / "serve.log"
    with fleet_world(small_disk) as world, world.serving_apart(log):
        made = world.add()[0]
        body = request(made.serial, new_key())
        filler = fill(small_disk)
        status, said = world.enrol(made.serial, made.secret, body)
        assert status == 503 and "takes no data" in said and "full" in said
        filler.unlink()
        assert world.enrol(made.serial, made.secret, body)[0] == 200
        with transaction(world.register) as session:
            assert len(devices.certificates(session, made.serial)) == 1
    assert "Traceback" not in log.read_text()


def test_a_second_server_of_one_folder_names_the_first(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "serve.log"
    with fleet_world(tmp_path) as world, world.serving_apart(log) as child:
        words = ["serve", "--folder", str(world.chain.folder)]
        assert run([*words, "--port", str(world.chain.places.port + 1)]) == 2
        assert f"already runs here (pid {child.pid})" in capfd.readouterr().err


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with Gate("127.0.0.1", 0, 1.0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
            Gate("127.0.0.1", port, 1.0)


def test_an_address_that_is_not_ours_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1:8443"):
        Gate("192.0.2.1", 8443, 1.0)


def test_it_ends_at_a_signal_within_its_time(tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    with fleet_world(tmp_path) as world, world.serving_apart(log) as child:
        child.terminate()
        assert child.wait(END_S) in (0, -15)
        assert "Traceback" not in log.read_text()
