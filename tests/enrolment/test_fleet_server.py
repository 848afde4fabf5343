"""An answer that does not come whole is no answer: it is asked for again."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fleets import FleetWorld, fleet_world
from limits import END_S

from doorsill.enrolment.fleet_server import FleetServer
from doorsill.errors import UplinkError


@contextmanager
def answering(world: FleetWorld, words: bytes) -> Iterator[FleetServer]:
    """A server of the fleet that says ``words`` to the first who asks, and is gone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    folder = world.chain.folder
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            listening.settimeout(END_S)
            taken, _ = listening.accept()
            taken.settimeout(END_S)
            with context.wrap_socket(taken, server_side=True) as found:
                found.settimeout(END_S)
                found.recv(4096)
                found.sendall(words)

        thread = threading.Thread(target=serve)
        thread.start()
        port, ca = listening.getsockname()[1], (folder / "ca.pem").read_text()
        yield FleetServer("localhost", port, ca, time.time(), 0.0)
        thread.join(END_S)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200", id="half a line"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="half a header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", id="no body"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nMII", id="half a body"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nMII",
            id="half a chunk",
        ),
    ],
)
def test_an_answer_that_was_cut_is_no_refusal(tmp_path: Path, words: bytes) -> None:
    with (
        fleet_world(tmp_path) as world,
        answering(world, words) as server,
        pytest.raises(UplinkError, match="does not answer"),
    ):
        server.ask("/doorsill/start", b"", {})
