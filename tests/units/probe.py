"""What a process of ours could do if nothing but its unit held it: one line of JSON.

Started in place of the program, under the unit as shipped; and once without any unit,
as the same user, where it must get through: the control. Needs Python alone.
"""

import ctypes
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)
SHMGET, MQ_OPEN, USERFAULTFD = 29, 240, 323  # x86-64
IPC_PRIVATE, IPC_CREAT, O_RDWR_CREAT = 0, 0o1000, 0o102
BROKER = ("127.0.0.1", 8883)


def call(number: int, *arguments: Any) -> None:
    """A system call by its number; OSError with what the kernel says."""
    if _libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


def queue() -> None:
    call(MQ_OPEN, f"probe-{os.getuid()}".encode(), O_RDWR_CREAT, 0o600, None)


def write(folder: str) -> Callable[[], None]:
    def attempt() -> None:
        path = Path(folder, "probe")
        path.write_bytes(b"a picture")
        path.unlink()

    return attempt


def connect(path: str, kind: int = socket.SOCK_STREAM) -> Callable[[], None]:
    def attempt() -> None:
        with socket.socket(socket.AF_UNIX, kind) as line:
            line.connect(path)

    return attempt


def attribute() -> None:
    """3,000 bytes on the disk beside a file, not in it (R-M9)."""
    folder = os.environ.get("STATE_DIRECTORY") or os.environ.get("PROBE_STATE", "")
    path = folder.partition(":")[0] or "/run/doorsill"
    os.setxattr(path, b"user.picture", bytes(3000))


def reach() -> None:
    with socket.create_connection(BROKER, 3):
        pass


def bind(port: int) -> Callable[[], None]:
    def attempt() -> None:
        with socket.socket() as line:
            line.bind(("127.0.0.1", port))

    return attempt


def listen() -> None:
    with socket.socket() as line:
        line.listen()  # on any free port, without naming one


def raw_socket() -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()


def camera() -> None:
    os.close(os.open("/dev/video0", os.O_RDWR | os.O_NONBLOCK))


def token() -> None:
    os.close(os.open("/dev/hidraw0", os.O_RDWR | os.O_NONBLOCK))


ATTEMPTS: dict[str, Callable[[], None]] = {
    "write /tmp": write("/tmp"),  # noqa: S108
    "write /var/tmp": write("/var/tmp"),  # noqa: S108
    "write /dev/shm": write("/dev/shm"),  # noqa: S108
    "extended attribute": attribute,
    "System V memory": lambda: call(SHMGET, IPC_PRIVATE, 4096, IPC_CREAT | 0o600),
    "message queue": queue,
    "userfaultfd": lambda: call(USERFAULTFD, 1),
    "system bus": connect("/run/dbus/system_bus_socket"),
    "journal": connect("/run/systemd/journal/socket", socket.SOCK_DGRAM),
    "pcscd": connect("/run/pcscd/pcscd.comm"),
    "vision's counts": connect("/run/doorsill/cells.sock", socket.SOCK_SEQPACKET),
    "broker": reach,
    "bind to a free port": bind(0),
    "bind to port 8080": bind(8080),
    "listen": listen,
    "netlink": raw_socket,
    "camera": camera,
    "FIDO2 key": token,
}


def another_user() -> None:
    os.seteuid(65534)
    os.seteuid(0)


def another_owner() -> None:
    path = Path("/etc/doorsill/probe")
    path.touch()
    try:
        os.chown(path, 65534, 65534)
    finally:
        path.unlink()


def read(path: str) -> Callable[[], None]:
    return lambda: os.close(os.open(path, os.O_RDONLY))


# What root alone may do without a unit, for the two units that have no user.
OF_ROOT: dict[str, Callable[[], None]] = {
    "write /etc": write("/etc"),
    "write /etc/doorsill": write("/etc/doorsill"),
    "write /boot/firmware": write("/boot/firmware"),
    "write /var/lib/doorsill": write("/var/lib/doorsill"),
    "read the outbox": read("/var/lib/doorsill/outbox/outbox.db"),
    "systemd": connect("/run/systemd/private"),
    "another user": another_user,
    "another owner": another_owner,
}


def answer(attempt: Callable[[], None]) -> str:
    try:
        attempt()
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)
    return "open"


if __name__ == "__main__":
    tried = ATTEMPTS if os.getuid() else ATTEMPTS | OF_ROOT
    sys.stdout.write(json.dumps({k: answer(a) for k, a in tried.items()}) + "\n")
