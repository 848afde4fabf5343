"""Which ports a camera has to reach: for the filter of packets of its image.

    doorsill.txt ──► boot ───┐
    fleet.json ────► fleet ──┼─► a number each, below /run ─► doorsill-ports.service
    doorsill.toml ─► broker ─┘

The service may change the filter, and reads nothing but these numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from doorsill.config import load_config
from doorsill.documents.boot.file import BootFile
from doorsill.documents.durable import FOR_ALL, put
from doorsill.documents.folders import make_folder
from doorsill.documents.reading import read_if_there
from doorsill.enrolment.renewing import read_fleet
from doorsill.enrolment.stage import Stage
from doorsill.errors import ConfigError

FOLDER = Path("run/doorsill-ports")  # below the root


def write_ports(folder: Path, file: BootFile | None, stage: Stage) -> bool:
    """Write what the camera's files name now; whether that is another than before.

    What is not there names no port. A file that cannot be read changes nothing: its
    port of before stays. ``file`` is the boot file, or None where it is not right.
    """
    reads: dict[str, Callable[[], int | None]] = {
        "fleet": lambda: _fleet_port(stage.target / "fleet.json"),
        "broker": lambda: _broker_port(stage.target / "doorsill.toml"),
    }
    if file is not None:
        reads["boot"] = lambda: _boot_port(file, stage)
    changed = [_write(folder / name, read) for name, read in reads.items()]
    return any(changed)


def _write(path: Path, read: Callable[[], int | None]) -> bool:
    try:
        port = read()
    except ConfigError:  # who needs that file says what is wrong
        return False
    text = b"" if port is None else f"{port}\n".encode()
    if text == (read_if_there(path) or b""):
        return False
    if text:
        make_folder(path.parent)
        put(path, text, FOR_ALL)
    else:
        path.unlink()
    return True


def _boot_port(file: BootFile, stage: Stage) -> int | None:
    """The fleet's as a person said it; once the voucher is wiped, as it was begun."""
    if file.way is not None:
        return file.way.port
    return _fleet_port(stage.folder / "fleet.json")


def _fleet_port(path: Path) -> int | None:
    return read_fleet(path).port if path.exists() else None


def _broker_port(path: Path) -> int | None:
    return load_config(path).broker.port if path.exists() else None
