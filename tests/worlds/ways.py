"""Ways out of a confined process, and in: each one line of a table.

Each does its worst against what ``ground`` laid out, and raises OSError where it is
closed. Tried inside a process as the product starts it (``ways_inside.py``), and once
more unconfined, where all of them succeed: a way that never succeeds proves nothing.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import pty
import resource
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from children import started
from limits import PROGRAM_S

from doorsill.process.kernel import call, libc, prctl

FACE = b"face" * 750  # 3,000 bytes, as a part of a picture
MASK = b"mask" * 750  # the same, to be distinguished from it
MACHINE = platform.machine()


@dataclass(frozen=True, slots=True)
class Ground:
    """What lies outside of everything that a process may touch."""

    folder: Path  # with victim, doomed, own, a, empty, fifo, node (a device), link
    port: int  # somebody listens there, TCP and UDP
    bus: Path  # a daemon's stream socket, as the system bus has one
    journal: Path  # a daemon's datagram socket
    abstract: str  # the name of one that is in no file system
    terminal: str  # a pseudo-terminal
    other: int  # the id of somebody else's process

    def text(self) -> str:
        """For the process inside."""
        return json.dumps(asdict(self), default=str)


def ground_of(text: str) -> Ground:
    """What ``Ground.text`` said."""
    said = json.loads(text)
    paths = {name: Path(said[name]) for name in ("folder", "bus", "journal")}
    return Ground(**{**said, **paths})


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """Lay it out in ``folder``, whose path must be short; gone when this is left."""
    outside = folder / "outside"
    outside.mkdir()
    for name in ("victim", "doomed", "own", "a"):
        (outside / name).write_bytes(b"x")
    (outside / "empty").mkdir()
    (outside / "link").symlink_to("victim")
    os.mkfifo(outside / "fifo")
    reader = os.open(outside / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    node = outside / "node"  # stands for a camera: reading it gives bytes
    os.mknod(node, 0o20666, os.makedev(1, 5))
    control, terminal = pty.openpty()
    kinds = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
    streams, datagrams = [socket.socket(socket.AF_UNIX, each) for each in kinds], []
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
        streams[0] as bus,
        streams[1] as journal,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract,
        started(["sleep", "600"]) as other,
    ):
        port = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))
        bus.bind(str(folder / "bus"))
        bus.listen(8)
        journal.bind(str(folder / "journal"))
        abstract.bind("\0" + str(folder))
        datagrams += [journal, abstract]
        try:
            yield Ground(
                outside,
                port,
                folder / "bus",
                folder / "journal",
                str(folder),
                os.ttyname(terminal),
                other.pid,
            )
        finally:
            other.kill()
            for handle in (reader, control, terminal):
                os.close(handle)


# Calls that Python has no name for: x86-64, arm64.
NUMBERS = {
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190),
    "mq_open": (240, 180), "add_key": (248, 217), "userfaultfd": (323, 282),
    "unshare": (272, 97), "fsopen": (430, 430), "open_tree": (428, 428),
    "pidfd_getfd": (438, 438), "fanotify_init": (300, 262), "syslog": (103, 116),
    "io_uring_setup": (425, 425), "process_vm_readv": (310, 270), "ptrace": (101, 117),
    "personality": (135, 92), "name_to_handle_at": (303, 264), "kcmp": (312, 272),
    "execveat": (322, 281), "openat2": (437, 437),
}  # fmt: skip


def _call(name: str, *arguments: object) -> int:
    number = NUMBERS[name][0 if MACHINE == "x86_64" else 1]
    answer = call(number, *arguments)
    if answer < 0:
        raise OSError(-answer, os.strerror(-answer))
    return answer


def _checked(answer: int) -> None:
    if answer < 0:
        raise OSError(-answer, os.strerror(-answer))


def _open(path: Path, flags: int) -> None:
    os.close(os.open(path, flags, 0o600))


def _send(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.sendto(FACE, str(path))


def _openat2(at: Ground) -> None:
    how = struct.pack("QQQ", os.O_WRONLY | os.O_CREAT, 0o600, 0)
    os.close(_call("openat2", -100, bytes(at.folder / "n2"), how, len(how)))


def _mapped(at: Ground) -> None:
    handle = os.open(at.folder / "victim", os.O_RDWR)
    with mmap.mmap(handle, 1) as memory:
        memory[0:1] = b"f"
    os.close(handle)


def _ran(command: list[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=PROGRAM_S)


def _forked() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _become_a_program_from_memory() -> None:
    """Start a program that is in no file, in our own place."""
    handle = os.memfd_create("x")
    os.write(handle, Path("/bin/true").read_bytes())
    arguments = (ctypes.c_char_p * 2)(b"x", None)
    _call("execveat", handle, b"", arguments, None, 0x1000)


def _connect(family: int, kind: int, address: Any) -> None:
    with socket.socket(family, kind) as found:
        found.settimeout(2)
        found.connect(address)
        found.send(b"face")


def _pidfd_signal(at: Ground) -> None:
    handle = os.pidfd_open(at.other)
    signal.pidfd_send_signal(handle, 0)


def _pidfd_getfd(at: Ground) -> None:
    os.close(_call("pidfd_getfd", os.pidfd_open(at.other), 0, 0))


def _ask_for_signals(at: Ground) -> None:
    """A handle that makes the kernel signal somebody else."""
    reader, writer = os.pipe()
    try:
        fcntl.fcntl(reader, fcntl.F_SETOWN, at.other)
    finally:
        os.close(reader)
        os.close(writer)


def _memory_of(at: Ground) -> None:
    there = ctypes.create_string_buffer(8)
    here = struct.pack("QQ", ctypes.addressof(there), 8)
    maps = Path(f"/proc/{at.other}/maps").read_text("ascii")
    start = int(maps.split("-", 1)[0], 16)
    _call("process_vm_readv", at.other, here, 1, struct.pack("QQ", start, 8), 1, 0)


def _own_memory() -> None:
    kept = ctypes.create_string_buffer(b"abc")
    handle = os.open("/proc/self/mem", os.O_RDWR)
    os.pwrite(handle, b"x", ctypes.addressof(kept))
    os.close(handle)


def _dumpable() -> None:
    _checked(prctl(4, 1))


def _new_code() -> None:
    """A page that can be written and run."""
    with mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC):
        pass


def _code_by_turns() -> None:
    """A page that is written first and run then."""
    memory = mmap.mmap(-1, 4096)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if libc.mprotect(address, 4096, 5) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")


def _typed(at: Ground, request: int) -> None:
    handle = os.open(at.terminal, os.O_RDONLY | os.O_NOCTTY)
    try:
        fcntl.ioctl(handle, request, b"#")
    except OSError as error:
        # TIOCLINUX: only a console takes it; that it was asked is what counts here.
        if error.errno not in (errno.ENOTTY, errno.EIO, errno.EINVAL):
            raise
    finally:
        os.close(handle)


def _read(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if len(os.read(handle, 16)) == 0:
        raise OSError(errno.ENODATA, "nothing came")
    os.close(handle)


def _ioctl_of_a_camera(at: Ground) -> None:
    """VIDIOC_QUERYCAP: what every reader of a camera asks first."""
    handle = os.open(at.terminal, os.O_RDONLY | os.O_NOCTTY)
    try:
        fcntl.ioctl(handle, 0x80685600, bytes(104))
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EINVAL):  # it was asked
            raise
    finally:
        os.close(handle)


def _handle_of(at: Ground) -> None:
    found = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    place = ctypes.c_int()
    _call("name_to_handle_at", -100, bytes(at.folder), found, ctypes.byref(place), 0)


def _set_core_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    except ValueError:  # how Python spells EPERM here
        raise PermissionError(errno.EPERM, "setrlimit") from None


ATTEMPTS: dict[str, Callable[[Ground], object]] = {
    # Files.
    "make a file": lambda at: (at.folder / "new").write_bytes(FACE),
    "write into a file": lambda at: _open(at.folder / "victim", os.O_RDWR),
    "append to a file": lambda at: _open(at.folder / "own", os.O_WRONLY | os.O_APPEND),
    "write through a mapping": _mapped,
    "empty a file by opening it": lambda at: _open(
        at.folder / "own", os.O_RDONLY | os.O_TRUNC
    ),
    "truncate a file by name": lambda at: os.truncate(at.folder / "victim", 0),
    "open for writing by openat2": _openat2,
    "make a file without a name": lambda at: _open(
        at.folder, os.O_TMPFILE | os.O_WRONLY
    ),
    "delete a file": lambda at: (at.folder / "doomed").unlink(),
    "rename a file": lambda at: (at.folder / "a").rename(at.folder / "b"),
    "make a folder": lambda at: (at.folder / "made").mkdir(),
    "remove a folder": lambda at: (at.folder / "empty").rmdir(),
    "make a symbolic link": lambda at: (at.folder / "l").symlink_to("victim"),
    "make a hard link": lambda at: (at.folder / "h").hardlink_to(at.folder / "victim"),
    "make a fifo": lambda at: os.mkfifo(at.folder / "f2"),
    "make a device node": lambda at: os.mknod(
        at.folder / "n", 0o20666, os.makedev(1, 5)
    ),
    "write into a fifo": lambda at: os.write(
        os.open(at.folder / "fifo", os.O_WRONLY | os.O_NONBLOCK), FACE[:100]
    ),
    "write to shared memory": lambda at: Path("/dev/shm/doorsill-way").write_bytes(  # noqa: S108
        FACE
    ),
    "write to /tmp": lambda at: Path("/tmp/doorsill-way").write_bytes(FACE),  # noqa: S108
    # Metadata.
    "set an attribute of a file": lambda at: os.setxattr(
        at.folder / "own", "user.face", FACE
    ),
    "set an attribute of a folder": lambda at: os.setxattr(
        at.folder, "user.face", FACE[:2000]
    ),
    "change times": lambda at: os.utime(at.folder / "own", ns=(1, 2)),
    "change a mode": lambda at: (at.folder / "own").chmod(0o640),
    "change an owner": lambda at: os.chown(at.folder / "own", os.getuid(), -1),
    # Memory and queues that outlive the process.
    "System V shared memory": lambda at: _call("shmget", 0x1234, 8192, 0o1600),
    "System V queue": lambda at: _call("msgget", 0x1235, 0o1600),
    "System V semaphore": lambda at: _call("semget", 0x1236, 1, 0o1600),
    "POSIX queue": lambda at: _call("mq_open", b"doorsill", 0o102, 0o600, None),
    "a key in the kernel": lambda at: _call(
        "add_key", b"user", b"doorsill", FACE, len(FACE), -4
    ),
    # Sockets.
    "connect by TCP": lambda at: _connect(
        socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", at.port)
    ),
    "send a datagram": lambda at: _connect(
        socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", at.port)
    ),
    "an IPv6 socket": lambda at: socket.socket(socket.AF_INET6).close(),
    "a netlink socket": lambda at: socket.socket(16, socket.SOCK_RAW).close(),
    "a raw packet socket": lambda at: socket.socket(17, socket.SOCK_RAW).close(),
    "connect to a local daemon": lambda at: _connect(
        socket.AF_UNIX, socket.SOCK_STREAM, str(at.bus)
    ),
    "send to the journal": lambda at: _send(at.journal),
    "send to an abstract socket": lambda at: _connect(
        socket.AF_UNIX, socket.SOCK_DGRAM, "\0" + at.abstract
    ),
    "listen for others": lambda at: socket.create_server(("127.0.0.1", 0)).close(),
    # Programs and processes.
    "start a program": lambda at: _ran(["/bin/true"]),
    "start a program from memory": lambda at: _become_a_program_from_memory(),
    "become a program": lambda at: os.execv("/bin/true", ["true"]),  # noqa: S606
    "fork": lambda at: _forked(),
    "signal another process": lambda at: os.kill(at.other, 0),
    "signal by a handle": _pidfd_signal,
    "let the kernel signal another": _ask_for_signals,
    "take another's open file": _pidfd_getfd,
    "trace another process": lambda at: _call("ptrace", 0x4206, at.other, None, None),
    "read another's memory": _memory_of,
    "read another's environment": lambda at: _read(Path(f"/proc/{at.other}/environ")),
    "write its own memory by /proc": lambda at: _own_memory(),
    # The kernel.
    "a user namespace": lambda at: _call("unshare", 0x10000000),
    "a mount": lambda at: _call("fsopen", b"tmpfs", 0),
    "clone a mount": lambda at: os.close(_call("open_tree", -100, b"/", 1)),
    "userfaultfd": lambda at: os.close(_call("userfaultfd", 0o2000001)),
    "fanotify": lambda at: os.close(_call("fanotify_init", 0x200, 0)),
    "io_uring": lambda at: os.close(
        _call("io_uring_setup", 8, ctypes.create_string_buffer(256))
    ),
    "personality": lambda at: _call("personality", 0),
    "compare with another process": lambda at: _call(
        "kcmp", os.getpid(), at.other, 2, 0, 0
    ),
    "a file by its handle": _handle_of,
    "read the kernel's log": lambda at: _call(
        "syslog", 3, ctypes.create_string_buffer(100), 100
    ),
    "a page that is written and run": lambda at: _new_code(),
    "a page that is written, then run": lambda at: _code_by_turns(),
    "be dumpable again": lambda at: _dumpable(),
    "set a limit": lambda at: _set_core_limit(),
    # Terminals, devices, words.
    "type into a terminal": lambda at: _typed(at, 0x5412),
    "paste into a console": lambda at: _typed(at, 0x541C),
    "read a device": lambda at: _read(at.folder / "node"),
    "speak on standard error": lambda at: os.write(2, FACE),
    "speak on standard output": lambda at: os.write(1, MASK),
}
# Fatal where they are closed, so each needs a process of its own (x86-64 only).
FOREIGN = {
    "a call by int 0x80": lambda code: code.i80(20, 0, 0, 0),
    "a call of x32": lambda code: code.x32(39, 0, 0, 0),
}
FOREIGN_SOURCE = """
long i80(long nr, long a, long b, long c) {
    long r;
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c)
                     : "memory");
    return r;
}
long x32(long nr, long a, long b, long c) {
    long r;
    __asm__ volatile("syscall" : "=a"(r)
                     : "a"(nr | 0x40000000), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return r;
}
"""
