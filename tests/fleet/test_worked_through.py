"""What happens to a fleet in its years: each case with what a person does about it.

A moved store and a replaced board are in ``test_vertical``; a clock at 1970, a cut at
each step and a server that is down are in ``tests/enrolment``.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from fleets import SITE, FleetWorld, fleet_world, new_key, request
from sqlalchemy.exc import IntegrityError

from doorsill.cli import main
from doorsill.device import identity
from doorsill.documents.voucher import Voucher
from doorsill.enrolment.joining import Wanted, join
from doorsill.enrolment.stage import Stage
from doorsill.errors import UntrustedError, UplinkError
from doorsill_fleet.registry import devices
from doorsill_fleet.registry.devices import HandedOut
from doorsill_fleet.registry.register import transaction
from doorsill_fleet.registry.tables import Device

STREET = Wanted("street")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[FleetWorld]:
    with fleet_world(tmp_path / "office") as world, world.serving():
        yield world


def enrolled(fleet: FleetWorld, made: HandedOut, to: Path) -> x509.Certificate:
    stage, voucher = Stage(to, "enrol"), fleet.voucher(made)
    stage.put("voucher", voucher.text().encode())
    join(stage, voucher, STREET, time.time())
    return identity.load(to).certificate


def replaced(fleet: FleetWorld, serial: str) -> HandedOut:
    from datetime import UTC, datetime, timedelta

    with transaction(fleet.register) as session:
        return devices.replace(session, serial, datetime.now(UTC), timedelta(days=30))


def test_a_card_that_was_flashed_again_wants_another_voucher_and_says_which_command(
    fleet: FleetWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, card = fleet.add()[0], tmp_path / "card"
    first = enrolled(fleet, made, card)
    shutil.rmtree(card)  # key and all
    (tmp_path / "v.txt").write_text(fleet.voucher(made).text())  # it is on the label
    words = ["enrol", "--voucher", str(tmp_path / "v.txt"), "--to", str(card)]
    assert main.run([*words, "--camera", "street"]) == 3
    assert f"doorsill-fleet device replace {made.serial}" in capsys.readouterr().err
    shutil.rmtree(card)
    second = enrolled(fleet, replaced(fleet, made.serial), card)
    assert second.subject == first.subject and second != first
    with transaction(fleet.register) as session:
        rows = devices.certificates(session, made.serial)
        assert sorted(each.revoked is None for each in rows) == [False, True]


def test_a_card_that_was_flashed_again_with_its_stage_goes_on_where_it_was(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    made, card = fleet.add()[0], tmp_path / "card"
    stage, voucher = Stage(card, "enrol"), fleet.voucher(made)
    stage.put("voucher", voucher.text().encode())
    join(stage, voucher, STREET, time.time())
    shutil.copytree(card, tmp_path / "copy")  # a backup of the card
    assert identity.load(tmp_path / "copy").certificate


def test_one_card_copied_to_two_cameras_is_one_camera_and_two_copies_of_a_key(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    """Before it has enrolled: each makes a key of its own, and the first one has it."""
    made = fleet.add()[0]
    for name in ("one", "two"):
        stage = Stage(tmp_path / name, "enrol")
        stage.put("voucher", fleet.voucher(made).text().encode())
    join(Stage(tmp_path / "one", "enrol"), fleet.voucher(made), STREET, time.time())
    with pytest.raises(UntrustedError, match="this voucher was used on"):
        join(Stage(tmp_path / "two", "enrol"), fleet.voucher(made), STREET, time.time())


def test_the_same_serial_number_is_never_given_twice(
    fleet: FleetWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = fleet.add()[0]
    monkeypatch.setattr(devices, "new_serial", lambda _: made.serial)
    with pytest.raises((UplinkError, IntegrityError)):
        fleet.add()
    with transaction(fleet.register) as session:
        assert [each.serial for each in devices.devices(session)] == [made.serial]


def test_two_shops_cannot_have_one_device_and_a_name_is_one_s_alone(
    fleet: FleetWorld,
) -> None:
    made = fleet.add(2)
    with pytest.raises(UplinkError), transaction(fleet.register) as session:
        row = session.get(Device, made[1].serial)
        assert row is not None
        row.name = made[0].device
    with transaction(fleet.register) as session:
        names = [each.name for each in devices.devices(session, SITE)]
        assert names == ["cam-01", "cam-02"]


def test_a_board_that_was_replaced_gets_in_no_more(
    fleet: FleetWorld, tmp_path: Path
) -> None:
    made = fleet.add()[0]
    enrolled(fleet, made, tmp_path / "old")
    again = replaced(fleet, made.serial)
    with pytest.raises(UntrustedError, match="another one replaced it"):
        join(Stage(tmp_path / "x", "enrol"), fleet.voucher(made), STREET, time.time())
    assert enrolled(fleet, again, tmp_path / "new")
    body = request(made.serial, new_key())
    assert fleet.enrol(made.serial, again.secret, body)[0] == 403


@pytest.mark.parametrize("part", ["host", "serial", "secret", "root"])
def test_a_voucher_with_one_part_of_another_is_no_voucher(
    fleet: FleetWorld, tmp_path: Path, part: str
) -> None:
    mine, other = (fleet.voucher(each) for each in fleet.add(2))
    parts = {
        "host": mine.host, "port": mine.port, "serial": mine.serial,
        "secret": mine.secret, "root": mine.root,
    }  # fmt: skip
    strange = {"host": "127.0.0.1", "root": "a" * len(mine.root)}
    parts[part] = strange.get(part) or getattr(other, part)
    mixed = Voucher(**parts)  # type: ignore[arg-type]
    stage = Stage(tmp_path / "to", "enrol")
    if part == "host":  # another name of the same server is as good
        join(stage, mixed, STREET, time.time())
        return
    with pytest.raises(UntrustedError):
        join(stage, mixed, STREET, time.time())
    with transaction(fleet.register) as session:
        for each in (mine, other):
            assert not devices.certificates(session, each.serial)
