"""The first lock: seccomp, an allow list of system calls, on every kernel.

A call that is not on the list fails with EPERM. It fails with ENOSYS if the C library
then falls back to an older call whose arguments a filter can check; a filter cannot
follow a pointer. A call of a foreign ABI (int 0x80, x32) ends the process.

Source: seccomp(2), linux/filter.h, linux/seccomp.h.
"""

from __future__ import annotations

import ctypes
import platform
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from doorsill.errors import ConfigError
from doorsill.process.kernel import call, require

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
SECCOMP = {"x86_64": 317, "aarch64": 277}  # the number of seccomp(2) itself
SET_MODE_FILTER, EVERY_THREAD = 1, 1
X32_BIT = 0x40000000
ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS = 0x00050001, 0x00050026
LOAD, EQUAL, AT_LEAST, AND, GIVE = 0x20, 0x15, 0x35, 0x54, 0x06  # classic BPF
ARCH_AT, NUMBER_AT, ARGUMENTS_AT = 4, 0, 16  # in struct seccomp_data
FULL = 0xFFFFFFFF
LONGEST_JUMP = 255  # lines that a classic BPF jump can skip

Line = tuple[int, int, int, int]  # code, jump if true, jump if false, constant


@dataclass(frozen=True, slots=True)
class Is:
    """One half of one argument of a call, seen through ``mask``, must be ``value``."""

    argument: int
    value: int
    mask: int = FULL
    high: bool = False  # the upper 32 bits of the argument

    @property
    def at(self) -> int:
        """Where it lies in struct seccomp_data, on a little-endian machine."""
        return ARGUMENTS_AT + 8 * self.argument + 4 * self.high


Way = tuple[Is, ...]  # all of these must hold
# For each number of a call the ways in which it may be made; () allows every way.
Rules = Mapping[int, Sequence[Way]]


def machine() -> str:
    """The machine's name; ConfigError if we know no call numbers for it."""
    found = platform.machine()
    if found not in AUDIT_ARCH:
        known = ", ".join(AUDIT_ARCH)
        raise ConfigError(f"no system call filter for {found}; known: {known}")
    return found


def program(
    architecture: int, rules: Rules, absent: Iterable[int], newest: int
) -> list[Line]:
    """The filter as classic BPF.

    The calls in ``absent`` fail as on a kernel that is too old for them. So does every
    number above ``newest``, because we have not reviewed those calls.
    """
    lines: list[Line] = [
        (LOAD, 0, 0, ARCH_AT),
        (EQUAL, 1, 0, architecture),
        (GIVE, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_AT),
        (AT_LEAST, 0, 1, X32_BIT),
        (GIVE, 0, 0, KILL),
        (AT_LEAST, 0, 1, newest + 1),
        (GIVE, 0, 0, ENOSYS),
    ]
    for number, ways in rules.items():
        lines += _block(number, _ways(ways) if ways else [(GIVE, 0, 0, ALLOW)])
    for number in absent:
        lines += _block(number, [(GIVE, 0, 0, ENOSYS)])
    return [*lines, (GIVE, 0, 0, EPERM)]


def install(lines: Sequence[Line]) -> None:
    """Bind every thread of this process, and all that they start, for good.

    Raises ConfigError if the kernel refuses.
    """
    code = b"".join(struct.pack("HBBI", *line) for line in lines)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxQ", len(lines), ctypes.addressof(buffer))
    number = SECCOMP[machine()]
    answer = call(number, SET_MODE_FILTER, EVERY_THREAD, header)
    if answer > 0:
        raise ConfigError(f"thread {answer} has a system call filter of its own")
    require(answer, "filter its system calls with seccomp")


def _block(number: int, body: list[Line]) -> list[Line]:
    assert len(body) <= LONGEST_JUMP  # noqa: S101 - our own tables
    return [(EQUAL, 0, len(body), number), *body]


def _ways(ways: Sequence[Way]) -> list[Line]:
    """Lines that try one way after the other until one fits."""
    lines: list[Line] = []
    for way in ways:
        size = 3 * len(way) + 1
        for index, each in enumerate(way):
            past = size - 3 * index - 3  # lines between this test and the next way
            lines += [
                (LOAD, 0, 0, each.at),
                (AND, 0, 0, each.mask),
                (EQUAL, 0, past, each.value),
            ]
        lines.append((GIVE, 0, 0, ALLOW))
    return [*lines, (GIVE, 0, 0, EPERM)]
