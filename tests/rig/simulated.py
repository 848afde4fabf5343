"""Parts of a bench at the other end of their cable: what the real drivers speak to."""

from __future__ import annotations

import json
import os
import pty
import threading
import tty
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from select import select
from typing import Any

END_S = 20.0
LOOK_S = 0.02


class RelayBoard:
    """A USB relay board: it takes frames of four bytes on a terminal of its own."""

    def __init__(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.port = Path(os.ttyname(self._slave))
        self.states: dict[int, bool] = {}
        self.refused: list[bytes] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Unplug it."""
        self._ended.set()
        self._thread.join(END_S)
        os.close(self._master)
        os.close(self._slave)

    def _listen(self) -> None:
        heard = b""
        while not self._ended.is_set():
            if not select([self._master], [], [], LOOK_S)[0]:
                continue
            heard += os.read(self._master, 64)
            while len(heard) >= 4:
                self._take(heard[:4])
                heard = heard[4:]

    def _take(self, frame: bytes) -> None:
        if frame[0] != 0xA0 or sum(frame[:3]) & 0xFF != frame[3] or frame[2] > 1:
            self.refused.append(frame)
            return
        self.states[frame[1]] = bool(frame[2])


class PlugInTheNetwork:
    """A plug with the RPC of Shelly's second generation."""

    def __init__(self) -> None:
        plug = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                asked = json.loads(self.rfile.read(length))
                body = json.dumps(plug.answer(asked)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.states: dict[int, bool] = {}
        self.stuck = False  # welded contacts
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        words = {"poll_interval": LOOK_S}
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs=words, daemon=True
        )
        self._thread.start()

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What the plug says to one call."""
        channel = asked["params"]["id"]
        if channel != 0:
            return {"error": {"code": -105, "message": f"id {channel} not found"}}
        if asked["method"] == "Switch.Set" and not self.stuck:
            self.states[channel] = asked["params"]["on"]
        return {"result": {"output": self.states.get(channel, False)}}

    def close(self) -> None:
        """Pull it out of the wall."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(END_S)


def program(folder: Path, name: str, text: str) -> str:
    """A program of the bench's, written in sh, that notes how it was called."""
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "$@" >> {folder}/called\n{text}\n')
    path.chmod(0o755)
    return str(path)
