"""uvicorn with TLS 1.3 and nothing older."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

MOST_AT_ONCE = 256  # connections; more are answered with 503
HEADER_BYTES = 16384  # of a request before its body
IDLE_S = 5  # that a connection is kept open for another request
ENDS_WITHIN_S = 5  # for requests under way when the server is stopped


def server(app: Starlette, folder: Path, host: str, port: int) -> uvicorn.Server:
    """The server with ``server.pem`` and ``server.key`` of ``folder``; not started."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http="h11",
            ws="none",
            lifespan="off",
            ssl_certfile=folder / "server.pem",
            ssl_keyfile=folder / "server.key",
            ssl_context_factory=_only_tls_1_3,
            limit_concurrency=MOST_AT_ONCE,
            h11_max_incomplete_event_size=HEADER_BYTES,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=ENDS_WITHIN_S,
            server_header=False,
            access_log=False,
            log_config=None,
        )
    )


def _only_tls_1_3(
    _: uvicorn.Config, make: Callable[[], ssl.SSLContext]
) -> ssl.SSLContext:
    context = make()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
