"""Messages that are not a camera's are set aside, numbered, and bounded in number.

One line of JSON each. Its text is kept where it is text; of anything else, which might
be a picture, only size and hash.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from doorsill.errors import UplinkError

LINES_MOST = 1000  # lines kept; more are only counted
TEXT_MOST = 1024  # characters of one message


@dataclass(slots=True)
class Quarantine:
    """Appends to the file at ``path``; its present lines count as kept."""

    path: Path
    now: Callable[[], str]  # the time, in ISO 8601
    lines_most: int = LINES_MOST
    lines: int = field(init=False)  # in the file

    def __post_init__(self) -> None:
        try:
            self.lines = _whole_lines(self.path)
        except FileNotFoundError:
            self.lines = 0
        except OSError as error:
            raise UplinkError(f"cannot read {self.path}: {error.strerror}") from None

    def put(self, strangers: list[tuple[str, bytes, str]]) -> None:
        """Keep (topic, payload, why) as far as there is room; on disk when it returns.

        UplinkError if the disk fails.
        """
        kept = strangers[: self.lines_most - self.lines]
        if not kept:
            return
        said = "".join(
            json.dumps(self._line(number, *each)) + "\n"
            for number, each in enumerate(kept, self.lines + 1)
        )
        try:
            _append(self.path, said.encode())
        except OSError as error:
            why = f"{self.path} takes no data: {error.strerror}"
            raise UplinkError(why) from None
        self.lines += len(kept)

    def _line(self, number: int, topic: str, payload: bytes, why: str) -> object:
        said = {
            "number": number,
            "time": self.now(),
            "topic": topic[:TEXT_MOST],
            "why": why,
            "bytes": len(payload),
            "sha256": hashlib.sha256(payload).hexdigest(),
        }
        text = payload.decode("utf-8", errors="replace")
        if len(payload) <= TEXT_MOST and text.isprintable() and "\ufffd" not in text:
            said["text"] = text
        return said


def _append(path: Path, data: bytes) -> None:
    """All of ``data`` or nothing: what a full disk took of it is cut off again."""
    with path.open("ab", buffering=0) as file:
        at = os.fstat(file.fileno()).st_size
        try:
            left = memoryview(data)
            while left:
                left = left[file.write(left) or 0 :]
            os.fsync(file.fileno())
        except OSError:
            file.truncate(at)
            raise


def _whole_lines(path: Path) -> int:
    """How many lines ``path`` has; half a one, which a power cut left, is cut off."""
    whole = size = lines = 0
    with path.open("rb") as file:
        for line in file:
            size += len(line)
            if line.endswith(b"\n"):
                whole, lines = size, lines + 1
    if whole < size:
        os.truncate(path, whole)
    return lines
