"""A Pi on the bench: power, card, console and relays as ``bench.toml`` names them.

No bench has confirmed this yet: each driver is held to its contract, the whole is
driven with fakes (``test_pi.py``).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from doorsill.drivers.gpio.line import GpiodLine, parse_place
from doorsill.drivers.token.piv_fake import VirtualCard

from .bench import Bench, LampsSection
from .board import Missing
from .console import Console
from .errors import BenchError
from .lines import Line, TtyLine
from .mux import BASIC_DATA, BootPartition, SdMux, UsbSdMux, partitions
from .switches import Switch, open_switch

DARK_S = 3.0  # without power, until the board's capacitors are empty
FAT = ("c", "b", BASIC_DATA)  # kinds of partitions, of an MBR or a GPT


@dataclass(slots=True)
class Parts:
    """What moves and listens; a part that the bench has not is None."""

    power: Switch
    mux: SdMux
    line: Callable[[], Line]
    card: Switch | None = None
    reader: Switch | None = None
    key_switch: Switch | None = None
    lamps: LampsSection | None = None


def parts_of(bench: Bench) -> Parts:
    """Open what the bench names; BenchError with the first that does not answer."""
    given = (bench.card, bench.reader, bench.key_switch)
    card, reader, key = (each and open_switch(each) for each in given)
    return Parts(
        open_switch(bench.power),
        UsbSdMux(bench.sd_mux.device, bench.sd_mux.disk),
        lambda: TtyLine(bench.console.port, bench.console.baud),
        card,
        reader,
        key,
        bench.lamps,
    )


@dataclass(slots=True)
class Pi:
    """A board as :class:`rig.board.Board`; its console's log is in ``folder``."""

    parts: Parts
    folder: Path
    host: str
    name: str = "pi"
    began: float = 0.0  # when it was switched on, monotonic s
    dark_s: float = DARK_S
    _console: Console | None = field(default=None)

    @property
    def console(self) -> Console:
        """Its serial console; BenchError while it is off."""
        if self._console is None:
            raise BenchError("the board is off")
        return self._console

    def power_on(self) -> None:
        """The card to the board, then 5 V."""
        self.parts.mux.to_board()
        self._console = Console(self.parts.line(), self.folder / "console.log")
        for each in (self.parts.reader, self.parts.key_switch):
            if each:
                each.set(True)
        self.pull()
        self.parts.power.set(True)
        self.began = time.monotonic()

    def power_off(self) -> None:
        """Cut the 5 V, and wait until the board is dark."""
        self.parts.power.set(False)
        if self._console is not None:
            self._console.close()
            self._console = None
            time.sleep(self.dark_s)

    def wait_said(self, words: str, seconds: float) -> None:
        """On its one serial line."""
        self.console.wait(re.escape(words.encode()), seconds)

    def since(self) -> float:
        """Seconds since it was switched on."""
        return time.monotonic() - self.began

    def disk(self) -> Path:
        """Its card as a disk of this machine."""
        if self._console is not None:
            raise BenchError("the board has its card; switch it off first")
        return self.parts.mux.to_host()

    def boot_files(self) -> BootPartition:
        """The first partition that a laptop shows."""
        disk = self.disk()
        for name, first, _ in partitions(disk):
            if name in FAT or name.startswith("boot"):
                return BootPartition(disk, first)
        raise BenchError(f"{disk} has no partition that a laptop shows; flash it")

    def insert(self, card: VirtualCard | None = None) -> None:
        """Close the contact of the one card that lies in the reader."""
        _there(self.parts.card, "[card], the relay that pulls it").set(True)

    def pull(self) -> None:
        """Open it; nothing to do where there is none."""
        if self.parts.card:
            self.parts.card.set(False)

    def plug_reader(self, plugged: bool) -> None:
        """Switch the reader's 5 V."""
        _there(self.parts.reader, "[reader], what switches its USB power").set(plugged)

    def turn_key(self, on: bool) -> None:
        """Close or open the contact in place of the key switch."""
        _there(self.parts.key_switch, "[key_switch]").set(on)

    def lamp(self, name: str) -> bool:
        """Whether a lamp lights its optocoupler."""
        if self.parts.lamps is None:
            raise Missing("the bench needs [lamps], lines that see the lamps")
        place = getattr(self.parts.lamps, name)
        line = GpiodLine(*parse_place(f"lamps.{name}", place))
        try:
            return line.read()
        finally:
            line.release()

    def close(self) -> None:
        """Off; every part is let go of."""
        self.power_off()
        parts = self.parts
        for each in (parts.power, parts.card, parts.reader, parts.key_switch):
            if each:
                each.close()


def _there(part: Switch | None, name: str) -> Switch:
    if part is None:
        raise Missing(f"the bench needs {name}")
    return part
