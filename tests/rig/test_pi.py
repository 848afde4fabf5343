"""A bench of fakes, driven: who has the card, what has power, and what is missing."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .bench import (
    Bench,
    BoardSection,
    ConsoleSection,
    MuxSection,
    SwitchSection,
)
from .board import Missing
from .errors import BenchError
from .lines import TtyLine
from .mux import FakeMux
from .pi import Parts, Pi, parts_of
from .simulated import RelayBoard
from .switches import FakeSwitch


@pytest.fixture
def port() -> Iterator[Path]:
    """A serial port with nobody at the other end."""
    master, slave = pty.openpty()
    yield Path(os.ttyname(slave))
    os.close(master)
    os.close(slave)


@dataclass
class Fakes:
    """What is on this bench, to be driven and looked at."""

    mux: FakeMux
    line: Path
    power: FakeSwitch = field(default_factory=FakeSwitch)
    card: FakeSwitch = field(default_factory=FakeSwitch)
    reader: FakeSwitch = field(default_factory=FakeSwitch)

    def board(self, folder: Path) -> Pi:
        """A Pi of these parts."""
        line = lambda: TtyLine(self.line, 115200)  # noqa: E731
        parts = Parts(self.power, self.mux, line, self.card, self.reader)
        return Pi(parts, folder, "192.0.2.1", dark_s=0.0)


@pytest.fixture
def parts(tmp_path: Path, port: Path) -> Fakes:
    return Fakes(FakeMux(tmp_path / "disk"), port)


@pytest.fixture
def board(parts: Fakes, tmp_path: Path) -> Iterator[Pi]:
    made = parts.board(tmp_path)
    yield made
    made.close()


def test_on_it_has_its_card_its_reader_and_no_consent(board: Pi, parts: Fakes) -> None:
    board.power_on()
    assert parts.mux.owner == "board"
    assert parts.power.on and parts.reader.on and not parts.card.on
    with pytest.raises(BenchError, match="switch it off first"):
        board.disk()
    board.power_off()
    assert not parts.power.on
    assert board.disk() == parts.mux.disk and parts.mux.owner == "host"
    with pytest.raises(BenchError, match="the board is off"):
        board.console.run("true")


def test_the_card_is_given_before_the_power(parts: Fakes, tmp_path: Path) -> None:
    """A Pi without its card looks elsewhere for a system."""
    moves: list[str] = []
    parts.power = FakeSwitch(lambda on: moves.append(f"{parts.mux.owner} {on}"))
    made = parts.board(tmp_path)
    made.power_on()
    made.close()
    assert moves == ["board True", "board False"]


def test_a_hand_is_a_contact(board: Pi, parts: Fakes) -> None:
    board.insert()
    board.pull()
    board.plug_reader(False)
    assert parts.card.moves == [True, False] and parts.reader.moves == [False]


def test_what_the_bench_has_not_is_said(board: Pi) -> None:
    for ask, says in (
        (lambda: board.turn_key(True), r"\[key_switch\]"),
        (lambda: board.lamp("consent"), r"\[lamps\]"),
    ):
        with pytest.raises(Missing, match=says):
            ask()


def test_the_parts_are_those_of_the_file(port: Path) -> None:
    relays = RelayBoard()
    try:
        at = str(relays.port)
        bench = Bench(
            BoardSection("pi5", "192.0.2.1"),
            ConsoleSection(port),
            SwitchSection("relay", at, 1),
            MuxSection(Path("/dev/sg0"), Path("/dev/sdx")),
            reader=SwitchSection("relay", at, 3),
        )
        found = parts_of(bench)
        assert found.card is None and found.reader is not None
        found.line().close()
        found.power.close()
        found.reader.close()
    finally:
        relays.close()
