"""What a test asks of a board, be it a guest or a Pi on the bench.

The same tests run on both. What one of them has not raises ``Missing``, and the test is
skipped with its words: never a silent pass.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from doorsill.drivers.token.piv_fake import VirtualCard

from .console import Console
from .mux import BootPartition


class Missing(Exception):
    """This board has no such part; the message says what a bench needs for it."""


class Board(Protocol):
    """A board with its console, its card and what else a hand would move."""

    name: str
    host: str  # where it finds this machine

    @property
    def console(self) -> Console:
        """A shell on it, while it is on."""

    def power_on(self) -> None:
        """5 V; returns at once."""

    def power_off(self) -> None:
        """Cut its power, in whatever it does."""

    def wait_said(self, words: str, seconds: float) -> None:
        """Until it said ``words`` by itself since power-on; ``seconds`` times pace."""

    def boot_files(self) -> BootPartition:
        """The partition that a laptop shows; the board is off."""

    def disk(self) -> Path:
        """Its whole card; the board is off."""

    def insert(self, card: VirtualCard | None = None) -> None:
        """Put the consent card in; a bench has one card, and moves that."""

    def pull(self) -> None:
        """Pull it."""

    def plug_reader(self, plugged: bool) -> None:
        """Plug or unplug the reader."""

    def turn_key(self, on: bool) -> None:
        """Turn the key switch."""

    def lamp(self, name: str) -> bool:
        """Whether the lamp ``consent`` or ``status`` is lit, seen from outside."""

    def close(self) -> None:
        """Off, and nothing is left."""
