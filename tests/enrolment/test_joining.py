"""A camera joins its fleet: cut anywhere, lied to, too early, with no clock."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fleets import SITE, FleetWorld, fleet_world

from doorsill.cli import main
from doorsill.config import read_config
from doorsill.device import identity
from doorsill.documents import durable
from doorsill.documents.voucher import Voucher, root_mark
from doorsill.enrolment import joining, renewing
from doorsill.enrolment.joining import Wanted, join
from doorsill.enrolment.stage import FILES, READY, Stage
from doorsill.errors import UntrustedError, UplinkError
from doorsill_fleet.registry import devices
from doorsill_fleet.registry.register import transaction

STREET = Wanted("street")


class PowerCutError(Exception):
    """The plug was pulled."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetWorld]:
    with fleet_world(tmp_path_factory.mktemp("fleet")) as world, world.serving():
        yield world


def voucher_file(fleet: FleetWorld, folder: Path) -> Path:
    path = folder / "voucher.txt"
    path.write_text(fleet.voucher(fleet.add()[0]).text() + "\n")
    return path


def test_after_one_command_a_camera_has_all_it_needs(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    to, given = tmp_path / "camera", voucher_file(fleet, tmp_path)
    secret = given.read_text().split("/")[-1][:9]
    code = main.run(
        ["enrol", "--voucher", str(given), "--to", str(to), "--camera", "street"]
    )
    assert code == 0
    config, problems = read_config(to / "doorsill.toml")
    assert config is not None and problems == []
    assert config.broker.port == fleet.chain.places.broker_port
    assert {each.name for each in to.iterdir()} == set(FILES)
    found = identity.load(to)
    assert (found.site, found.device) == (SITE, config.device.id)
    assert stat.S_IMODE((to / "device.key").stat().st_mode) == 0o600
    assert not given.exists()
    left = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert not [each for each in left if secret.encode() in each.read_bytes()]


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_services_of_other_users_may_read_what_they_need(
    fleet: FleetWorld, tmp_path: Path, umask: int
) -> None:
    """The unit that renews has 0077, and a person's shell may have it as well."""
    to, before = tmp_path / "camera", os.umask(umask)
    try:
        join_all(fleet, Stage(to, "enrol"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(to.stat().st_mode) == 0o755
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in to.iterdir()}
    assert modes == dict.fromkeys(FILES, 0o644) | {"device.key": 0o600}


def test_a_configuration_that_is_there_keeps_its_camera(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    example = Path(main.__file__).parents[2] / "systemd" / "doorsill.toml"
    (tmp_path / "doorsill.toml").write_text(example.read_text())
    join_all(fleet, Stage(tmp_path, "enrol"))
    config, problems = read_config(tmp_path / "doorsill.toml")
    assert config is not None and problems == []
    assert config.camera.driver == "picamera" and config.broker.host == "localhost"
    assert "# a-z, 0-9 and -" in (tmp_path / "doorsill.toml").read_text()


def join_all(fleet: FleetWorld, stage: Stage) -> Voucher:
    voucher = fleet.voucher(fleet.add()[0])
    stage.put("voucher", voucher.text().encode())
    join(stage, voucher, STREET, time.time())
    return voucher


def test_a_cut_at_any_write_loses_nothing_and_wastes_no_voucher(
    fleet: FleetWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after each file is put, and before the stage goes."""
    real, left = durable.put, 0

    def cut_put(path: Path, data: bytes, mode: int | None = None) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            path.with_name(f"{path.name}.new").write_bytes(data[: len(data) // 2])
            raise PowerCutError
        real(path, data, mode)

    cuts = 0
    for cuts in range(1, 60):
        to = tmp_path / str(cuts)
        voucher = fleet.voucher(fleet.add()[0])
        Stage(to, "enrol").put("voucher", voucher.text().encode())
        left = cuts
        monkeypatch.setattr("doorsill.enrolment.stage.put", cut_put)
        try:
            join(Stage(to, "enrol"), voucher, STREET, time.time())
        except PowerCutError:
            monkeypatch.setattr("doorsill.enrolment.stage.put", real)
            join(Stage(to, "enrol"), voucher, STREET, time.time())
        else:
            break
        identity.load(to)
        assert {each.name for each in to.iterdir()} == set(FILES)
    assert cuts > len(FILES) * 2


def test_an_answer_that_is_lost_is_asked_for_again_with_the_same_key(
    fleet: FleetWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, voucher = Stage(tmp_path, "enrol"), fleet.voucher(fleet.add()[0])
    real = joining.certificate_in

    def lost(*_: object) -> bytes:
        raise PowerCutError

    monkeypatch.setattr(joining, "certificate_in", lost)
    with pytest.raises(PowerCutError):
        join(stage, voucher, STREET, time.time())
    monkeypatch.setattr(joining, "certificate_in", real)
    join(stage, voucher, STREET, time.time())
    with transaction(fleet.register) as session:
        assert len(devices.certificates(session, voucher.serial)) == 1


def test_another_fleet_at_this_address_learns_nothing(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    made = fleet.voucher(fleet.add()[0])
    other = Voucher(made.host, made.port, made.serial, made.secret, root_mark(b"other"))
    with pytest.raises(UntrustedError, match="is not the fleet of this voucher"):
        join(Stage(tmp_path, "enrol"), other, STREET, time.time())
    with transaction(fleet.register) as session:
        row = devices.require_device(session, made.serial)
        assert row.state == "expected" and not devices.certificates(session, row.serial)


@pytest.mark.parametrize("now", [0.0, 86400.0 * 365 * 20], ids=["1970", "1990"])
def test_a_camera_without_a_clock_joins(
    fleet: FleetWorld, tmp_path: Path, now: float
) -> None:
    stage, voucher = Stage(tmp_path, "enrol"), fleet.voucher(fleet.add()[0])
    join(stage, voucher, STREET, now)
    assert identity.load(tmp_path).site == SITE


def test_a_server_that_is_down_is_waited_for_and_nothing_is_lost(
    tmp_path: Path,
) -> None:
    with fleet_world(tmp_path) as world:
        stage, voucher = Stage(tmp_path / "to", "enrol"), world.voucher(world.add()[0])
        with pytest.raises(UplinkError, match="does not answer"):
            join(stage, voucher, STREET, time.time())
        with world.serving():
            join(stage, voucher, STREET, time.time())
        assert identity.load(tmp_path / "to").site == SITE


def test_the_command_says_that_the_server_is_down_and_keeps_the_voucher(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with fleet_world(tmp_path) as world:
        given, to = voucher_file(world, tmp_path), tmp_path / "to"
        words = ["enrol", "--to", str(to), "--camera", "street", "--wait", "0"]
        assert main.run([*words, "--voucher", str(given)]) == 5
        assert "does not answer" in capsys.readouterr().err
        assert (to / "enrol" / "voucher").is_file() and not given.exists()
        with world.serving():
            assert main.run(words) == 0


def test_without_a_policy_it_waits_and_says_so(tmp_path: Path) -> None:
    with fleet_world(tmp_path) as world, world.serving():
        (world.chain.folder / "policies" / f"{SITE}.json").unlink()
        stage, voucher = Stage(tmp_path / "to", "enrol"), world.voucher(world.add()[0])
        with pytest.raises(UplinkError, match=f"no signed policy for {SITE} yet"):
            join(stage, voucher, STREET, time.time())
        assert not stage.has(READY)
        world.sign_policy(attributes=False)
        join(stage, voucher, STREET, time.time())


def test_a_server_that_was_taken_over_cannot_give_another_controller(
    tmp_path: Path,
) -> None:
    with fleet_world(tmp_path / "a") as world, fleet_world(tmp_path / "b") as thief:
        stolen = (thief.chain.folder / "charter.json").read_bytes()
        (world.chain.folder / "charter.json").write_bytes(stolen)
        with world.serving():
            stage = Stage(tmp_path / "to", "enrol")
            with pytest.raises(UntrustedError, match="signature does not match"):
                join(stage, world.voucher(world.add()[0]), STREET, time.time())


def test_a_used_voucher_is_the_camera_s_to_report(
    fleet: FleetWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    voucher = join_all(fleet, Stage(tmp_path / "first", "enrol"))
    (tmp_path / "v.txt").write_text(voucher.text())
    words = ["enrol", "--voucher", str(tmp_path / "v.txt"), "--to"]
    assert main.run([*words, str(tmp_path / "second")]) == 3
    assert "the fleet refuses: this voucher was used on" in capsys.readouterr().err


def test_a_renewal_comes_at_two_thirds_and_keeps_the_old_pair_until_then(
    fleet: FleetWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    join_all(fleet, Stage(tmp_path, "enrol"))
    old = identity.load(tmp_path)
    assert renewing.renew(Stage(tmp_path, "renewal"), time.time()) is None
    monkeypatch.setattr("doorsill_fleet.enrolment.service.RENEWABLE_FROM", 0.0)
    due = renewing.due_at(old.certificate) + timedelta(hours=1)
    after = renewing.renew(Stage(tmp_path, "renewal"), due.timestamp())
    new = identity.load(tmp_path)
    assert new.key.public_key() != old.key.public_key()
    assert (new.site, new.device) == (old.site, old.device)
    assert after is not None and after > datetime.now(UTC)
    assert not (tmp_path / "renewal").exists()


def test_nothing_of_a_key_is_open_to_others_for_a_moment(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    before = os.umask(0)
    try:
        stage = Stage(tmp_path, "enrol")
        joining.key_of(stage)
        assert stat.S_IMODE((stage.folder / "device.key").stat().st_mode) == 0o600
        assert stat.S_IMODE(stage.folder.stat().st_mode) == 0o700
    finally:
        os.umask(before)
