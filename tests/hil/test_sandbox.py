"""What this kernel enforces: what may leave, who listens, with landlock and without."""

from __future__ import annotations

from typing import Any

import pytest
from rig.guest import Guest

from .camera import PYTHON, READY_S, Camera

WITHOUT = "lsm=lockdown,capability,yama,bpf"  # on the kernel line
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


def locks_of(camera: Camera) -> list[str]:
    health = camera.until(lambda: camera.heard("health"), READY_S, camera.last_words)
    return list(health["locks"])


def test_with_landlock_every_lock_holds(camera: Camera, record_property: Note) -> None:
    locks = locks_of(camera)
    record_property("locks", " ".join(locks))
    assert "landlock" in " ".join(locks) and "seccomp" in " ".join(locks)


def test_without_landlock_it_counts_and_says_so(
    camera: Camera, record_property: Note
) -> None:
    if not isinstance(camera.board, Guest):
        pytest.skip("a bench boots the kernel line of its card")
    camera.board.power_off()
    camera.board.more = WITHOUT
    camera.switch_on()
    camera.login()
    camera.until(lambda: camera.state() == "ready", READY_S, camera.last_words)
    locks = locks_of(camera)
    camera.board.more = ""
    record_property("locks", " ".join(locks))
    assert "landlock" not in " ".join(locks) and "seccomp" in " ".join(locks)
    health = camera.heard("health")
    assert health is not None and "locks" not in health["problems"]
