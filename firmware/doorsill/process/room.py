"""The third lock: a mount namespace that holds only what a process needs.

    /usr /etc /proc, the program     to be read
    the folder that it keeps         to be written
    the folders of its sockets       to be connected to
    /dev                             null, zero, full, random; no camera

A systemd unit gives a process the same. Without a unit, the process makes a room itself
before it confines itself; that works as root, and if the kernel lets every user make
user namespaces. On a kernel without landlock the room is what confines uplink and
vault. On every kernel it keeps the vault away from the daemons of this machine.

Source: mount_namespaces(7), user_namespaces(7), pivot_root(2), mount_setattr(2).
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from doorsill.process import seccomp
from doorsill.process.kernel import call, libc

CLONE_NEWNS, CLONE_NEWIPC = 0x20000, 0x8000000
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2  # umount2(2)
MOUNT_SETATTR = 442  # the same on every machine
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
ROOM_FLAGS = MS_NOSUID | MS_NODEV  # of the new root

HARMLESS_DEVICES = ("null", "zero", "full", "random", "urandom")
SYSTEM = tuple(map(Path, ("/usr", "/etc", "/bin", "/lib", "/lib64")))
# What is shown of /proc: this process and the machine, and no other process.
OF_PROC = (
    "self",
    "sys",
    "swaps",
    "meminfo",
    "stat",
    "cpuinfo",
    "uptime",
    "loadavg",
    "filesystems",
)
# File systems of the kernel, which hold no files of a disk; every mount table has them.
KERNEL_FILES = (
    "proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "securityfs", "hugetlbfs",
    "autofs", "binfmt_misc", "bpf", "configfs", "debugfs", "efivarfs", "fusectl",
    "pstore", "tracefs",
)  # fmt: skip
# If one of these is visible, the process sees the whole machine and is in no room.
STRANGERS = tuple(
    map(Path, ("/run/dbus/system_bus_socket", "/run/systemd/journal/socket"))
)
START = Path("/tmp")  # noqa: S108 - where the new root is put together
OLD = "old"  # folder of the old root, until it is unmounted
DEVICES = Path("/dev")


def program_paths() -> tuple[Path, ...]:
    """The folders of the system, the interpreter, its packages and ours."""
    # The first entry of sys.path is left out: it is the folder that we were started in.
    package = Path(__file__).parent.parent
    ours = (sys.prefix, sys.base_prefix, str(package), *sys.path[1:])
    found = [*SYSTEM, *(Path("/proc", each) for each in OF_PROC)]
    found += [Path(each) for each in ours if each]
    return tuple(dict.fromkeys(each for each in found if each.exists()))


def find_openings(
    table: str, writable: Sequence[Path], visible: Sequence[Path] = ()
) -> list[str]:
    """What the mount table leaves open and a room would close; empty in a room.

    ``table`` is the text of /proc/self/mountinfo; see proc_pid_mountinfo(5). A tmpfs
    below ``visible``, as the runtime folder of a unit, is no disk and may be written.
    Where one lies on another at the same place, the lower one is out of reach.
    """
    found = []
    for before, after in _uncovered(table):
        place, options = before[4:6]
        kind, _, of_all = after.split(" ")[:3]
        harmless = [*writable, *(Path("/dev", name) for name in HARMLESS_DEVICES)]
        if kind in KERNEL_FILES or _below(Path(place), harmless):
            continue
        if kind == "tmpfs" and _below(Path(place), visible):
            continue
        if "rw" in options.split(",") and "rw" in of_all.split(","):
            found.append(f"{place} ({kind}) can be written")
    return found + [f"{each} is in sight" for each in STRANGERS if each.exists()]


def _uncovered(table: str) -> list[tuple[list[str], str]]:
    """The fields before and the words after the dash, of each mount to be reached.

    The root is reached in any case: a path that begins there does not step up to what
    was laid on it later.
    """
    rows = []
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        rows.append((before.split(" "), after))
    places = {row[0]: row[4] for row, _ in rows}
    laid_on = [row for row, _ in rows if row[4] != "/"]
    found = {row[1] for row in laid_on if places.get(row[1]) == row[4]}
    away: set[str] = set()
    while found - away:  # and what lies in the folders of one that is covered
        away |= found
        found = {r[0] for r in laid_on if r[1] in away and places[r[1]] != r[4]}
    return [(row, after) for row, after in rows if row[0] not in away]


def left_by_unit(writable: Sequence[Path], visible: Sequence[Path]) -> list[str]:
    """What is left open around this process now; empty if a unit made a room."""
    table = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    return find_openings(table, writable, visible)


def harmless_devices() -> list[Path]:
    """Device files that every program may need; no camera is among them."""
    found = (DEVICES / name for name in HARMLESS_DEVICES)
    return [each for each in found if each.exists()]


def enter(writable: Sequence[Path], visible: Sequence[Path]) -> None:
    """Make a room and enter it, for good; OSError if the kernel refuses.

    Inside, ``visible`` can be read and its sockets can be connected to. There is no
    network.
    """
    here = Path.cwd()
    kept = [(path, path.resolve()) for path in writable]
    shown = _outermost([*program_paths(), *visible])
    # Links are resolved now: later they would lead into the new root.
    seen = [(path, path.resolve()) for path in shown]
    _unshare()
    _mount(None, Path("/"), None, MS_REC | MS_PRIVATE)
    _mount("tmpfs", START, "tmpfs", ROOM_FLAGS, "mode=755,size=64k")
    (START / OLD).mkdir()
    _check(call(PIVOT_ROOT[seccomp.machine()], bytes(START), bytes(START / OLD)))
    os.chdir("/")
    old = Path("/") / OLD
    for path, source in seen:
        _show(old, path, source, ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV)
    for path, source in kept:
        if path.is_relative_to(DEVICES):
            _show(old, path, source, ATTR_NOSUID, deep=False)  # without /dev/shm
        else:
            _show(old, path, source, ATTR_NOSUID | ATTR_NODEV)
    for name in HARMLESS_DEVICES:
        if not (DEVICES / name).exists():
            _show(old, DEVICES / name, DEVICES / name, ATTR_NOSUID)
    _check(libc.umount2(bytes(old), MNT_DETACH))
    old.rmdir()
    _mount(None, Path("/"), None, MS_REMOUNT | MS_BIND | MS_RDONLY | ROOM_FLAGS)
    os.chdir(here if here.is_dir() else "/")


def _unshare() -> None:
    """Get a mount table and a network of our own; without root, by a user namespace."""
    user, group = os.geteuid(), os.getegid()
    flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET
    if user != 0:
        flags |= CLONE_NEWUSER
    _check(libc.unshare(flags))
    if user != 0:  # we keep our user and group id; no other id exists inside
        Path("/proc/self/setgroups").write_text("deny", "ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", "ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", "ascii")


def _show(
    old: Path, path: Path, source: Path, attributes: int, *, deep: bool = True
) -> None:
    """Mount ``source`` (no link) of the old root at ``path``, with ``attributes``.

    ``deep`` includes what is mounted below it.
    """
    there = old / source.relative_to("/")
    if there.is_dir():
        path.mkdir(parents=True, exist_ok=True)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    _mount(str(there), path, None, MS_BIND | (MS_REC if deep else 0))
    # struct mount_attr: set, clear, propagation, user namespace.
    asked = struct.pack("QQQQ", attributes, 0, 0, 0)
    where = (AT_FDCWD, bytes(path), AT_RECURSIVE)
    _check(call(MOUNT_SETATTR, *where, asked, len(asked)))


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths that lie below no other one, in the same order."""
    unique = list(dict.fromkeys(paths))
    return [
        each for each in unique if not _below(each, [x for x in unique if x != each])
    ]


def _below(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.is_relative_to(each) for each in folders)


def _mount(
    source: str | None, target: Path, kind: str | None, flags: int, data: str = ""
) -> None:
    words = [None if each is None else os.fsencode(each) for each in (source, kind)]
    flag = ctypes.c_ulong(flags)
    _check(libc.mount(words[0], bytes(target), words[1], flag, data.encode() or None))


def _check(answer: int) -> None:
    """OSError if the C library (-1) or the kernel (minus the number) refused."""
    if answer < 0:
        number = ctypes.get_errno() if answer == -1 else -answer
        raise OSError(number, os.strerror(number))
