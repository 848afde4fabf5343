"""QEMU's monitor: one command at a time, its answer, and what happened meanwhile."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from .errors import BenchError
from .lines import connected

ANSWER_S = 60.0


class Monitor:
    """A connection to QEMU at ``path``."""

    def __init__(self, path: Path) -> None:
        self._socket = connected(path)
        self._socket.settimeout(ANSWER_S)
        self._file = self._socket.makefile("rw")
        self._lock = threading.Lock()
        self.events: list[dict[str, Any]] = []
        self._hear()
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: object) -> Any:
        """What QEMU returns; BenchError if it refuses or is gone."""
        with self._lock:
            words = json.dumps({"execute": command, "arguments": arguments})
            try:
                self._file.write(words + "\n")
                self._file.flush()
                while "event" in (answer := self._hear()):
                    self.events.append(answer)
            except (OSError, ValueError) as error:
                raise BenchError(f"QEMU does not answer {command}: {error}") from error
        if "error" in answer:
            raise BenchError(f"QEMU refuses {command}: {answer['error']['desc']}")
        return answer["return"]

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def _hear(self) -> dict[str, Any]:
        line = self._file.readline()
        if not line:
            raise OSError("it ended")
        found: dict[str, Any] = json.loads(line)
        return found
