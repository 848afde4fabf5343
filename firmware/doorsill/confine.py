"""A process gives up, for good, what its job does not need.

    harden()   no new privileges, no core dump, unreadable by its peers, no swap
    landlock   no write, no execution and no TCP but what is named
    seccomp    no new socket, no connection, no other program, no peeking at processes

systemd does the same again from outside (``firmware/systemd/``); this is what holds
on a laptop as well. All of it is inherited by threads and children and cannot be
taken back. A kernel that lacks a part makes :func:`confine` raise: a process that
would see pixels must not run half confined.

Source: landlock(7), seccomp(2), prctl(2); numbers from the kernel's own headers.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from doorsill.errors import ConfigError

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_MDWE = 4, 38, 22, 65
MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4
M_PERTURB, WIPED = -6, 0xFF  # malloc.h; what is freed becomes this, what is new nought

# landlock(7): access rights by the ABI that brought them.
EXECUTE, WRITE_FILE, TRUNCATE, IOCTL_DEV = 1 << 0, 1 << 1, 1 << 14, 1 << 15
_MAKE_AND_REMOVE = sum(1 << bit for bit in range(4, 13))
REFER = 1 << 13
BIND_TCP, CONNECT_TCP = 1, 2
SCOPE_ABSTRACT_UNIX, SCOPE_SIGNAL = 1, 2
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH, _RULE_PORT = 1, 2

# seccomp: what no process of ours does once it has started.
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_NUMBERS = {
    "x86_64": {
        "socket": 41, "connect": 42, "bind": 49, "listen": 50, "socketpair": 53,
        "execve": 59, "ptrace": 101, "mount": 165, "perf_event_open": 298,
        "open_by_handle_at": 304, "process_vm_readv": 310, "process_vm_writev": 311,
        "bpf": 321, "execveat": 322, "io_uring_setup": 425,
    },
    "aarch64": {
        "socket": 198, "connect": 203, "bind": 200, "listen": 201, "socketpair": 199,
        "execve": 221, "ptrace": 117, "mount": 40, "perf_event_open": 241,
        "open_by_handle_at": 265, "process_vm_readv": 270, "process_vm_writev": 271,
        "bpf": 280, "execveat": 281, "io_uring_setup": 425,
    },
}  # fmt: skip
_NETWORK = ("socket", "connect", "bind", "socketpair")  # never listen
_X32_BIT = 0x40000000
_AF_UNIX = 1
_ERRNO_EPERM, _ALLOW, _KILL = 0x00050001, 0x7FFF0000, 0x80000000


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a process keeps; everything that is not named here it gives up.

    ``writable`` are folders below which it may write, or device files it may open for
    writing; ``ports`` are TCP ports it may connect to; without ``sockets`` it can open
    none at all, of any family.
    """

    writable: Sequence[Path] = ()
    ports: Sequence[int] = ()
    sockets: bool = False


def confine(keep: Confinement) -> None:
    """Give up everything but ``keep``, now and for good.

    Raises ConfigError where the kernel cannot do it; the process must then not go on.
    """
    _require_one_thread()
    harden()
    _restrict_files_and_ports(keep)
    _filter_system_calls(allow_network=keep.sockets)


def harden() -> None:
    """No new privileges, no core dump, no peeking, no writable code, no swap.

    Locking memory is left out where the limit on it is too low (a laptop); the
    systemd unit raises that limit and forbids swap besides.
    """
    _prctl(PR_SET_NO_NEW_PRIVS, 1, "forbid new privileges")
    _prctl(PR_SET_DUMPABLE, 0, "make the memory undumpable")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _libc.prctl(PR_SET_MDWE, 1, 0, 0, 0)  # Linux 6.3; the unit asks for it as well
    _libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)
    wipe_freed_memory()


def wipe_freed_memory() -> None:
    """From now on the C library overwrites every block that is freed, whoever used it.

    So a picture that a decoder, a scaler or an array let go of is gone with it: see
    mallopt(3), M_PERTURB. Blocks up to 1 KiB would wait in a thread's cache as they
    are; the units and ``doorsill run`` switch that off (glibc.malloc.tcache_count=0).
    Raises ConfigError where the C library cannot do it.
    """
    if _libc.mallopt(M_PERTURB, WIPED) != 1:
        raise ConfigError("the C library cannot wipe the memory that is freed")


def unix_sockets_only() -> None:
    """From now on every new socket is AF_UNIX, or EPERM; call :func:`confine` first.

    For a process that must reach a daemon on this machine and no network.
    """
    machine = platform.machine()
    if machine not in _NUMBERS:
        raise ConfigError(f"no system call filter for {machine}")
    load, equal, give = 0x20, 0x15, 0x06
    lines = [
        (load, 0, 0, 4),  # struct seccomp_data: arch
        (equal, 1, 0, _AUDIT_ARCH[machine]),
        (give, 0, 0, _KILL),
        (load, 0, 0, 0),  # nr
        (equal, 0, 2, _NUMBERS[machine]["socket"]),
        (load, 0, 0, 16),  # the low half of the first argument: the family
        (equal, 0, 1, _AF_UNIX),
        (give, 0, 0, _ALLOW),
        (give, 0, 0, _ERRNO_EPERM),
    ]
    _install(b"".join(struct.pack("HBBI", *line) for line in lines))


def _require_one_thread() -> None:
    """landlock and seccomp bind the calling thread and its children, no other."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise ConfigError(
            f"the process has {threads} threads before it confines itself; "
            "it must have 1 (is OPENBLAS_NUM_THREADS set to 1?)"
        )


def landlock_version() -> int:
    """The kernel's landlock ABI, 0 where there is none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, 0, 1)))


def _restrict_files_and_ports(keep: Confinement) -> None:
    version = landlock_version()
    if version == 0:
        raise ConfigError(
            "this kernel has no landlock, so the process cannot be confined; "
            "use Linux 5.13 or later with lsm=landlock"
        )
    files = _file_rights(version)
    ruleset = _create_ruleset(version, files)
    try:
        for path in keep.writable:
            _allow_path(ruleset, path, files & ~EXECUTE)
        if version >= 4:
            for port in keep.ports:
                _allow_port(ruleset, port, CONNECT_TCP)
            if keep.ports:  # a client may name its own end: any free port, no other
                _allow_port(ruleset, 0, BIND_TCP)
        if _libc.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
            raise _failure("confine itself with landlock")
    finally:
        os.close(ruleset)


def _file_rights(version: int) -> int:
    rights = EXECUTE | WRITE_FILE | _MAKE_AND_REMOVE
    rights |= REFER if version >= 2 else 0
    rights |= TRUNCATE if version >= 3 else 0
    return rights


def _create_ruleset(version: int, files: int) -> int:
    network = BIND_TCP | CONNECT_TCP if version >= 4 else 0
    scopes = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL if version >= 6 else 0
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    attributes = struct.pack("QQQ", files, network, scopes)[:size]
    ruleset = int(_libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0))
    if ruleset < 0:
        raise _failure("make a landlock rule set")
    return ruleset


def _allow_path(ruleset: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(
            f"{path} must exist before the process confines itself: {error.strerror}"
        ) from None
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= WRITE_FILE | TRUNCATE
        rule = struct.pack("=Qi", rights, handle)
        if _libc.syscall(_ADD_RULE, ruleset, _RULE_PATH, rule, 0) != 0:
            raise _failure(f"allow writing to {path}")
    finally:
        os.close(handle)


def _allow_port(ruleset: int, port: int, rights: int) -> None:
    rule = struct.pack("QQ", rights, port)
    if _libc.syscall(_ADD_RULE, ruleset, _RULE_PORT, rule, 0) != 0:
        raise _failure(f"allow TCP port {port}")


def _filter_system_calls(*, allow_network: bool) -> None:
    machine = platform.machine()
    if machine not in _NUMBERS:
        known = ", ".join(_NUMBERS)
        raise ConfigError(f"no system call filter for {machine}; known: {known}")
    refused = [
        number
        for name, number in _NUMBERS[machine].items()
        if not (allow_network and name in _NETWORK)
    ]
    _install(_program(_AUDIT_ARCH[machine], refused))


def _install(program: bytes) -> None:
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    if _libc.prctl(PR_SET_SECCOMP, 2, header, 0, 0) != 0:
        raise _failure("filter its system calls with seccomp")


def _program(architecture: int, refused: Sequence[int]) -> bytes:
    """A classic BPF program: EPERM for ``refused``, death for a foreign ABI."""
    load, jump_equal, jump_greater, give = 0x20, 0x15, 0x35, 0x06
    lines = [
        (load, 0, 0, 4),  # struct seccomp_data: arch
        (jump_equal, 1, 0, architecture),
        (give, 0, 0, _KILL),
        (load, 0, 0, 0),  # nr
        (jump_greater, len(refused) + 1, 0, _X32_BIT),
    ]
    for index, number in enumerate(refused):
        lines.append((jump_equal, len(refused) - index, 0, number))
    lines += [(give, 0, 0, _ALLOW), (give, 0, 0, _ERRNO_EPERM)]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _prctl(option: int, value: int, purpose: str) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise _failure(purpose)


def _failure(purpose: str) -> ConfigError:
    return ConfigError(f"cannot {purpose}: {os.strerror(ctypes.get_errno())}")
