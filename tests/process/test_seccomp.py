"""The filters, call by call, from their own tables, on both machines.

A filter is run here as the kernel would run it; what the kernel makes of it is tried in
``test_ways.py``.
"""

from __future__ import annotations

import errno
import re
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from doorsill.errors import ConfigError
from doorsill.process import calls, seccomp
from doorsill.process.calls import (
    MACHINES,
    NEWEST,
    NUMBERS,
    PROCESSES,
    number_of,
)
from doorsill.process.seccomp import (
    ALLOW,
    AUDIT_ARCH,
    ENOSYS,
    EPERM,
    KILL,
    X32_BIT,
    Line,
)

OWN = 4711
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
GENERIC = {"fstatat": "newfstatat"}  # what the generic table calls it
WORDS = {ALLOW: "allow", EPERM: "EPERM", ENOSYS: "ENOSYS", KILL: "kill"}
O_RDONLY, O_WRONLY, O_RDWR, O_CREAT = 0, 1, 2, 0o100
O_TRUNC, O_APPEND, O_CLOEXEC = 0o1000, 0o2000, 0o2000000
O_TMPFILE = 0o20200000
AT_FDCWD = 2**64 - 100
WRITERS = ("uplink", "policy", "vault")
JUMPS = (seccomp.EQUAL, seccomp.AT_LEAST)


def filter_of(process: str, machine: str) -> list[Line]:
    rules, absent = calls.rules_for(process, machine, OWN)
    return seccomp.program(AUDIT_ARCH[machine], rules, absent, NEWEST)


def run(lines: Sequence[Line], arch: int, number: int, *arguments: int) -> str:
    """What the kernel would do: classic BPF over struct seccomp_data."""
    words = [number & 0xFFFFFFFF, arch, 0, 0]
    for each in (*arguments, *[0] * (6 - len(arguments))):
        words += [each & 0xFFFFFFFF, each >> 32 & 0xFFFFFFFF]
    at = value = 0
    while True:
        code, yes, no, constant = lines[at]
        at += 1
        assert code in JUMPS or yes == no == 0
        if code == seccomp.LOAD:
            assert constant % 4 == 0
            value = words[constant // 4]
        elif code == seccomp.AND:
            value &= constant
        elif code == seccomp.EQUAL:
            at += yes if value == constant else no
        elif code == seccomp.AT_LEAST:
            at += yes if value >= constant else no
        else:
            assert code == seccomp.GIVE
            return WORDS[constant]


def tried(process: str, machine: str, name: str, *arguments: int) -> str:
    number = number_of(name, machine)
    assert number is not None
    return run(filter_of(process, machine), AUDIT_ARCH[machine], number, *arguments)


def in_header(machine: str) -> dict[str, int]:
    text = HEADERS[machine].read_text("ascii")
    found = re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)\n", text)
    return {GENERIC.get(name, name): int(number) for name, number in found}


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_the_kernels(machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("linux-libc-dev is not installed")
    header = in_header(machine)
    for name in NUMBERS:
        number = number_of(name, machine)
        if number is not None and number <= max(header.values()):
            assert header[name] == number, name
        elif number is None:
            assert name not in header, name


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("process", PROCESSES)
def test_what_is_on_no_list_is_refused_by_number(process: str, machine: str) -> None:
    arch, lines = AUDIT_ARCH[machine], filter_of(process, machine)
    rules, absent = calls.rules_for(process, machine, OWN)
    for number in range(NEWEST + 1):
        if number in rules:
            continue
        wanted = "ENOSYS" if number in absent else "EPERM"
        assert run(lines, arch, number) == wanted, number
    for number in (NEWEST + 1, 1000, X32_BIT - 1):
        assert run(lines, arch, number) == "ENOSYS"


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("process", PROCESSES)
def test_a_foreign_abi_ends_the_process(process: str, machine: str) -> None:
    lines, read = filter_of(process, machine), number_of("read", machine) or 0
    assert run(lines, AUDIT_ARCH[machine], read) == "allow"
    for arch in (0x40000003, 0x40000028, 0, *AUDIT_ARCH.values()):  # i386, arm
        if arch != AUDIT_ARCH[machine]:
            assert run(lines, arch, read) == "kill"
    for number in (X32_BIT, X32_BIT | read, 0x80000000, 0xFFFFFFFF):
        assert run(lines, AUDIT_ARCH[machine], number) == "kill"


def test_the_constants_are_those_of_the_kernels_headers() -> None:
    """linux/seccomp.h, linux/bpf_common.h and asm/unistd.h, as they stand there."""
    assert (ALLOW, KILL) == (0x7FFF0000, 0x80000000)
    assert (EPERM, ENOSYS) == (0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS)
    load, jump, alu, give = 0x00 | 0x20, 0x05, 0x04, 0x06
    codes = (load, jump | 0x10, jump | 0x30, alu | 0x50, give)
    names = ("LOAD", "EQUAL", "AT_LEAST", "AND", "GIVE")
    assert tuple(getattr(seccomp, name) for name in names) == codes
    assert X32_BIT == 0x40000000
    for machine, header in HEADERS.items():
        if header.exists():
            assert seccomp.SECCOMP[machine] == in_header(machine)["seccomp"]


@pytest.mark.parametrize("answer", [0, 1, 4711, -1])
def test_a_filter_is_put_on_every_thread_or_the_process_does_not_go_on(
    answer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int, int]] = []

    def kernel(number: int, operation: int, flags: int, header: bytes) -> int:
        asked.append((operation, flags, struct.unpack_from("H", header)[0]))
        return answer

    monkeypatch.setattr(seccomp, "call", kernel)
    lines = filter_of("vision", "x86_64")
    if answer == 0:
        seccomp.install(lines)
    else:
        said = "cannot filter" if answer < 0 else f"thread {answer} has a system call"
        with pytest.raises(ConfigError, match=said):
            seccomp.install(lines)
    assert asked == [(1, 1, len(lines))]


def test_no_call_has_more_ways_than_a_jump_can_pass() -> None:
    longest = seccomp.LONGEST_JUMP
    assert longest == 255
    way = (seccomp.Is(0, 1),)  # 4 lines; one more line refuses
    two = (seccomp.Is(0, 1), seccomp.Is(1, 1))  # 7 lines
    fits, too_long = [*[way] * 60, two, two], [*[way] * 62, two]
    assert (longest, longest + 1) == (60 * 4 + 2 * 7 + 1, 62 * 4 + 7 + 1)
    assert run(seccomp.program(1, {7: fits}, (), 9), 1, 7, 1) == "allow"
    with pytest.raises(AssertionError):
        seccomp.program(1, {7: too_long}, (), 9)


# What no process of ours may ever have on its list: by the names of
# the kernel's headers, so that a machine that lacks one is no gap.
NEVER = """
    execve execveat fork vfork ptrace process_vm_readv process_vm_writev kcmp
    pidfd_open pidfd_getfd pidfd_send_signal process_madvise process_mrelease
    tkill rt_sigqueueinfo rt_tgsigqueueinfo setuid setgid setreuid setregid setresuid
    setresgid setfsuid setfsgid setgroups capset setpriority sched_setscheduler
    mount umount2 pivot_root chroot chdir fchdir open_tree move_mount fsopen fsconfig
    fsmount fspick mount_setattr unshare setns clone3 openat2
    truncate creat link linkat symlink symlinkat mkdir mkdirat rmdir mknod mknodat
    chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes utimensat
    futimesat setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
    name_to_handle_at open_by_handle_at fanotify_init fanotify_mark inotify_init
    inotify_init1 inotify_add_watch io_uring_setup io_uring_enter io_uring_register
    io_setup io_submit bpf perf_event_open userfaultfd personality seccomp
    socketpair bind listen shmget shmat shmctl msgget msgsnd msgrcv msgctl semget semop
    semctl semtimedop mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify
    mq_getsetattr add_key request_key keyctl swapon swapoff acct quotactl reboot
    init_module finit_module delete_module kexec_load kexec_file_load syslog
    settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname
    ioperm iopl modify_ldt uselib vhangup vmsplice splice tee lookup_dcookie
    landlock_create_ruleset landlock_add_rule landlock_restrict_self setrlimit umask
    pkey_mprotect remap_file_pages mbind migrate_pages move_pages setsid setpgid
    copy_file_range sendfile sync syncfs sync_file_range
"""

NAMES = set(NEVER.split())


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("process", PROCESSES)
def test_what_nobody_may_do_is_on_no_list(process: str, machine: str) -> None:
    if not HEADERS[machine].exists():
        pytest.skip("linux-libc-dev is not installed")
    header = in_header(machine)
    assert len(NAMES & set(header)) > 130
    lines = filter_of(process, machine)
    # Vision closes itself once more when its camera is open: filters only add up.
    names = NAMES - {"seccomp"} if process == "opening" else NAMES
    for name in names & set(header):
        for high in (0, 1 << 16):  # with any arguments
            said = run(lines, AUDIT_ARCH[machine], header[name], high, high, high)
            assert said in ("EPERM", "ENOSYS"), name


@pytest.mark.parametrize("process", ["vision", "opening", "connector"])
def test_who_writes_nothing_has_no_call_that_changes_a_file(process: str) -> None:
    changing = {"pwrite64", "pwritev", "fsync", "unlink", "unlinkat", "rename",
                "renameat", "renameat2", "fallocate"}  # fmt: skip
    assert changing & set(PROCESSES[process]) == set()


OPENING = [
    pytest.param(O_RDONLY, True, True, id="to read"),
    pytest.param(O_RDONLY | O_CLOEXEC | 0o200000, True, True, id="a folder"),
    pytest.param(O_WRONLY, False, True, id="to write"),
    pytest.param(O_RDWR, False, True, id="to read and write"),
    pytest.param(3, False, True, id="for ioctl alone"),
    pytest.param(O_RDONLY | O_CREAT, False, True, id="to make"),
    pytest.param(O_RDONLY | O_TRUNC, False, True, id="to empty"),
    pytest.param(O_RDONLY | O_APPEND, False, True, id="to append"),
    pytest.param(O_TMPFILE | O_RDWR, False, False, id="without a name"),
]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("flags", "reads", "writes"), OPENING)
def test_opening_is_judged_by_its_flags(
    flags: int, reads: bool, writes: bool, machine: str
) -> None:
    for process in PROCESSES:
        may = writes if process in WRITERS else reads
        if process == "opening":  # a camera's node is there already
            may = may or flags == O_RDWR
        wanted = "allow" if may else "EPERM"
        assert tried(process, machine, "openat", AT_FDCWD, 1, flags, 0o600) == wanted
        # What the kernel does not look at, above 32 bits, changes nothing.
        high = flags | 1 << 40
        assert tried(process, machine, "openat", AT_FDCWD, 1, high) == wanted
        assert tried(process, machine, "openat2", AT_FDCWD, 1, 1, 24) == "ENOSYS"
        if machine == "x86_64":
            assert tried(process, machine, "open", 1, flags, 0o600) == wanted


CASES = [
    # name, arguments, allowed
    pytest.param("ioctl", (0, 0x5412, 1), False, id="TIOCSTI types into a terminal"),
    pytest.param("ioctl", (0, 0x541C, 1), False, id="TIOCLINUX pastes into a console"),
    pytest.param("ioctl", (0, 0x1_0000_5412, 1), False, id="TIOCSTI with a high bit"),
    pytest.param("ioctl", (0, 0x5401, 1), True, id="is it a terminal"),
    pytest.param("clone", (0x3D0F00,), True, id="a thread, as the C library asks"),
    pytest.param("clone", (17,), False, id="fork"),
    pytest.param("clone", (0x4111,), False, id="vfork"),
    pytest.param("clone", (0x10000011,), False, id="a user namespace"),
    pytest.param("mmap", (0, 4096, 3, 0x22), True, id="memory"),
    pytest.param("mmap", (0, 4096, 5, 2), True, id="a library's code"),
    pytest.param("mmap", (0, 4096, 7, 0x22), False, id="memory to write and run"),
    pytest.param("mprotect", (0, 4096, 1), True, id="read-only from now on"),
    pytest.param("mprotect", (0, 4096, 5), False, id="to run what was written"),
    pytest.param("kill", (OWN, 15), True, id="signal itself"),
    pytest.param("kill", (1, 0), False, id="signal another"),
    pytest.param("kill", (2**32 - 1, 9), False, id="signal everybody"),
    pytest.param("tgkill", (OWN, OWN + 1, 6), True, id="abort"),
    pytest.param("tgkill", (1, 1, 6), False, id="signal another's thread"),
    pytest.param("prctl", (15, 1), True, id="name a thread"),
    pytest.param("prctl", (4, 1), False, id="be dumpable again"),
    pytest.param("prctl", (22, 2), False, id="another filter"),
    pytest.param("prlimit64", (0, 4, 0, 1), True, id="ask for a limit"),
    pytest.param("prlimit64", (0, 4, 1, 0), False, id="set a limit"),
    pytest.param("prlimit64", (0, 4, 1 << 32, 0), False, id="set one, at 4 GiB"),
    pytest.param("sendto", (3, 1, 9, 0, 0, 0), True, id="send on a connection"),
    pytest.param("sendto", (3, 1, 9, 0, 1, 16), False, id="send to an address"),
    pytest.param("sendto", (3, 1, 9, 0, 1 << 32, 16), False, id="to one at 4 GiB"),
    pytest.param("fcntl", (3, 3), True, id="ask for flags"),
    pytest.param("fcntl", (3, 8, 1), False, id="F_SETOWN: signals to another"),
    pytest.param("fcntl", (3, 10, 9), False, id="F_SETSIG"),
    pytest.param("fcntl", (3, 1026, 1), False, id="F_NOTIFY"),
]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize(("name", "arguments", "allowed"), CASES)
def test_arguments_that_are_values_are_looked_at(
    name: str, arguments: tuple[int, ...], allowed: bool, process: str, machine: str
) -> None:
    wanted = "allow" if allowed else "EPERM"
    assert tried(process, machine, name, *arguments) == wanted


SOCKETS = [
    pytest.param(1, 5, ("vault", "connector"), id="a local one, in messages"),
    pytest.param(1, 1 | O_CLOEXEC, ("vault", "connector"), id="pcscd's"),
    pytest.param(1, 2, (), id="a local datagram: the journal"),
    pytest.param(2, 1, ("connector",), id="TCP"),
    pytest.param(10, 1, ("connector",), id="TCP over IPv6"),
    pytest.param(2, 2, ("connector",), id="UDP: names"),
    pytest.param(2, 3, (), id="raw"),
    pytest.param(16, 3, (), id="netlink"),
    pytest.param(17, 3, (), id="packets"),
    pytest.param(38, 5, (), id="the kernel's ciphers"),
    pytest.param(40, 1, (), id="a hypervisor"),
]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("family", "kind", "who"), SOCKETS)
def test_who_may_make_which_socket(
    family: int, kind: int, who: tuple[str, ...], machine: str
) -> None:
    for process in PROCESSES:
        wanted = "allow" if process in who else "EPERM"
        assert tried(process, machine, "socket", family, kind, 0) == wanted, process
        may_connect = process in ("vault", "connector")
        wanted = "allow" if may_connect else "EPERM"
        assert tried(process, machine, "connect", 3, 1, 16) == wanted


CAMERA, SPEAKER, BLOCK_SET, SET_FLAGS = 0xC0585611, 0x4140, 0x125D, 0x40086602
IOCTLS = [
    pytest.param(CAMERA, ("vision", "opening"), id="VIDIOC_DQBUF"),
    pytest.param(0xC0407C00, ("vision", "opening"), id="MEDIA_IOC"),
    pytest.param(0x40086200, ("vision", "opening"), id="DMA_BUF_IOCTL_SYNC"),
    pytest.param(0x90044802, ("vision", "opening", "vault"), id="HIDIOCGRDESC"),
    pytest.param(0xC250B407, ("vault",), id="GPIO_V2_GET_LINE"),
    pytest.param(0x1277, ("vault",), id="BLKDISCARD"),
    pytest.param(0xC020660B, ("vault",), id="FS_IOC_FIEMAP"),
    pytest.param(BLOCK_SET, (), id="BLKROSET"),
    pytest.param(SET_FLAGS, (), id="FS_IOC_SETFLAGS"),
    pytest.param(SPEAKER, (), id="a sound card"),
    pytest.param(0x5413, (), id="TIOCGWINSZ"),
    pytest.param(0x4030582B, (), id="FICLONE and what else a file system offers"),
]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("request_number", "who"), IOCTLS)
def test_who_may_ask_which_driver(
    request_number: int, who: tuple[str, ...], machine: str
) -> None:
    for process in PROCESSES:
        wanted = "allow" if process in who else "EPERM"
        assert tried(process, machine, "ioctl", 3, request_number, 1) == wanted


def test_every_name_on_a_list_has_numbers_and_every_number_a_use() -> None:
    seen: set[str] = set()
    for machine in MACHINES:
        used: set[int] = set()
        for process in PROCESSES:
            rules, absent = calls.rules_for(process, machine, OWN)
            used |= {*rules, *absent}
        names = {name: calls.number_of(name, machine) for name in NUMBERS}
        there = {name: number for name, number in names.items() if number is not None}
        assert used == set(there.values())
        assert len(used) == len(there)
        seen |= there.keys()
    assert seen == set(NUMBERS)


def test_the_answers_are_the_kernels() -> None:
    assert EPERM & 0xFFFF == errno.EPERM and ENOSYS & 0xFFFF == errno.ENOSYS
    assert EPERM >> 16 == ENOSYS >> 16 == 5  # SECCOMP_RET_ERRNO


def test_negative_control_without_the_check_of_flags_writing_is_let_through() -> None:
    machine = "x86_64"
    rules, absent = calls.rules_for("vision", machine, OWN)
    number = number_of("openat", machine) or 0
    open_wide = {**rules, number: ()}
    lines = seccomp.program(AUDIT_ARCH[machine], open_wide, absent, NEWEST)
    assert run(lines, AUDIT_ARCH[machine], number, 0, 1, O_RDWR) == "allow"
