"""The demo's "raw faces stored: 0": what a device writes is known, all else counts."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from messages import CERTIFICATE
from PIL import Image

from doorsill.channels.tray import Tray
from doorsill.wire.codec import encode
from doorsill_fleet.demo.raw_faces import holds_certificates_alone, may_hold_picture

FACE = np.random.default_rng(7).integers(0, 256, (32, 24, 3), dtype=np.uint8)


def encoded(kind: str) -> bytes:
    held = io.BytesIO()
    Image.fromarray(FACE).save(held, kind)
    return held.getvalue()


def saved() -> bytes:
    held = io.BytesIO()
    np.save(held, FACE)
    return held.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("face.jpg", b"", id="by its name, though empty"),
        pytest.param("note", encoded("JPEG"), id="JPEG without a suffix"),
        pytest.param("note.json", encoded("PNG"), id="PNG that is called JSON"),
        pytest.param("note", FACE.tobytes(), id="the bare pixels"),
        pytest.param("note", (FACE // 2).tobytes(), id="pixels below 128"),
        pytest.param("note", saved(), id="an array of numpy"),
        pytest.param("note.toml", b'a = "b"\n' + FACE.tobytes(), id="behind text"),
    ],
)
def test_a_picture_counts(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert may_hold_picture(path)


@pytest.mark.parametrize("text", ["", '{"version": 1}\n', "a\tb\n", "Ana à la porte\n"])
def test_text_does_not(tmp_path: Path, text: str) -> None:
    path = tmp_path / "note"
    path.write_text(text, encoding="utf-8")
    assert not may_hold_picture(path)


def test_the_outbox_does_not(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma journal_mode = wal")
        database.execute("create table windows (body text)")
        database.commit()
        files = sorted(tmp_path.iterdir())
        assert [each.name for each in files] == ["outbox", "outbox-shm", "outbox-wal"]
        assert not any(map(may_hold_picture, files))


@pytest.mark.parametrize(
    ("hidden", "held"),
    [
        pytest.param(b"", True, id="certificates"),
        pytest.param(FACE.tobytes(), False, id="pixels behind them"),
        pytest.param(b"in a record", False, id="another message among them"),
    ],
)
def test_the_tray_does_not_if_it_holds_certificates_alone(
    tmp_path: Path, hidden: bytes, held: bool
) -> None:
    tray = Tray(tmp_path / "tray")
    tray.put(1, encode(CERTIFICATE))
    if hidden.startswith(b"in a record"):
        tray.put(2, hidden)
    tray.close()
    if hidden == FACE.tobytes():
        with (tmp_path / "tray").open("ab") as file:
            file.write(hidden)
    assert holds_certificates_alone(tmp_path / "tray") is held
