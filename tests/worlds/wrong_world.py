"""A folder in which every command has what it needs, and files that are wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from devices import DeviceCA, blanking
from vaults import CA, Bench, lease

from doorsill.cli import main
from doorsill.drivers.camera.clip import STREET
from doorsill.models.manifest import shipped
from doorsill.vault import export
from doorsill.vault.chain import CertificateChain
from doorsill_fleet.stage.shop import Stage

LINE = "0.5,0,0.5,1"
OWN = (((0.0, 0.6), (1.0, 0.6)),)


def build(folder: Path) -> None:
    """Fill ``folder``, which is the current one; everything in it is right."""
    Stage(folder, OWN).set()
    shutil.copy(STREET, folder / "door.mp4")
    ours = shipped("detector").model_path
    shutil.copy(ours, folder / "detector.tflite")
    for words in (
        ["policy", "key", "c.key"],
        ["policy", "new", "p.toml", "--site", "a-site", "--controller", "Ana, Porto"],
        ["policy", "sign", "p.toml", "--key", "c.key", "--out", "p.json"],
        ["consent", "ca", "office", "--controller", "Ana, Porto"],
    ):
        assert main.run(words) == 0
    (folder / "clips").mkdir()
    (folder / "clips" / "labels.json").write_text('{"clips": {}}')
    authority = DeviceCA()
    authority.write(folder / "device-ca.pem")
    device = authority.device(folder / "device", "cam-01")
    chain = CertificateChain(folder / "certificates", device)
    for _ in range(2):
        chain.append(blanking(chain))
    _export(folder)
    _wrong_files(folder / "wrong")


def _export(folder: Path) -> None:
    """What ``doorsill vault export`` writes, and the CA of the device that wrote it."""
    bench = Bench(folder / "bench")
    bench.vault.start()
    bench.vault.open(lease())
    bench.seal(1)
    session = bench.vault.session
    assert session is not None
    head = export.header(session, bench.device)
    data = head + b"".join(bench.vault.sealed_records())
    (folder / "faces.sealed").write_bytes(data)
    CA.write(folder / "exporter-ca.pem")


WRONG: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "below a file": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a broken link": lambda path: path.symlink_to("nowhere"),
    "empty": lambda path: path.touch(),
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "zeros": lambda path: path.write_bytes(bytes(5000)),
    "text": lambda path: path.write_text("Dear Ana,\nhere is the file.\n"),
    "UTF-16": lambda path: path.write_text("k = 10\n", encoding="utf-16"),
    "Latin-1": lambda path: path.write_text('k = "é"\n', encoding="latin-1"),
    "JSON": lambda path: path.write_text('{"a": 1}\n'),
    "deep JSON": lambda path: path.write_text('{"a":' + "[" * 90_000),
    "damaged PEM": lambda path: path.write_text(
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    ),
}
# What is wrong before a byte of it is read; the others are wrong in what they hold.
UNREADABLE = ("missing", "below a file", "a folder", "a pipe", "a broken link")


def wrong_path(kind: str, suffix: str) -> str:
    """The file of this ``kind``, with a name that says it, relative to the world."""
    if kind == "below a file":
        return f"wrong/text{suffix}/below{suffix}"
    return f"wrong/{kind.replace(' ', '-')}{suffix}"


SUFFIXES = (".mp4", ".toml", ".json", ".pem", ".key", ".tflite", ".sealed", ".crl")


def _wrong_files(folder: Path) -> None:
    folder.mkdir()
    for suffix in SUFFIXES:
        for kind, make in WRONG.items():
            if kind != "below a file":
                make(folder.parent / wrong_path(kind, suffix))
    for path in folder.glob("*.key"):
        if path.is_file():
            path.chmod(0o600)
