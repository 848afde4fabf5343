"""One board and one office for all tests here: switched on once, looked at in order.

Without BENCH the board is a guest with ``make image BOARD=virt`` and a layer over it
(``rig/layer.py``); with ``BENCH=bench.toml`` it is the Pi on the bench. What a board
has not is skipped with a reason.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from places import ROOT
from rig.board import Board, Missing
from rig.guest import Guest, Image, require_qemu
from rig.layer import build, words_of
from rig.office import Office
from rig.pi import Pi, parts_of

from .camera import Camera, Clip

HERE = Path(__file__).parent
LIMIT_S = 900.0  # of one test; the guest's own pace stretches what it waits for
IMAGE = ROOT / "build/image/virt"
OUT = ROOT / "build/hil"
BOOT = "bootconfig"  # the partition that a laptop shows
LAYER = "doorsill.layer=/dev/vdb"
# What needs a board as it was flashed comes first, what damages it last.
ORDER = (
    "start",
    "outage",
    "consent",
    "interlock",
    "crossings",
    "sandbox",
    "damage",
    "written",
    "papers",
    "flashed",
)


def _turn(item: pytest.Item) -> int:
    name = item.path.stem.removeprefix("test_")
    return ORDER.index(name) if name in ORDER else len(ORDER)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)
    for each in items:
        if HERE in each.path.parents:
            each.add_marker(pytest.mark.timeout(LIMIT_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """A part that this board has not is no failure, and no pass."""
    try:
        return (yield)
    except Missing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def work() -> Iterator[Path]:
    """A folder with a short path: sockets lie in it."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hil-") as folder:
        yield Path(folder)
        for log in ("serial.log", "shell.log", "console.log", "qemu.log", "serve.log"):
            if (Path(folder) / log).exists():
                (OUT / log).write_bytes((Path(folder) / log).read_bytes())


@pytest.fixture(scope="session")
def board(work: Path) -> Iterator[Board]:
    """The guest, or the Pi that BENCH describes; it is off."""
    from rig.bench import read_bench

    if named := os.environ.get("BENCH"):
        bench = read_bench(Path(named))
        made: Board = Pi(parts_of(bench), work, bench.board.host)
    else:
        made = virtual_pi(work)
    try:
        yield made
    finally:
        made.close()


def virtual_pi(work: Path) -> Guest:
    """A guest of the image that was built, with the layer; skips where none is."""
    require_qemu()
    if not (IMAGE / "image.json").exists():
        pytest.skip("there is no image: make image BOARD=virt")
    said = json.loads((IMAGE / "image.json").read_text("utf-8"))
    line = f"{said['kernel_line']} {LAYER} {os.environ.get('HIL_APPEND', '')}"
    kernel, initramfs = IMAGE / said["kernel"], IMAGE / said["initramfs"]
    image = Image(kernel, initramfs, line, IMAGE / said["image"], BOOT)
    return Guest(image, work, devices=words_of(build(OUT)))


@pytest.fixture(scope="session")
def office(work: Path, board: Board) -> Iterator[Office]:
    made = Office(work, board.host)
    made.found()
    made.open()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def camera(board: Board, office: Office) -> Camera:
    """Flashed, its boot file written, and switched on: no hand touches it then."""
    made = Camera(board, office)
    made.start()
    made.login()
    if not made.joins_by_itself():
        made.by_hand = True
        made.enrol_by_hand()
    return made


@pytest.fixture(scope="session")
def played(camera: Camera) -> Clip:
    """The clip's first seconds through the camera of the guest, once for all tests."""
    if not camera.has_layer():
        pytest.skip("a Pi sees what stands before its lens, not our clip")
    return camera.play_clip()


def _spent(terminalreporter: Any) -> dict[str, float]:
    """Seconds of each test, with all that was set up for it, as a start."""
    spent: dict[str, float] = {}
    for reports in terminalreporter.stats.values():
        for each in reports:
            if hasattr(each, "duration"):
                at = each.nodeid
                spent[at] = spent.get(at, 0.0) + each.duration
    return spent


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table that a person reads, and the same as JSON."""
    rows, spent = [], _spent(terminalreporter)
    for outcome in ("passed", "failed", "skipped", "error"):
        for each in terminalreporter.stats.get(outcome, []):
            if not hasattr(each, "when") or (
                outcome == "passed" and each.when != "call"
            ):
                continue
            name = each.nodeid.rpartition("::")[2].removeprefix("test_")
            found = {"seconds": spent[each.nodeid], **dict(each.user_properties)}
            rows.append((name.replace("_", " "), outcome, found))
    if not rows:
        return
    OUT.mkdir(parents=True, exist_ok=True)
    listed = [{"test": n, "outcome": o, **p} for n, o, p in rows]
    (OUT / "results.json").write_text(json.dumps(listed, indent=1) + "\n")
    write = terminalreporter.write_line
    write("")
    for name, outcome, found in rows:
        write(f"{outcome:8}{found.pop('seconds'):7.1f} s  {name}")
        for key, value in found.items():
            write(f"{'':19}{key}: {value}")
