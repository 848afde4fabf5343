"""What a shop's broker has heard of its camera."""

from __future__ import annotations

import json
from typing import Any

from broker import Listener


class Listening:
    """A reader at a broker, once there is one; a shop of the tests is one."""

    listener: Listener | None = None

    def stop_listening(self) -> None:
        if self.listener is not None:
            self.listener.close()
            self.listener = None

    def heard(self, stream: str) -> list[dict[str, Any]]:
        """All messages of a stream so far, oldest first."""
        assert self.listener is not None
        return [json.loads(each) for each in self.listener.on(f"/{stream}")]

    def state(self) -> str:
        """The newest ``state`` at the broker."""
        return str(self.heard("state")[-1]["state"]) if self.heard("state") else ""
