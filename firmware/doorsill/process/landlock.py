"""The second lock: landlock, for paths and ports, if the kernel has it.

It binds the calling thread and the threads that this one starts, so it is closed while
there is only one. Each ABI adds something, which is used if the kernel has it: files
from 1, moving from 2, truncating from 3, TCP ports from 4, abstract sockets and signals
from 6.

Source: landlock(7) and linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Sequence
from pathlib import Path

from doorsill.errors import ConfigError
from doorsill.process.kernel import call, require

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every machine
RULE_PATH, RULE_PORT = 1, 2
EXECUTE, WRITE_FILE, READ_FILE = 1 << 0, 1 << 1, 1 << 2
MAKE_AND_REMOVE = sum(1 << bit for bit in range(4, 13))
REFER, TRUNCATE = 1 << 13, 1 << 14
BIND_TCP, CONNECT_TCP = 1, 2
SCOPE_ABSTRACT_UNIX, SCOPE_SIGNAL = 1, 2
OF_A_FILE = WRITE_FILE | READ_FILE | TRUNCATE  # the rights that apply to a file


def version() -> int:
    """The kernel's landlock ABI; 0 if it has none."""
    return max(0, call(CREATE_RULESET, None, 0, 1))


def restrict(
    writable: Sequence[Path],
    readable: Sequence[Path] | None,
    ports: Sequence[int],
) -> int:
    """Close everything but what is named, for good; returns the ABI, 0 if none.

    With ``readable`` None every file may be read. Raises ConfigError if a path does not
    exist or the kernel refuses.
    """
    abi = version()
    if abi == 0:
        return 0
    files = _rights(abi) | (READ_FILE if readable is not None else 0)
    ruleset = _ruleset(abi, files)
    try:
        for path in writable:
            _allow_path(ruleset, path, files & ~EXECUTE)
        for path in readable or ():
            _allow_path(ruleset, path, READ_FILE)
        if abi >= 4:
            for port in ports:
                _allow_port(ruleset, port)
        answer = call(RESTRICT_SELF, ruleset, 0)
        require(answer, "confine itself with landlock")
    finally:
        os.close(ruleset)
    return abi


def _rights(abi: int) -> int:
    rights = EXECUTE | WRITE_FILE | MAKE_AND_REMOVE
    rights |= REFER if abi >= 2 else 0
    rights |= TRUNCATE if abi >= 3 else 0
    return rights


def _ruleset(abi: int, files: int) -> int:
    network, scopes = BIND_TCP | CONNECT_TCP, SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8  # an older ABI has fewer fields
    attributes = struct.pack("QQQ", files, network, scopes)[:size]
    answer = call(CREATE_RULESET, attributes, size, 0)
    return require(answer, "make a landlock rule set")


def _allow_path(ruleset: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(
            f"{path} must exist before the process confines itself: {error.strerror}"
        ) from None
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights &= OF_A_FILE
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, handle))
        answer = call(ADD_RULE, ruleset, RULE_PATH, rule, 0)
        require(answer, f"leave {path} open")
    finally:
        os.close(handle)


def _allow_port(ruleset: int, port: int) -> None:
    rule = ctypes.create_string_buffer(struct.pack("QQ", CONNECT_TCP, port))
    require(call(ADD_RULE, ruleset, RULE_PORT, rule, 0), f"leave TCP port {port} open")
