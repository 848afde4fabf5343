"""What this kernel enforces: what may leave, who listens, and every lock."""

from __future__ import annotations

from typing import Any

import pytest

from .camera import PYTHON, Camera

Note = Any
CONNECT = (
    "import socket,sys\n"
    "s=socket.socket(); s.settimeout(5)\n"
    "try: s.connect((sys.argv[1], int(sys.argv[2]))); print('open')\n"
    "except OSError as e: print(type(e).__name__, e.errno)\n"
)


def reach(camera: Camera, user: str, port: int) -> str:
    """What a program of ``user`` gets that connects to this machine's ``port``."""
    as_user = f"setpriv --reuid={user} --regid=nogroup --clear-groups"
    program = f'{PYTHON} -c "$(cat /run/hil-connect)"'
    return camera.run(f"{as_user} {program} {camera.board.host} {port}")


@pytest.fixture(scope="module")
def probed(camera: Camera) -> Camera:
    camera.console.write_file("/run/hil-connect", CONNECT.encode())
    return camera


def test_only_uplink_reaches_the_broker_and_nothing_else(
    probed: Camera, record_property: Note
) -> None:
    broker = probed.office.chain.places.broker_port
    fleet = probed.office.chain.places.port
    assert reach(probed, "doorsill-uplink", broker) == "open"
    for user, port in (
        ("doorsill-uplink", fleet),
        ("doorsill-vision", broker),
        ("doorsill-vault", broker),
        ("nobody", broker),
    ):
        said = reach(probed, user, port)
        record_property(f"{user} to {port}", said)
        assert said != "open"


def test_nobody_listens_for_the_network(probed: Camera) -> None:
    said = probed.run("ss -Hltun | awk '{print $5}' 2>/dev/null || ss -Hltun")
    heard = [each for each in said.split() if not each.startswith(("127.", "[::1]"))]
    assert [each for each in heard if not each.endswith((":68", ":546"))] == []


def test_a_name_is_found_for_each_who_asks(probed: Camera) -> None:
    """By the shop's own server, through this machine's resolver."""
    if not probed.has_layer():
        pytest.skip("only a guest's router has a known name")
    asks = "import socket; print(socket.gethostbyname('_gateway'))"
    for user in ("root", "doorsill-uplink"):
        as_user = f"setpriv --reuid={user} --regid=nogroup --clear-groups"
        assert probed.run(f'{as_user} {PYTHON} -c "{asks}"') == probed.board.host


def test_with_landlock_every_lock_holds(camera: Camera, record_property: Note) -> None:
    locks = " ".join(camera.locks())
    record_property("locks", locks)
    assert "landlock" in locks and "seccomp" in locks
