"""Every way out, tried inside vision, uplink and vault as the product starts them.

Each process with and without landlock here; with every ABI, and with each lock alone,
by ``make confine-all`` (DOORSILL_EVERY_ABI=1). Each way succeeds where nothing holds.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ways import ATTEMPTS, FOREIGN
from ways_run import Site, plan, shop
from ways_table import LEFT_OPEN, SECURITY, cells_in, measured, table_in

from doorsill.process.landlock import version

EVERY = os.environ.get("DOORSILL_EVERY_ABI") == "1"
ABIS = tuple(range(8)) if EVERY else (0, 7)
PROCESSES = ("vision", "uplink", "vault")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes a device node")
of_this_machine = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="arm64 has no such calls in one process"
)
pytestmark = needs_root


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as folder:  # its path must be short
        yield shop(Path(folder))


@pytest.mark.parametrize("process", PROCESSES)
def test_every_way_out_is_open_where_nothing_holds(process: str, site: Site) -> None:
    found = site.tried(process, plan(control=True))
    assert set(found) == set(ATTEMPTS)
    assert {name: said for name, said in found.items() if said != "open"} == {}


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("abi", ABIS)
def test_every_way_out_is_closed(process: str, abi: int, site: Site) -> None:
    if abi > version():
        pytest.skip(f"this kernel has landlock {version()}")
    found = site.tried(process, plan(abi=abi))
    assert set(found) == set(ATTEMPTS)
    assert not [name for name, said in found.items() if "broken" in said], found
    left = {name for name, said in found.items() if said == "open"}
    assert left == LEFT_OPEN[process]


@pytest.mark.parametrize("process", PROCESSES)
def test_every_lock_holds_in_the_process_as_the_product_starts_it(
    process: str, site: Site
) -> None:
    site.tried(process, plan())
    wanted = ["seccomp", "landlock 7", "no new privileges", "memory locked"]
    wanted += [] if process == "vision" else ["room"]
    held = site.locks[process].split("; ")
    assert set(wanted) <= set(held)
    site.tried(process, plan(abi=0, room=False))
    assert "landlock 7" not in site.locks[process]
    site.tried(process, plan(control=True))
    locks = {"seccomp", "landlock 7", "room", "no new privileges"}
    assert locks & set(site.locks[process].split("; ")) == set()


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("lock", ["S", "R", "L"])
def test_each_lock_alone_closes_what_security_md_says(
    process: str, lock: str, site: Site
) -> None:
    cells = {way: said[process] for way, said in cells_in(SECURITY).items()}
    assert set(cells) == set(ATTEMPTS)
    alone = plan(abi=7 * (lock == "L"), room=lock == "R", calls=lock == "S")
    found = site.tried(process, alone)
    closed = {way for way, said in found.items() if said != "open"}
    wanted = {way for way, cell in cells.items() if lock in cell or "H" in cell}
    assert closed == wanted


@of_this_machine
@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("way", FOREIGN)
def test_a_call_of_a_foreign_abi_ends_the_process(
    process: str, way: str, site: Site
) -> None:
    for abi in ABIS if EVERY else (0,):
        assert site.tried(process, plan(abi=abi, only=way)) == {way: "killed"}


@of_this_machine
def test_negative_control_int_0x80_is_answered_where_nothing_holds(site: Site) -> None:
    way = "a call by int 0x80"
    assert site.tried("vision", plan(control=True, only=way)) == {way: "open"}


@pytest.mark.timeout(600)  # every lock alone, one after the other
@pytest.mark.skipif(not EVERY, reason="make confine-all")
def test_security_md_says_which_lock_alone_closes_which_way(site: Site) -> None:
    assert table_in(SECURITY.read_text("utf-8")) == measured(site)
