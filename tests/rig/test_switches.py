"""One contract for all that switches: the fake, each driver, and the bench's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from limits import wait_until

from .bench import SwitchSection, read_bench
from .errors import BenchError
from .simulated import PlugInTheNetwork, RelayBoard, program
from .switches import (
    FakeSwitch,
    HubPort,
    Inverted,
    Plug,
    SerialRelay,
    Switch,
    frame,
    open_switch,
)


@dataclass
class Wired:
    """A switch, and what its contact does; None where only a person can see that."""

    switch: Switch
    seen: Callable[[], bool] | None


def _fake(_: Path) -> Iterator[Wired]:
    made = FakeSwitch()
    yield Wired(made, lambda: made.on)


def _inverted(_: Path) -> Iterator[Wired]:
    made = FakeSwitch()
    yield Wired(Inverted(made), lambda: not made.on)


def _relay(_: Path) -> Iterator[Wired]:
    board = RelayBoard()
    try:
        yield Wired(SerialRelay(board.port, 2), lambda: board.states.get(2, False))
        assert board.refused == []
    finally:
        board.close()


def _plug(_: Path) -> Iterator[Wired]:
    plug = PlugInTheNetwork()
    try:
        yield Wired(Plug(plug.address, 0), lambda: plug.states.get(0, False))
    finally:
        plug.close()


def _hub(folder: Path) -> Iterator[Wired]:
    made = HubPort("1-1.4", 3, program(folder, "uhubctl", ""))
    called = folder / "called"
    yield Wired(made, lambda: called.read_text().endswith("-l 1-1.4 -p 3 -a on\n"))


def _bench(_: Path) -> Iterator[Wired]:
    """The relay that pulls the card: moving it harms nothing."""
    if "BENCH" not in os.environ:
        pytest.skip("BENCH names no bench.toml")
    section = read_bench(Path(os.environ["BENCH"])).card
    if section is None:
        pytest.skip("this bench has no [card]")
    yield Wired(open_switch(section), None)


KINDS = {
    "fake": _fake,
    "inverted": _inverted,
    "relay": _relay,
    "plug": _plug,
    "hub": _hub,
    "the bench's own": _bench,
}


@pytest.fixture(params=KINDS)
def wired(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Wired]:
    for found in KINDS[request.param](tmp_path):
        yield found
        found.switch.close()


def test_it_is_where_it_was_put_each_time(wired: Wired) -> None:
    for on in (True, False, False, True, True):
        wired.switch.set(on)
        if wired.seen:
            wait_until(lambda on=on: wired.seen() is on)


def test_closing_leaves_the_contact_as_it_is(wired: Wired) -> None:
    wired.switch.set(True)
    if wired.seen:
        wait_until(wired.seen)
    wired.switch.close()
    if wired.seen:
        assert wired.seen()
    wired.switch.close = lambda: None  # the fixture closes it as well


def test_the_bytes_of_a_relay_board() -> None:
    assert frame(1, True).hex() == "a00101a2"
    assert frame(4, False).hex() == "a00400a4"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(
            lambda _: SerialRelay(Path("/dev/no-relay"), 1),
            "/dev/no-relay: No such file",
            id="relay unplugged",
        ),
        pytest.param(
            lambda _: SerialRelay(Path("/dev/null"), 1),
            "/dev/null is no serial port",
            id="no serial port",
        ),
        pytest.param(
            lambda _: Plug("http://127.0.0.1:1", 0).set(True),
            "the plug at http://127.0.0.1:1 does not answer",
            id="plug away",
        ),
        pytest.param(
            lambda _: HubPort("1-1", 1, "/no/uhubctl").set(True),
            "/no/uhubctl",
            id="uhubctl is not installed",
        ),
        pytest.param(
            lambda folder: HubPort(
                "1-1", 1, program(folder, "hub", "echo no hub >&2; exit 1")
            ).set(True),
            "ended with 1: no hub",
            id="no such hub",
        ),
    ],
)
def test_what_does_not_answer_is_named(
    tmp_path: Path, make: Callable[[Path], object], says: str
) -> None:
    with pytest.raises(BenchError, match=says):
        make(tmp_path)


def test_a_plug_that_did_not_switch_is_found_out() -> None:
    plug = PlugInTheNetwork()
    try:
        plug.stuck = True
        with pytest.raises(BenchError, match="did not switch"):
            Plug(plug.address, 0).set(True)
        with pytest.raises(BenchError, match=r"refuses: .*id 7 not found"):
            Plug(plug.address, 7).set(True)
    finally:
        plug.close()


@pytest.mark.parametrize("inverted", [False, True])
def test_a_section_says_which_and_how(inverted: bool) -> None:
    board = RelayBoard()
    try:
        section = SwitchSection("relay", str(board.port), 3, inverted)
        switch = open_switch(section)
        switch.set(True)
        wait_until(lambda: board.states == {3: not inverted})
        switch.close()
    finally:
        board.close()
