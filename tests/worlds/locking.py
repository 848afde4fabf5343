"""Locked memory as a debugger sees it: where it lies, and whether it was given back."""

from __future__ import annotations

import ctypes
from types import ModuleType

import pytest

from doorsill.process.locked import LockedMemory


def keep_memories(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> list[LockedMemory]:
    """Each locked memory that ``module`` makes from now on, in order."""
    kept: list[LockedMemory] = []

    class Kept(LockedMemory):
        def __init__(self, size: int) -> None:
            super().__init__(size)
            kept.append(self)

    monkeypatch.setattr(module, "LockedMemory", Kept)
    return kept


def address_of(memory: LockedMemory) -> int:
    """Where its first byte lies in this process."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory.view))


def is_given_back(memory: LockedMemory) -> bool:
    """Whether nobody can look into it any more."""
    try:
        return memory.view[0] is None
    except ValueError:
        return True
