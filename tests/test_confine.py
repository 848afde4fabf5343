"""The process that sees pixels cannot write, open a socket, or start a program.

Every attempt runs in a child process, once confined and once not: an attempt that
fails in both proves nothing.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHILD = """
import ctypes, json, os, resource, socket, subprocess, sys
from pathlib import Path
from doorsill.confine import Confinement, confine
from doorsill.errors import ConfigError

plan = json.loads(sys.argv[1])
allowed, forbidden = Path(plan["allowed"]), Path(plan["forbidden"])
victim = forbidden / "victim"
if plan["confine"]:
    confine(Confinement(
        plan["process"],
        writable=[Path(p) for p in plan["writable"]], ports=plan["ports"],
    ))

def write(path):
    with open(path, "wb") as file:
        file.write(b"face")

def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(2)
        s.connect(address)

def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"face", ("127.0.0.1", plan["port"]))

def memory_of_parent():
    with open(f"/proc/{os.getppid()}/mem", "rb") as file:
        file.read(0)

attempts = {
    "write a file": lambda: write(forbidden / "new"),
    "write to shared memory": lambda: write("/dev/shm/doorsill-confine-test"),
    "truncate a file": lambda: os.truncate(victim, 0),
    "delete a file": lambda: os.unlink(forbidden / "doomed"),
    "rename a file": lambda: os.rename(forbidden / "a", forbidden / "b"),
    "make a folder": lambda: os.mkdir(forbidden / "folder"),
    "make a link": lambda: os.symlink("victim", forbidden / "link"),
    "make a fifo": lambda: os.mkfifo(forbidden / "fifo"),
    "open an IPv4 socket": lambda: socket.socket(socket.AF_INET).close(),
    "open an IPv6 socket": lambda: socket.socket(socket.AF_INET6).close(),
    "open a unix socket": lambda: socket.socket(socket.AF_UNIX).close(),
    "open a netlink socket": lambda: socket.socket(16, socket.SOCK_RAW).close(),
    "connect by TCP": lambda: connect(socket.AF_INET, ("127.0.0.1", plan["port"])),
    "connect by unix socket": lambda: connect(socket.AF_UNIX, plan["unix"]),
    "send a datagram": datagram,
    "start a program": lambda: subprocess.run(["/bin/true"], check=True),
    "write where it may": lambda: write(allowed / "new"),
}
result = {}
for name, attempt in attempts.items():
    try:
        attempt()
        result[name] = "done"
    except OSError as error:
        result[name] = type(error).__name__
result["core limit"] = resource.getrlimit(resource.RLIMIT_CORE)[1]
result["dumpable"] = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
status = Path("/proc/self/status").read_text()
result["no new privileges"] = int(status.split("NoNewPrivs:")[1].split()[0])
result["seccomp"] = int(status.split("Seccomp:")[1].split()[0])
print(json.dumps(result))
"""

FORBIDDEN = (
    "write a file", "write to shared memory", "truncate a file", "delete a file",
    "rename a file", "make a folder", "make a link", "make a fifo",
    "open an IPv4 socket", "open an IPv6 socket", "open a unix socket",
    "open a netlink socket", "connect by TCP", "connect by unix socket",
    "send a datagram", "start a program",
)  # fmt: skip


def attempt_all(folder: Path, **keep: Any) -> dict[str, Any]:
    """Run every attempt in a child that keeps only what ``keep`` names."""
    allowed, forbidden = folder / "allowed", folder / "forbidden"
    for each in (allowed, forbidden):
        each.mkdir()
    for name in ("victim", "doomed", "a"):
        (forbidden / name).write_text("x")
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        unix.bind(str(folder / "peer.sock"))
        unix.listen(1)
        plan = {
            "allowed": str(allowed), "forbidden": str(forbidden), "confine": True,
            "process": "vision", "writable": [], "ports": [],
            "port": tcp.getsockname()[1], "unix": str(folder / "peer.sock"),
        } | keep  # fmt: skip
        if keep.get("ports") == "ours":
            plan["ports"] = [plan["port"]]
        done = subprocess.run(
            [sys.executable, "-c", CHILD, json.dumps(plan)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    Path("/dev/shm/doorsill-confine-test").unlink(missing_ok=True)  # noqa: S108
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture(scope="module")
def confined(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("confined")
    return attempt_all(folder)


@pytest.fixture(scope="module")
def unconfined(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return attempt_all(tmp_path_factory.mktemp("free"), confine=False)


@pytest.mark.parametrize("attempt", FORBIDDEN)
def test_vision_cannot(attempt: str, confined: dict[str, Any]) -> None:
    assert confined[attempt] == "PermissionError"


@pytest.mark.parametrize("attempt", FORBIDDEN)
def test_negative_control_without_confinement_the_same_succeeds(
    attempt: str, unconfined: dict[str, Any]
) -> None:
    assert unconfined[attempt] == "done"


def test_a_confined_process_leaves_no_core_and_gains_no_privilege(
    confined: dict[str, Any],
) -> None:
    assert confined["core limit"] == 0
    assert confined["dumpable"] == 0
    assert confined["no new privileges"] == 1
    assert confined["seccomp"] == 2


def test_uplink_keeps_its_folder_and_its_broker_and_nothing_else(
    tmp_path: Path,
) -> None:
    result = attempt_all(
        tmp_path, writable=[str(tmp_path / "allowed")], ports="ours", process="uplink"
    )
    assert result["write where it may"] == "done"
    assert result["connect by TCP"] == "done"
    for attempt in ("write a file", "write to shared memory", "start a program"):
        assert result[attempt] == "PermissionError"


def test_uplink_cannot_connect_to_another_port(tmp_path: Path) -> None:
    result = attempt_all(tmp_path, ports=[1], process="uplink")
    assert result["open an IPv4 socket"] == "done"
    assert result["connect by TCP"] == "PermissionError"


def test_a_folder_that_is_missing_gets_a_sentence(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from doorsill.confine import Confinement, confine\n"
        "confine(Confinement('vision', writable=[Path('/nowhere/at/all')]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "/nowhere/at/all must exist before" in done.stderr


def test_a_process_with_two_threads_is_not_confined_by_halves() -> None:
    code = (
        "import threading\n"
        "from doorsill.confine import Confinement, confine\n"
        "hold = threading.Event()\n"
        "threading.Thread(target=hold.wait, daemon=True).start()\n"
        "confine(Confinement('vision'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "2 threads before it confines itself" in done.stderr


def test_a_client_cannot_wait_for_others_to_connect() -> None:
    code = (
        "import socket\n"
        "from doorsill.confine import Confinement, confine\n"
        "confine(Confinement('uplink', ports=[1]))\n"
        "s = socket.socket()\n"
        "s.bind(('127.0.0.1', 0))\n"
        "s.listen(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "line 6" in done.stderr and "PermissionError" in done.stderr
