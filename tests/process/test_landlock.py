"""What is asked of each landlock: all that it can do, and nothing that it cannot."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from doorsill.errors import ConfigError
from doorsill.process import landlock

BY_ABI = {  # linux/landlock.h: moving, truncating, TCP, scopes
    1: (False, False, False, False),
    2: (True, False, False, False),
    3: (True, True, False, False),
    4: (True, True, True, False),
    5: (True, True, True, False),
    6: (True, True, True, True),
    7: (True, True, True, True),
}


class Kernel:
    """A landlock of one ABI, which takes what such a one takes."""

    def __init__(self, abi: int) -> None:
        self.abi = abi
        self.asked: list[tuple[int, int, int]] = []
        self.ports: list[int] = []
        self.rights: list[int] = []
        self.restricted = False

    def __call__(self, number: int, *arguments: object) -> int:
        if number == landlock.CREATE_RULESET:
            return self._create(*arguments)
        if number == landlock.ADD_RULE:
            return self._add(*arguments)
        assert number == landlock.RESTRICT_SELF and arguments[-1] == 0
        self.restricted = True
        return 0

    def _create(self, attributes: object, size: object, flags: object) -> int:
        if flags == 1:
            return self.abi
        assert isinstance(attributes, bytes) and size == len(attributes)
        assert flags == 0
        files, network, scopes = struct.unpack("QQQ", attributes.ljust(24, b"\0"))
        assert len(attributes) == (24 if self.abi >= 6 else 16 if self.abi >= 4 else 8)
        self.asked.append((files, network, scopes))
        return os.open(os.devnull, os.O_RDONLY)  # to be closed

    def _add(self, ruleset: object, kind: object, rule: object, flags: object) -> int:
        raw = bytes(rule)  # type: ignore[call-overload]
        assert flags == 0
        if kind == landlock.RULE_PORT:
            rights, port = struct.unpack_from("QQ", raw)
            assert rights == landlock.CONNECT_TCP
            self.ports.append(port)
        else:
            rights, _ = struct.unpack_from("=Qi", raw)
            assert rights & ~self.asked[0][0] == 0  # never what is not handled
            self.rights.append(rights)
        return 0


def test_the_numbers_are_those_of_the_kernels_headers() -> None:
    """asm-generic/unistd.h and linux/landlock.h, as they stand there."""
    calls = (landlock.CREATE_RULESET, landlock.ADD_RULE, landlock.RESTRICT_SELF)
    assert calls == (444, 445, 446)
    assert (landlock.RULE_PATH, landlock.RULE_PORT) == (1, 2)
    rights = (landlock.EXECUTE, landlock.WRITE_FILE, landlock.READ_FILE)
    assert rights == (0b1, 0b10, 0b100)
    assert landlock.MAKE_AND_REMOVE == 0b1_1111_1111_0000
    assert (landlock.REFER, landlock.TRUNCATE) == (1 << 13, 1 << 14)
    assert (landlock.BIND_TCP, landlock.CONNECT_TCP) == (1, 2)
    assert (landlock.SCOPE_ABSTRACT_UNIX, landlock.SCOPE_SIGNAL) == (1, 2)


def test_a_folder_and_a_file_get_the_rights_that_they_can_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing below a folder makes files; none may be run, from any writer."""
    kernel = Kernel(7)
    monkeypatch.setattr(landlock, "call", kernel)
    device = tmp_path / "video0"
    device.touch()
    before = sorted(Path("/proc/self/fd").iterdir())
    landlock.restrict([tmp_path, device], [tmp_path], [])
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    ((files, _, _),) = kernel.asked
    below, one, read = kernel.rights
    assert below == files & ~landlock.EXECUTE
    assert one == landlock.WRITE_FILE | landlock.READ_FILE | landlock.TRUNCATE
    assert read == landlock.READ_FILE


def test_who_may_read_everything_is_not_held_at_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = Kernel(7)
    monkeypatch.setattr(landlock, "call", kernel)
    landlock.restrict([], None, [])
    assert not kernel.asked[0][0] & landlock.READ_FILE


@pytest.mark.parametrize("abi", BY_ABI)
def test_each_abi_is_asked_for_all_that_it_can_do(
    abi: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(abi)
    monkeypatch.setattr(landlock, "call", kernel)
    assert landlock.restrict([tmp_path], [tmp_path], [8883]) == abi
    ((files, network, scopes),) = kernel.asked
    for right in (landlock.EXECUTE, landlock.WRITE_FILE, landlock.READ_FILE):
        assert files & right
    found = (files >> 13 & 1, files >> 14 & 1, network == 3, scopes == 3)
    assert tuple(map(bool, found)) == BY_ABI[abi]
    assert kernel.ports == ([8883] if abi >= 4 else [])
    assert len(kernel.rights) == 2 and kernel.restricted


def test_without_landlock_nothing_is_asked_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = Kernel(0)
    monkeypatch.setattr(landlock, "call", kernel)
    assert landlock.restrict([Path("/nowhere")], None, [1]) == 0
    assert not kernel.restricted


def test_a_path_that_is_not_there_gets_a_sentence() -> None:
    if landlock.version() == 0:
        pytest.skip("this kernel has no landlock")
    with pytest.raises(ConfigError, match="/nowhere must exist before"):
        landlock.restrict([Path("/nowhere")], None, [])


def test_what_the_kernel_refuses_gets_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses(number: int, *arguments: object) -> int:
        return 7 if arguments[-1] == 1 else -1

    monkeypatch.setattr(landlock, "call", refuses)
    with pytest.raises(ConfigError, match="cannot make a landlock rule set: Operation"):
        landlock.restrict([], None, [])
