"""Which locks hold: read from what the kernel says, in a few words."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from children import first_line, started
from limits import END_S

from doorsill.errors import ConfigError
from doorsill.process import locks
from doorsill.process.locks import Lock, Locks

STATUS = "Name:\tx\nVmLck:\t{kib:8d} kB\nNoNewPrivs:\t{nnp}\nSeccomp:\t{seccomp}\n"


@pytest.mark.parametrize(
    ("kib", "nnp", "seccomp", "held"),
    [
        pytest.param(0, 0, 0, Lock(0), id="nothing"),
        pytest.param(0, 0, 1, Lock(0), id="seccomp's strict mode is no list of ours"),
        pytest.param(4, 0, 0, Lock.MEMORY_LOCKED, id="memory"),
        pytest.param(
            9000,
            1,
            2,
            Lock.SECCOMP | Lock.NO_NEW_PRIVILEGES | Lock.MEMORY_LOCKED,
            id="all that can be seen from outside",
        ),
    ],
)
def test_what_the_kernel_says_of_a_process(
    kib: int, nnp: int, seccomp: int, held: Lock
) -> None:
    text = STATUS.format(kib=kib, nnp=nnp, seccomp=seccomp)
    assert locks.locks_in(text) == held


def test_a_kernel_that_says_less_holds_less() -> None:
    assert locks.locks_in("Name:\tx\n") == Lock(0)


def test_a_process_that_is_not_there_gets_a_sentence() -> None:
    with pytest.raises(ConfigError, match="cannot look at process 4194399: No such"):
        locks.locks_of(4194399)


def test_another_process_in_our_own_room_holds_no_room() -> None:
    with started(["sleep", "60"]) as child:
        try:
            assert locks.locks_of(child.pid) == Lock(0)
        finally:
            child.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a mount namespace")
def test_another_process_in_a_room_of_its_own_is_seen_to_be_in_one() -> None:
    command = ["unshare", "--mount", sys.executable, "-c"]
    code = "print('in', flush=True); import sys; sys.stdin.read()"
    with started(
        [*command, code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert first_line(child) == b"in\n"
        assert locks.locks_of(child.pid) == Lock.ROOM
        child.communicate(timeout=END_S)


def test_the_words_name_the_abi_and_the_rest_is_missing() -> None:
    found = Locks(Lock.SECCOMP | Lock.LANDLOCK, 3)
    assert found.words == ("seccomp", "landlock 3")
    assert Lock.ROOM in found.missing and Lock.SECCOMP not in found.missing
    assert Locks(Lock(0), 0).words == ()


def test_this_kernel_offers_what_every_kernel_of_ours_has() -> None:
    offered = locks.probe_locks()
    assert Lock.SECCOMP in offered.held and Lock.NO_NEW_PRIVILEGES in offered.held
    assert (offered.landlock > 0) == (Lock.LANDLOCK in offered.held)
