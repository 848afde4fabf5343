"""The listening socket: how many may be inside at once, and each for how long.

An HTTP server counts whoever speaks HTTP. A stranger who opens connections and says
nothing, in TLS or in HTTP, would take every place and every file handle of this
process. So places are given here, before TLS begins: a bounded number to one address,
and when all are taken the address that has most of them gives one up. A place ends with
its time, in whatever state its connection is.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from doorsill.documents.fields import place_text
from doorsill.errors import ConfigError
from doorsill_fleet.enrolment.limits import INSIDE_MOST, INSIDE_OF_ONE, origin

BACKLOG = 1024  # connections that the kernel has taken and we have not yet seen


class Gate(socket.socket):
    """Listens on ``host`` and ``port``; ConfigError if that cannot be.

    ``inside_s`` is how long one connection may last from its first packet.
    """

    def __init__(self, host: str, port: int, inside_s: float) -> None:
        try:
            family, kind, number, _, place = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            super().__init__(family, kind, number)
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.bind(place)
            self.listen(BACKLOG)
        except OSError as error:
            self.close()
            why = f"cannot listen on {place_text(host, port)}: {error.strerror}"
            raise ConfigError(why) from None
        self.setblocking(False)
        self._inside_s = inside_s
        self._inside: dict[str, list[Inside]] = defaultdict(list)  # the oldest first

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection, in the event loop; who has too many is cut off."""
        taken, address = super().accept()
        who = origin(address[0])
        if len(self._inside.get(who, ())) >= INSIDE_OF_ONE:
            taken.close()
            raise ConnectionAbortedError  # asyncio goes on to the next one
        if sum(map(len, self._inside.values())) >= INSIDE_MOST:
            max(self._inside.values(), key=len)[0].end()
        made = Inside(taken, lambda: self._left(who, made))
        self._inside[who].append(made)
        loop = asyncio.get_running_loop()
        made.timer = loop.call_later(self._inside_s, made.end)
        return made, address

    def _left(self, address: str, who: Inside) -> None:
        of = self._inside.get(address, [])
        if who in of:
            of.remove(who)
        if not of:
            self._inside.pop(address, None)


class Inside(socket.socket):
    """A connection that says once when it is over."""

    timer: asyncio.TimerHandle | None = None

    def __init__(self, taken: socket.socket, left: Callable[[], None]) -> None:
        super().__init__(taken.family, taken.type, taken.proto, taken.detach())
        self._left = left

    def end(self) -> None:
        """Take its place away; the loop sees its end and closes it."""
        self._left()
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """As a socket; and its place is free."""
        super().close()
        if self.timer is not None:
            self.timer.cancel()
        self._left()
