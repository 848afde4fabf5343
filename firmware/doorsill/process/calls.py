"""Which system calls each process may make once it has started, and how.

The lists come from a trace of the test suite: ``scripts/trace-calls`` makes it again
and says what is missing and what was not used. A call that makes, links, renames or
truncates by name, or changes metadata, is only on the list of a process that is given a
folder to write in.

Numbers: linux/unistd.h of x86-64 and the generic table, which arm64 uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from doorsill.process.seccomp import Is, Rules, Way

NEWEST = 466  # the newest call that we have reviewed; a higher number gets ENOSYS

# Flags of open(2) that a process which writes nothing may not use: O_WRONLY, O_RDWR,
# O_CREAT, O_TRUNC, O_APPEND and O_TMPFILE's own bit. They are the same on x86-64 and
# arm64.
WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000
MAKING = WRITING & ~0o2  # the same without O_RDWR: existing files may be opened
TEMPORARY = 0o20000000  # a file without a name, which linkat(2) could give one

# Commands of fcntl(2) for handles, flags, locks and seals. F_SETOWN and F_SETSIG are
# not among them: they send signals.
FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1033, 1034)
CLONE_THREAD = 0x10000  # clone(2): a thread, and no process
PROT_WRITE, PROT_EXEC = 2, 4  # mmap(2)
PR_NAMES_AND_QUESTIONS = (
    3,  # PR_GET_DUMPABLE
    15,  # PR_SET_NAME: libraries name their threads
    16,  # PR_GET_NAME
    21,  # PR_GET_SECCOMP
    39,  # PR_GET_NO_NEW_PRIVS
    66,  # PR_GET_MDWE
    0x53564D41,  # PR_SET_VMA: the C library names its memory
)
# ioctl(2) reaches every driver. So requests are listed exactly, or by the letter of
# their kind.
TCGETS, FIONREAD, FIONBIO, FIOCLEX = 0x5401, 0x541B, 0x5421, 0x5451
PLAIN_IOCTLS = (TCGETS, FIONREAD, FIONBIO, FIOCLEX)
KIND = 0xFF00  # where the letter of the kind is in a request
CAMERA_KINDS = (
    "V",  # video4linux and its sub-devices
    "|",  # the media controller
    "b",  # dma-buf: the pictures' memory is shared with the image processor
    "H",  # dma_heap: that memory is allocated
)
ACCELERATOR_KINDS = ("U", "\x7f", "\xdc")  # usbdevfs, apex and gasket: a Coral
TOKEN_KINDS = ("H", "\xb4", "k")  # hidraw: a FIDO2 key; GPIO: switch, lamp; SPI memory
MEDIUM_IOCTLS = (
    0x125E,  # BLKROGET
    0x1277,  # BLKDISCARD
    0x80081272,  # BLKGETSIZE64
    0x80086601,  # FS_IOC_GETFLAGS, to read and not to set
    0xC020660B,  # FS_IOC_FIEMAP: does the file lie where it lay?
)

AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
SOCK_STREAM, SOCK_DGRAM, SOCK_KIND = 1, 2, 0xF

# The number of each call on x86-64 and on arm64; None if there is no such call.
NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57),
    "stat": (4, None), "fstat": (5, 80), "lstat": (6, None), "poll": (7, None),
    "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215),
    "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "ioctl": (16, 29), "pread64": (17, 67),
    "pwrite64": (18, 68), "readv": (19, 65), "writev": (20, 66), "access": (21, None),
    "select": (23, None), "sched_yield": (24, 124), "mremap": (25, 216),
    "madvise": (28, 233), "dup": (32, 23), "dup2": (33, None), "nanosleep": (35, 101),
    "getpid": (39, 172), "socket": (41, 198), "connect": (42, 203),
    "sendto": (44, 206), "recvfrom": (45, 207), "sendmsg": (46, 211),
    "recvmsg": (47, 212), "shutdown": (48, 210), "getsockname": (51, 204),
    "getpeername": (52, 205), "setsockopt": (54, 208),
    "getsockopt": (55, 209), "clone": (56, 220), "exit": (60, 93), "kill": (62, 129),
    "uname": (63, 160), "fcntl": (72, 25), "flock": (73, 32), "fsync": (74, 82),
    "fdatasync": (75, 83), "ftruncate": (77, 46), "getcwd": (79, 17),
    "rename": (82, None), "unlink": (87, None), "readlink": (89, None),
    "gettimeofday": (96, 169), "getrusage": (98, 165), "sysinfo": (99, 179),
    "times": (100, 153), "getuid": (102, 174), "getgid": (104, 176),
    "geteuid": (107, 175), "getegid": (108, 177), "getppid": (110, 173),
    "rt_sigtimedwait": (128, 137), "sigaltstack": (131, 132), "statfs": (137, 43),
    "fstatfs": (138, 44), "mlock": (149, 228), "munlock": (150, 229),
    "prctl": (157, 167), "gettid": (186, 178), "futex": (202, 98),
    "sched_getaffinity": (204, 123), "getdents64": (217, 61),
    "restart_syscall": (219, 128), "fadvise64": (221, 223),
    "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115), "exit_group": (231, 94), "epoll_wait": (232, None),
    "epoll_ctl": (233, 21), "tgkill": (234, 131), "openat": (257, 56),
    "newfstatat": (262, 79), "unlinkat": (263, 35), "renameat": (264, 38),
    "readlinkat": (267, 78), "faccessat": (269, 48), "pselect6": (270, 72),
    "ppoll": (271, 73), "set_robust_list": (273, 99), "epoll_pwait": (281, 22),
    "fallocate": (285, 47), "accept4": (288, 242), "eventfd2": (290, 19),
    "getcpu": (309, 168),
    "epoll_create1": (291, 20), "dup3": (292, 24), "pipe2": (293, 59),
    "pwritev": (296, 70), "prlimit64": (302, 261),
    "renameat2": (316, 276), "seccomp": (317, 277),
    "getrandom": (318, 278), "memfd_create": (319, 279),
    "mlock2": (325, 284), "membarrier": (324, 283), "statx": (332, 291),
    "rseq": (334, 293), "clone3": (435, 435), "openat2": (437, 437),
    "faccessat2": (439, 439), "epoll_pwait2": (441, 441), "fchmodat2": (452, 452),
}  # fmt: skip
MACHINES = ("x86_64", "aarch64")

# A filter can check the arguments of clone(2) and openat(2), but not those of clone3(2)
# and openat2(2), so these seem absent.
ABSENT = ("clone3", "openat2", "fchmodat2", "epoll_pwait2")

# Calls that the trace of the suite has seen, in one process or another.
SEEN = (
    "read", "write", "close", "stat", "fstat", "newfstatat", "lseek", "munmap", "brk",
    "mremap", "madvise", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "pread64",
    "readlink", "getcwd", "getdents64", "poll", "select", "pselect6", "eventfd2", "dup",
    "dup2", "pipe2", "futex", "set_robust_list", "rseq", "sched_getaffinity",
    "clock_nanosleep", "getrandom", "getpid", "gettid", "getuid", "geteuid", "exit",
    "exit_group", "recvfrom", "recvmsg", "sendmsg", "getsockname", "getpeername",
    "getsockopt", "setsockopt", "accept4",
)  # fmt: skip
# Calls that it has not seen, but that a camera may need all the same.
UNSEEN = (
    # The same as above, as another C library, machine or Python calls it.
    "lstat", "statx", "access", "faccessat", "faccessat2", "readlinkat", "ppoll",
    "nanosleep", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "dup3",
    "readv", "writev",
    # The clock, on a machine whose kernel answers only to a call.
    "clock_gettime", "clock_getres", "gettimeofday",
    # Pools of threads, in LiteRT and FFmpeg, look for processors and wait.
    "getcpu", "sched_yield", "membarrier",
    # Questions about this process and this machine, which change nothing.
    "getppid", "getgid", "getegid", "getrusage", "times", "uname", "sysinfo",
    # After a signal, on its own stack, and at the end of a connection.
    "restart_syscall", "sigaltstack", "rt_sigtimedwait", "shutdown",
)  # fmt: skip
COMMON = (*SEEN, *UNSEEN)
WRITES = (
    "pwrite64", "pwritev", "fsync", "fdatasync", "ftruncate", "fallocate", "unlink",
    "unlinkat", "rename", "renameat", "renameat2", "statfs", "fstatfs",
)  # fmt: skip
PROCESSES: dict[str, tuple[str, ...]] = {
    "vision": (*COMMON, "memfd_create", "ftruncate"),  # a crop's memory: crop_sender
    # Vision while it opens a webcam; afterwards it takes the list above.
    "opening": (*COMMON, "memfd_create", "ftruncate", "seccomp"),
    "uplink": (*COMMON, *WRITES, "flock"),  # flock: read vision's declaration
    "connector": COMMON,
    "policy": (*COMMON, *WRITES),
    "vault": (
        *COMMON,
        *WRITES,
        "memfd_create",
        "fadvise64",
        "flock",
        "mlock",
        "mlock2",
        "munlock",
    ),
}


def rules_for(process: str, machine: str, own: int) -> tuple[Rules, tuple[int, ...]]:
    """The rules of ``process``, a key of PROCESSES, and the calls that are absent.

    ``own`` is its process id: it may send signals only to itself.
    """
    ways: dict[str, Sequence[Way]] = dict.fromkeys(PROCESSES[process], ())
    ways.update(_common_ways(own))
    ways.update(_OWN_WAYS[process])
    rules = {
        number: ways[name]
        for name in ways
        if (number := number_of(name, machine)) is not None
    }
    absent = [number_of(name, machine) for name in ABSENT]
    return rules, tuple(each for each in absent if each is not None)


def number_of(name: str, machine: str) -> int | None:
    """The number of a call; None if that machine does not have it."""
    return NUMBERS[name][MACHINES.index(machine)]


def _common_ways(own: int) -> dict[str, Sequence[Way]]:
    return {
        "mmap": ((Is(2, 0, PROT_WRITE),), (Is(2, 0, PROT_EXEC),)),  # never both
        "mprotect": ((Is(2, 0, PROT_EXEC),),),
        "clone": ((Is(0, CLONE_THREAD, CLONE_THREAD),),),
        "fcntl": _one_of(1, FCNTL),
        "prctl": _one_of(0, PR_NAMES_AND_QUESTIONS),
        "prlimit64": ((Is(2, 0), Is(2, 0, high=True)),),  # to read, not to set
        "kill": ((Is(0, own),),),
        "tgkill": ((Is(0, own),),),
        # Without an address: only on a connection that exists.
        "sendto": ((Is(4, 0), Is(4, 0, high=True)),),
        "open": ((Is(1, 0, WRITING),),),
        "openat": ((Is(2, 0, WRITING),),),
    }


def _one_of(argument: int, values: Sequence[int]) -> Sequence[Way]:
    return tuple((Is(argument, each),) for each in values)


def _ioctl(requests: Sequence[int], kinds: Sequence[str] = ()) -> Sequence[Way]:
    of_kind = tuple((Is(1, ord(each) << 8, KIND),) for each in kinds)
    return (*_one_of(1, (*PLAIN_IOCTLS, *requests)), *of_kind)


def _socket(*families_and_kinds: tuple[int, int]) -> Sequence[Way]:
    return tuple(
        (Is(0, family), Is(1, kind, SOCK_KIND)) for family, kind in families_and_kinds
    )


_WRITES_FILES: Mapping[str, Sequence[Way]] = {
    "open": ((Is(1, 0, TEMPORARY),),),
    "openat": ((Is(2, 0, TEMPORARY),),),
}
_OWN_WAYS: dict[str, Mapping[str, Sequence[Way]]] = {
    "vision": {"ioctl": _ioctl((), (*CAMERA_KINDS, *ACCELERATOR_KINDS))},
    "opening": {
        "open": ((Is(1, 0, MAKING),),),
        "openat": ((Is(2, 0, MAKING),),),
        "ioctl": _ioctl((), (*CAMERA_KINDS, *ACCELERATOR_KINDS)),
    },
    "uplink": {**_WRITES_FILES, "ioctl": _ioctl(())},  # no socket: see its connector
    "policy": {**_WRITES_FILES, "ioctl": _ioctl(())},  # no socket of any kind
    "connector": {
        "ioctl": _ioctl(()),
        "socket": _socket(
            (AF_INET, SOCK_STREAM),
            (AF_INET6, SOCK_STREAM),
            (AF_INET, SOCK_DGRAM),
            (AF_INET6, SOCK_DGRAM),
            (AF_UNIX, 5),
            (AF_UNIX, SOCK_STREAM),
        ),
        "connect": (),
    },
    "vault": {
        **_WRITES_FILES,
        "ioctl": _ioctl(MEDIUM_IOCTLS, TOKEN_KINDS),
        "socket": _socket((AF_UNIX, 5), (AF_UNIX, SOCK_STREAM)),
        "connect": (),
    },
}
