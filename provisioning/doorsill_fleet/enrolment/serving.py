"""uvicorn with TLS 1.3 and nothing older, behind a gate that bounds who is inside.

It may run for years, and its certificate for one: each hour somebody may renew it, and
who connects afterwards gets the new one.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from doorsill.errors import DoorsillError
from doorsill_fleet.enrolment import limits
from doorsill_fleet.enrolment.gate import Gate

log = logging.getLogger(__name__)

UPKEEP_S = 3600  # between two looks at what has to be renewed
HEADER_BYTES = 16384  # of a request before its body
IDLE_S = 5  # that a connection is kept open for another request
ENDS_WITHIN_S = 5  # for requests under way when the server is stopped


class Server(uvicorn.Server):
    """As uvicorn's, on the socket that it was given."""

    def __init__(self, config: uvicorn.Config, gate: Gate) -> None:
        super().__init__(config)
        self.gate = gate

    def run(self, sockets: object = None) -> None:
        """Serve until a signal, or until ``should_exit``."""
        del sockets
        try:
            super().run([self.gate])
        finally:
            self.gate.close()


def server(
    app: Starlette,
    folder: Path,
    host: str,
    port: int,
    upkeep: Callable[[], object] = lambda: None,
) -> Server:
    """The server with ``server.pem`` and ``server.key`` of ``folder``; it listens.

    ``upkeep`` may replace them, at the start and each hour. Raises ConfigError if it
    cannot listen.
    """
    files = folder / "server.pem", folder / "server.key"

    async def look() -> None:
        try:
            upkeep()
            if isinstance(config.ssl, ssl.SSLContext):
                config.ssl.load_cert_chain(*files)
        except (DoorsillError, OSError) as error:
            log.error("nothing is renewed: %s", error)

    config = uvicorn.Config(
        app,
        callback_notify=look,
        timeout_notify=UPKEEP_S,
        http="h11",
        loop="asyncio",  # another loop would not ask our gate
        ws="none",
        lifespan="off",
        ssl_certfile=files[0],
        ssl_keyfile=files[1],
        ssl_context_factory=_only_tls_1_3,
        h11_max_incomplete_event_size=HEADER_BYTES,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=ENDS_WITHIN_S,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="error",  # what is no HTTP at all is no news, however often it comes
    )
    return Server(config, Gate(host, port, limits.INSIDE_S))


def _only_tls_1_3(
    _: uvicorn.Config, make: Callable[[], ssl.SSLContext]
) -> ssl.SSLContext:
    context = make()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
