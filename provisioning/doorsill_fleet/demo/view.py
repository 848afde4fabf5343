"""What the demo shows: only what the subscriber received, and the known truth."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

LONGEST_SHOWN = 150  # characters of the last message
NO_STATE = "-"  # before the device has sent a state


@dataclass(frozen=True, slots=True)
class Truth:
    """What really happened in the source so far; None if it is not known."""

    lines: tuple[tuple[int, int], ...] | None  # (in, out) for each line


@dataclass(slots=True)
class Received:
    """The latest message of each stream, as it came from the broker."""

    state: str = NO_STATE
    live: list[tuple[int, int]] = field(default_factory=list)
    health: dict[str, Any] = field(default_factory=dict)
    quality: tuple[str, ...] = ()
    last_topic: str = ""
    last_payload: str = ""
    messages: int = 0
    payload_bytes: int = 0

    def take(self, topic: str, payload: bytes) -> None:
        """Note one message; anything that is not ours is counted and not shown."""
        self.messages += 1
        self.payload_bytes += len(topic) + len(payload)
        stream = topic.rsplit("/", 1)[-1]
        if not topic.startswith("doorsill/"):
            return
        body = json.loads(payload)
        self.last_topic, self.last_payload = topic, payload.decode()
        if stream == "state":
            self.state = body["state"]
        elif stream == "health":
            self.health = body
        elif stream == "live":
            self.live = [(each["in"], each["out"]) for each in body["lines"]]
            self.quality = tuple(body["quality"])


@dataclass(frozen=True, slots=True)
class Measured:
    """What the demo itself measured, besides the messages."""

    elapsed: float
    seconds: float
    raw_faces: int  # stored anywhere below the device's folders
    vault: str = ""  # BLANK, OPEN (n sealed), … if a token takes part


def picture(received: Received, truth: Truth, measured: Measured) -> RenderableType:
    """The live view."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", overflow="fold")
    table.add_column(overflow="fold")
    left = max(0.0, measured.seconds - measured.elapsed)
    table.add_row("time", f"{measured.elapsed:4.0f} s, {left:.0f} s left")
    table.add_row("device", received.state)
    table.add_row("frame rate", _frame_rate(received.health))
    table.add_row("crossings", _crossings(received.live, truth))
    table.add_row("quality", _quality(received))
    table.add_row("left the device", _left(received))
    table.add_row("raw faces stored", str(measured.raw_faces))
    if measured.vault:
        table.add_row("vault", measured.vault)
    return Group(
        Panel(table, title="doorsill counts who crosses and remembers no one"),
        Panel(last_message(received), title="last published message"),
    )


def plain(received: Received, measured: Measured) -> str:
    """The same in one line, for output without a terminal."""
    counted = " ".join(f"in {i} out {o}" for i, o in received.live) or "nothing counted"
    vault = f"; vault {measured.vault}" if measured.vault else ""
    return (
        f"{measured.elapsed:3.0f} s: {received.state}; {counted}; "
        f"frame rate {_frame_rate(received.health)}; "
        f"quality {_quality(received)}; {_left(received)} left the device{vault}"
    )


def last_message(received: Received) -> Text:
    """Topic and payload of the last message, cut if it is long."""
    shown = received.last_payload[:LONGEST_SHOWN]
    return Text(f"{received.last_topic}\n{shown}", overflow="fold")


def _quality(received: Received) -> str:
    return ", ".join(received.quality) or "good"


def _frame_rate(health: dict[str, Any]) -> str:
    if not health.get("frame_rate_milli"):
        return "measuring"
    rate = health["frame_rate_milli"] / 1000
    share = f"{health['invoke_us'] / 1000:.1f} ms model"
    return f"{rate:.1f} a second, {share} + {health['overhead_us'] / 1000:.2f} ms ours"


def _crossings(live: list[tuple[int, int]], truth: Truth) -> str:
    """A row for each line, as words: a table would be cut in a narrow terminal."""
    known = truth.lines
    rows = []
    for number in range(max(len(live), len(known or ()), 1)):
        counted = live[number] if number < len(live) else (0, 0)
        real = known[number] if known and number < len(known) else ("?", "?")
        ways = zip(("in", "out"), counted, real, strict=True)
        said = (f"{way} {count} (true {true})" for way, count, true in ways)
        rows.append(f"line {number + 1}: {', '.join(said)}")
    return "\n".join(rows)


def _left(received: Received) -> str:
    return f"{received.payload_bytes} bytes in {received.messages} messages"
