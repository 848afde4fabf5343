"""The ports for the filter: what the camera's files name, and only numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from doorsill.documents.boot.file import BootFile
from doorsill.documents.boot.values import Server
from doorsill.documents.voucher import Voucher
from doorsill.enrolment.configuration import FIRST
from doorsill.enrolment.stage import Stage
from doorsill.services.first_boot_ports import write_ports

VOUCHER = Voucher("fleet.example", 8443, "ds-00000000", "0" * 16, "0" * 26)
FILE = BootFile("porto-1", VOUCHER)
FLEET = '{"host": "fleet.example", "port": %s, "serial": "ds-00000000"}'
CONFIG = (
    FIRST.replace('id = ""', 'id = "cam"')
    .replace('site = ""', 'site = "porto-1"')
    .replace('driver = ""', 'driver = "video"\nsource = "/dev/video0"')
    .replace('host = ""', 'host = "broker.example"')
    .replace("port = 8883", "port = %s")
)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "etc", "enrol")


def written(stage: Stage) -> dict[str, str]:
    folder = stage.target.parent / "ports"
    return {each.name: each.read_text() for each in folder.glob("*")}


def write(stage: Stage, file: BootFile | None = None) -> bool:
    return write_ports(stage.target.parent / "ports", file, stage)


def test_a_camera_without_files_names_none(stage: Stage) -> None:
    assert not write(stage)
    assert written(stage) == {}


def test_each_file_names_its_port_and_a_change_is_said_once(stage: Stage) -> None:
    (stage.target / "fleet.json").write_text(FLEET % 9443)
    (stage.target / "doorsill.toml").write_text(CONFIG % 10883)
    assert write(stage, FILE)
    assert written(stage) == {"fleet": "9443\n", "broker": "10883\n", "boot": "8443\n"}
    assert not write(stage, FILE)
    (stage.target / "doorsill.toml").write_text(CONFIG % 8883)
    assert write(stage, FILE)
    assert written(stage)["broker"] == "8883\n"


def test_the_server_that_a_person_named_is_the_one_that_is_asked(stage: Stage) -> None:
    assert write(stage, replace(FILE, server=Server("192.0.2.9", 443)))
    assert written(stage) == {"boot": "443\n"}


def test_an_enrolment_that_was_cut_goes_on_without_its_voucher(stage: Stage) -> None:
    """The voucher is wiped once it is used; power goes before the rest has come."""
    stage.put("fleet.json", (FLEET % 9443).encode())
    assert write(stage, replace(FILE, voucher=None))
    assert written(stage) == {"boot": "9443\n"}


def test_what_is_used_is_shut_again(stage: Stage) -> None:
    write(stage, FILE)
    assert write(stage, replace(FILE, voucher=None))
    assert written(stage) == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("fleet.json", FLEET % '"443; flush"', id="words for a number"),
        pytest.param("fleet.json", FLEET % 70000, id="too large"),
        pytest.param("fleet.json", FLEET % "44.3", id="a fraction"),
        pytest.param("fleet.json", "{", id="cut off"),
        pytest.param("doorsill.toml", CONFIG % '"443"', id="text for a number"),
        pytest.param("doorsill.toml", CONFIG % 0, id="zero"),
        pytest.param("doorsill.toml", CONFIG % 1 + "[brocker]", id="a typo elsewhere"),
    ],
)
def test_a_file_that_is_wrong_leaves_the_port_of_before(
    stage: Stage, name: str, text: str
) -> None:
    (stage.target / "fleet.json").write_text(FLEET % 9443)
    (stage.target / "doorsill.toml").write_text(CONFIG % 10883)
    write(stage, FILE)
    before = written(stage)
    (stage.target / name).write_text(text)
    assert not write(stage, None)  # None: the boot file has a typo as well
    assert written(stage) == before
