"""Large files of others' making: models, recordings, and what a server sends."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from limits import END_S
from places import ROOT

from doorsill.drivers.camera.opening import open_camera
from doorsill.models import fetch
from doorsill.models import stated as models_stated
from doorsill.vision.detect.named import model_named

from .running import Parser

FRAMES = 20


def model(folder: Path) -> Parser:
    """Somebody else's model, by its path. Tried in a child, so not many a second."""
    path = folder / "model.tflite"

    def feed(data: bytes) -> None:
        path.write_bytes(data)
        model_named(str(path)).interpreter()

    return Parser([(ROOT / "models" / "attributes.tflite").read_bytes()], feed)


def stated(folder: Path) -> Parser:
    """What a model file says of itself, with metadata and labels behind."""
    import models_bent as bent

    said = bent.metadata(
        mean=[127.5],
        deviation=[127.5],
        size=(320, 256),
        outputs=["location", "score"],
        box_order=[1, 0, 3, 2],
        anchors=np.full((3, 4), 0.5),
    )
    plain = (ROOT / "models" / "attributes.tflite").read_bytes()
    whole = bent.with_labels_behind(bent.with_metadata(plain, said), ["person"])
    return Parser([whole], models_stated.read_stated)


def recording(path: Path) -> bytes:
    """A short film of noise that moves."""
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("libx264", rate=Fraction(25, 2))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        noise = np.random.default_rng(5).integers(0, 256, (64, 96, 3), np.uint8)
        for number in range(FRAMES):
            picture = np.roll(noise, 3 * number, axis=1)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path.read_bytes()


def film(folder: Path, kind: str) -> Parser:
    good, path = recording(folder / f"good.{kind}"), folder / f"film.{kind}"

    def feed(data: bytes) -> None:
        path.write_bytes(data)
        camera = open_camera("video", str(path), (96, 64), live=False)
        try:
            for _ in range(4 * FRAMES):
                if (frame := camera.read()) is None:
                    break
                frame.release()
        finally:
            camera.close()

    return Parser([good], feed)


def mp4(folder: Path) -> Parser:
    return film(folder, "mp4")


def mkv(folder: Path) -> Parser:
    return film(folder, "mkv")


def fetched(folder: Path) -> Parser:
    """The raw bytes of a server's answer, headers and all."""
    listener = socket.create_server(("127.0.0.1", 0))
    said = [b""]

    def serve() -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                peer, _ = listener.accept()
                peer.settimeout(END_S)
                with peer, contextlib.suppress(OSError):
                    peer.recv(4096)
                    peer.sendall(said[0])

    threading.Thread(target=serve, daemon=True).start()

    def close() -> None:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()

    url = f"http://127.0.0.1:{listener.getsockname()[1]}/model"
    wanted = replace(fetch.KNOWN[0], url=url)
    body = b"TFL3" * 10
    seeds = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n" + body,
        b"HTTP/1.1 206 Partial\r\nContent-Length: 40\r\n\r\n" + body,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
        b"HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
    ]

    def feed(data: bytes) -> None:
        said[0] = data
        fetch.fetch(wanted, folder / "models", lambda have, whole: None)

    return Parser(seeds, feed, close)
