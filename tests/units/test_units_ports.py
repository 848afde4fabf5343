"""The image's filter under a real systemd: opened by numbers, by one unit alone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from filtered import by_number
from fleets import SITE

from doorsill.documents.boot.file import NAME, BootFile, write_boot_file
from doorsill.documents.voucher import Voucher, new_secret, new_serial, root_mark
from image import system

from .machine import Machine, until
from .test_units import READY_S

IMAGE = system.HERE / "system"
UNIT = "doorsill-ports.service"
FIRST = "doorsill-first-boot.service"
FOLDER = "run/doorsill-ports"
PORT = 9443
# Where nobody answers: the first boot opens the port all the same, before it asks.
VOUCHER = Voucher(
    "localhost", PORT, new_serial(b"1234567890"), new_secret(b"1234567890"),
    root_mark(b"r"),
)  # fmt: skip


@pytest.fixture(scope="module")
def filtered(machine: Machine) -> Iterator[Machine]:
    """With the image's rules, script and unit; its network is ours."""
    rules = (IMAGE / "etc/nftables.conf").read_text("utf-8")
    machine.inside("etc/nftables.conf").write_text(by_number(rules))
    for name in ("usr/lib/doorsill/open-ports", f"usr/lib/systemd/system/{UNIT}"):
        machine.inside(name).parent.mkdir(exist_ok=True)
        shutil.copy(IMAGE / name, machine.inside(name))
    machine.systemctl("daemon-reload")
    yield machine
    machine.systemctl("stop", FIRST, "nftables.service")
    machine.run("nft", "flush", "ruleset")
    machine.inside(f"usr/lib/systemd/system/{UNIT}").unlink()
    machine.systemctl("daemon-reload")


def let_out(machine: Machine, name: str) -> list[int]:
    """The ports of one set of the filter, as the machine's own program reads them."""
    said = machine.run("nft", "list", "set", "inet", "doorsill", name)
    elements = re.search(r"elements = \{([^}]*)\}", said)
    return sorted(map(int, elements[1].split(","))) if elements else []


def write(machine: Machine, **numbers: str) -> None:
    folder = machine.inside(FOLDER)
    folder.mkdir(exist_ok=True)
    for name, text in numbers.items():
        (folder / name).write_text(text)


def test_the_numbers_are_let_out(filtered: Machine) -> None:
    write(filtered, broker="10883\n", fleet="8443\n")
    assert filtered.systemctl("start", UNIT) == "", filtered.said("ports")
    assert (let_out(filtered, "broker"), let_out(filtered, "fleet")) == (
        [10883],
        [8443],
    )
    assert "let out: broker 10883, fleet 8443" in filtered.said("ports")


def test_what_is_no_number_fails_the_unit_and_changes_nothing(
    filtered: Machine,
) -> None:
    write(filtered, broker="22 }; flush ruleset; #\n", fleet="443\n")
    assert "failed" in filtered.systemctl("start", UNIT)
    assert "holds no port from 1 to 65535" in filtered.said("ports")
    assert (let_out(filtered, "broker"), let_out(filtered, "fleet")) == (
        [10883],
        [8443],
    )


def test_the_first_boot_opens_what_the_boot_file_names(filtered: Machine) -> None:
    shutil.rmtree(filtered.inside(FOLDER))
    card = filtered.inside("boot/firmware") / NAME
    card.parent.mkdir(parents=True, exist_ok=True)
    card.write_bytes(write_boot_file(BootFile(SITE, VOUCHER, camera="street")))
    assert filtered.systemctl("start", FIRST) == ""
    until(
        lambda: PORT in let_out(filtered, "fleet"),
        READY_S,
        lambda: filtered.said("first-boot"),
    )
    filtered.systemctl("stop", FIRST)
