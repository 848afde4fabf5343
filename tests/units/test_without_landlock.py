"""The same shop on a kernel without landlock, as Raspberry Pi's is.

The container refuses landlock's three system calls as a kernel without it would.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .machine import Machine, until
from .shop import Shop
from .test_units import ALL, READY_S, STATE_S, status, until_active

ASK = "from doorsill.process.landlock import version; print(version())"


@pytest.fixture(scope="module")
def without(root: Path, machine: Machine, shop: Shop) -> Iterator[Machine]:
    """The machine, switched off and on again with another kernel."""
    shop.stop_listening()
    machine.off()
    found = Machine(root, landlock=False)
    found.boot()
    shop.listen()
    yield found
    shop.stop_listening()
    found.off()


def test_it_starts_counts_and_keeps_faces_shut(without: Machine, shop: Shop) -> None:
    python = ["systemd-run", "--wait", "-Pq", "/opt/doorsill/bin/python", "-c", ASK]
    assert without.run(*python) == "0"
    without.systemctl("start", "doorsill.target")
    until_active(without, *ALL)
    until(lambda: shop.state() == "ready", STATE_S, lambda: without.said("uplink"))
    health = until(lambda: shop.heard("health"), READY_S, "health")[-1]
    print(f"without landlock these hold: {health['locks']}")
    assert "landlock" not in health["locks"] and "seccomp" in health["locks"]
    assert "locks" not in health["problems"]
    shop.insert()
    until(
        lambda: status(without)["state"] == "open",
        READY_S,
        lambda: without.said("vault"),
    )
    shop.pull()
    until(
        lambda: status(without)["verified_blank"],
        READY_S,
        lambda: without.said("vault"),
    )
