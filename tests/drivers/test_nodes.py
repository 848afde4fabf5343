"""A camera's node is a character device of a camera, under any name."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from doorsill.config import Config
from doorsill.drivers import nodes
from doorsill.drivers.camera.opening import open_camera
from doorsill.drivers.nodes import ACCELERATORS, PI_CAMERA, camera_node, nodes_of
from doorsill.errors import ConfigError
from doorsill.services.vision import devices
from doorsill_fleet.stage.shop import Stage

LINE = (((0.0, 0.6), (1.0, 0.6)),)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")


def node(path: Path, major: int, minor: int, kind: int = stat.S_IFCHR) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(path, kind | 0o600, os.makedev(major, minor))
    return path


@needs_root
@pytest.mark.parametrize("named", ["video0", "v4l/by-id/usb-Camera"])
def test_a_camera_is_found_through_its_links(tmp_path: Path, named: str) -> None:
    real = node(tmp_path / "video0", 81, 0)
    link = tmp_path / named
    if link != real:
        link.parent.mkdir(parents=True)
        link.symlink_to("../../video0")
    assert camera_node(str(link)) == real


def test_where_nothing_is_there_is_no_camera() -> None:
    assert camera_node("/dev/video63") is None


NO_CAMERA = [
    pytest.param("/dev/shm", "is no camera but a fold", id="memory"),  # noqa: S108
    pytest.param("/dev/", "leads to /dev, which is no camera but a f", id="devices"),
    pytest.param("/dev/null", "is no camera but the character device 1:3", id="null"),
    pytest.param("/dev/../etc/passwd", "leads to /etc/passwd, which is no", id="out"),
    pytest.param("/dev/tty", "is no camera but the character device 5:0", id="tty"),
]


@pytest.mark.parametrize(("source", "sentence"), NO_CAMERA)
def test_what_is_no_camera_is_refused_before_anything_is_opened(
    tmp_path: Path, source: str, sentence: str
) -> None:
    stage = Stage(tmp_path, LINE)
    stage.driver, stage.source = "video", source
    config = stage.set()
    with pytest.raises(ConfigError, match=sentence):
        devices(config)
    with pytest.raises(ConfigError, match=sentence):
        open_camera("video", source, (320, 256))


@pytest.mark.parametrize("source", ["/dev/*", "/dev/vid*0", "/dev/video[0-9]"])
def test_a_pattern_is_a_name_and_matches_nothing(tmp_path: Path, source: str) -> None:
    stage = Stage(tmp_path, LINE)
    stage.driver, stage.source = "video", source
    assert devices(stage.set()) == []


@needs_root
def test_a_disk_with_the_number_of_a_camera_is_none(tmp_path: Path) -> None:
    disk = node(tmp_path / "video0", 81, 0, stat.S_IFBLK)
    with pytest.raises(ConfigError, match="is no camera but the block device 81:0"):
        camera_node(str(disk))


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /dev and a /sys/dev/char as a Pi with a Coral has them, and strangers."""
    root, sysfs = tmp_path / "root", tmp_path / "sys"
    monkeypatch.setattr(nodes, "SYSFS", sysfs)
    classes = {
        "video0": (81, 0, "video4linux"),
        "v4l-subdev1": (81, 1, "video4linux"),
        "media0": (234, 0, "media"),
        "dma_heap/linux,cma": (250, 0, "dma_heap"),
        "dma_heap/udmabuf": (10, 258, "misc"),
        "apex_0": (120, 0, "apex"),
        "media9": (1, 8, "mem"),  # /dev/random, renamed
        "dma_heap/tun": (10, 200, "misc"),
    }
    names = {258: "udmabuf", 200: "tun"}
    for name, (major, minor, kind) in classes.items():
        node(root / "dev" / name, major, minor)
        name = names.get(minor, Path(name).name)
        (tmp_path / "devices" / name).mkdir(parents=True)
        (tmp_path / "devices" / name / "subsystem").symlink_to(tmp_path / kind)
        sysfs.mkdir(exist_ok=True)
        (sysfs / f"{major}:{minor}").symlink_to(tmp_path / "devices" / name)
    for number, ids in ((3, ("18d1", "9302")), (4, ("0781", "5581"))):
        node(root / f"dev/bus/usb/001/00{number}", 189, number)
        there = sysfs / f"189:{number}"
        there.mkdir()
        for name, value in zip(("idVendor", "idProduct"), ids, strict=True):
            (there / name).write_text(value + "\n")
    (root / "dev/video7").mkdir()
    (root / "dev/video8").write_text("a file")
    (root / "dev/video9").symlink_to("nowhere")
    (root / "dev/dma_heap/vidbuf_cached").symlink_to("linux,cma")
    (root / "dev/media5").symlink_to("/etc/passwd")
    return root


@needs_root
def test_of_a_pis_devices_those_of_the_camera_are_named(board: Path) -> None:
    found = [each.relative_to(board / "dev") for each in nodes_of(PI_CAMERA, board)]
    assert list(map(str, found)) == [
        "dma_heap/linux,cma",
        "dma_heap/udmabuf",
        "media0",
        "v4l-subdev1",
        "video0",
    ]


@needs_root
def test_a_coral_is_known_by_its_ids(board: Path) -> None:
    found = [each.relative_to(board / "dev") for each in nodes_of(ACCELERATORS, board)]
    assert list(map(str, found)) == ["apex_0", "bus/usb/001/003"], "and no memory stick"


def test_this_machines_memory_and_terminals_are_no_camera() -> None:
    """The kernel's own words, where there is no camera to ask about."""
    assert nodes.kind_of(Path("/dev/null")) == "mem"
    assert nodes.kind_of(Path("/dev/tty")) == "tty"
    assert nodes.kind_of(Path("/etc/passwd")) == ""


def test_a_recording_makes_nothing_writable(tmp_path: Path) -> None:
    stage = Stage(tmp_path, LINE)
    stage.driver, stage.source = "video", str(tmp_path / "door.mp4")
    config: Config = stage.set()
    assert devices(config) == []
