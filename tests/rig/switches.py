"""Contacts that a program closes: a relay board, a plug, a port of a hub; and a fake.

Each has ``set(on)``, which returns when the contact has moved, and ``close``, which
leaves the contact as it is. BenchError names the part that does not answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from .bench import SwitchSection
from .errors import BenchError
from .lines import TtyLine

RELAY_BAUD = 9600  # of the boards with a CH340 and "LCUS" firmware
START = 0xA0  # of a relay board's frame
ANSWER_S = 5.0  # for a plug in the network
PROGRAM_S = 20.0  # for uhubctl


class Switch(Protocol):
    """One contact."""

    def set(self, on: bool) -> None:
        """Close it, or open it; it has moved when this returns."""

    def close(self) -> None:
        """Let go of what drives it; the contact stays as it is."""


class FakeSwitch:
    """A contact in memory: ``on`` is where it is, ``moves`` what happened to it."""

    def __init__(self, moved: Callable[[bool], None] | None = None) -> None:
        self.on = False
        self.moves: list[bool] = []
        self.gone = False  # as if its cable were pulled
        self._moved = moved

    def set(self, on: bool) -> None:
        """Note it, and say so to who wants to know."""
        if self.gone:
            raise BenchError("the switch does not answer")
        self.on = on
        self.moves.append(on)
        if self._moved:
            self._moved(on)

    def close(self) -> None:
        """Nothing was open."""


def frame(channel: int, on: bool) -> bytes:
    """What a relay board with a CH340 takes: start, channel, state, sum."""
    head = bytes((START, channel, on))
    return head + bytes((sum(head) & 0xFF,))


class SerialRelay:
    """One channel of a USB relay board that takes four bytes over its serial port."""

    def __init__(self, port: Path, channel: int) -> None:
        self._line = TtyLine(port, RELAY_BAUD)
        self._channel = channel

    def set(self, on: bool) -> None:
        """Written and drained; such a board does not answer."""
        self._line.write(frame(self._channel, on))

    def close(self) -> None:
        """The relay keeps its state."""
        self._line.close()


class Plug:
    """A plug of the network with the RPC of Shelly's second generation."""

    def __init__(self, address: str, channel: int) -> None:
        self._address, self._channel = address.rstrip("/"), channel

    def set(self, on: bool) -> None:
        """Ask, and look whether it did."""
        self._ask("Switch.Set", id=self._channel, on=on)
        if self._ask("Switch.GetStatus", id=self._channel).get("output") is not on:
            raise BenchError(f"the plug at {self._address} did not switch")

    def close(self) -> None:
        """No connection is kept."""

    def _ask(self, method: str, **values: object) -> dict[str, object]:
        body = json.dumps({"id": 1, "method": method, "params": values}).encode()
        request = urllib.request.Request(  # noqa: S310
            f"{self._address}/rpc", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310
                found = json.load(answer)
        except (OSError, ValueError) as error:
            words = f"the plug at {self._address} does not answer: {error}"
            raise BenchError(words) from error
        if "result" not in found:
            raise BenchError(f"the plug at {self._address} refuses: {found}")
        return dict(found["result"])


class HubPort:
    """A port of a USB hub whose power uhubctl switches; ``hub`` as it lists it."""

    def __init__(self, hub: str, channel: int, program: str = "uhubctl") -> None:
        self._words = [program, "-l", hub, "-p", str(channel), "-a"]

    def set(self, on: bool) -> None:
        """As uhubctl does it."""
        run([*self._words, "on" if on else "off"], PROGRAM_S)

    def close(self) -> None:
        """Nothing is kept open."""


class Inverted:
    """A contact that is wired the other way round."""

    def __init__(self, inner: Switch) -> None:
        self._inner = inner

    def set(self, on: bool) -> None:
        """The other way round."""
        self._inner.set(not on)

    def close(self) -> None:
        """That of the contact."""
        self._inner.close()


def open_switch(section: SwitchSection) -> Switch:
    """The contact that a section of the bench describes."""
    made: Switch
    if section.driver == "relay":
        made = SerialRelay(Path(section.at), section.channel)
    elif section.driver == "plug":
        made = Plug(section.at, section.channel)
    else:
        made = HubPort(section.at, section.channel)
    return Inverted(made) if section.inverted else made


def run(words: list[str], seconds: float) -> str:
    """What a program of the bench prints; BenchError if it fails or takes longer."""
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{words[0]}: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise BenchError(f"{' '.join(words)} ended with {done.returncode}: {said}")
    return done.stdout
