"""What is laid over the image for a guest: pictures, settings, and nothing of ours."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from .layer import (
    CAMERAS,
    EVERY,
    FEW,
    FRAMES,
    HEIGHT,
    INSIDE,
    PICTURES,
    PORT,
    SHELL,
    WIDTH,
    build,
    pictures,
    settings,
)


def test_the_pictures_are_the_clip_s_first_in_the_order_of_their_names(
    tmp_path: Path,
) -> None:
    pictures(tmp_path)
    names = sorted(each.name for each in (tmp_path / FRAMES).iterdir())
    assert names == [f"{number:04}.jpg" for number in range(PICTURES)]
    few = sorted(each.name for each in (tmp_path / FEW).iterdir())
    assert few == names[::EVERY]
    with Image.open(tmp_path / FRAMES / names[-1]) as last:
        assert last.size == (WIDTH, HEIGHT)


def test_libcamera_is_pointed_at_them(tmp_path: Path) -> None:
    settings(tmp_path)
    said = (tmp_path / CAMERAS).read_text()
    assert f'path: "/{FEW}"' in said
    assert f"{{width: {WIDTH}, height: {HEIGHT}," in said


def test_a_shell_for_the_tests_starts_where_their_line_is(tmp_path: Path) -> None:
    settings(tmp_path)
    rules = (tmp_path / "usr/lib/udev/rules.d/71-hil.rules").read_text()
    rule = rules.replace("\\\n", "").splitlines()[-1]
    assert f'ATTR{{name}}=="{PORT}"' in rule and f'SYSTEMD_WANTS}}+="{SHELL}"' in rule
    unit = (tmp_path / "usr/lib/systemd/system" / SHELL).read_text()
    assert unit.count(f"=file:/dev/virtio-ports/{PORT}\n") == 3


def test_no_file_of_the_program_is_replaced(tmp_path: Path) -> None:
    settings(tmp_path)
    laid = [str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*")]
    assert not [each for each in laid if "doorsill/" in each]
    for each in INSIDE.glob("hil_*.py"):
        assert not (INSIDE.parents[2] / "firmware/doorsill" / each.name).exists()


@pytest.mark.skipif(not shutil.which("mksquashfs"), reason="needs squashfs-tools")
def test_it_is_made_again_where_a_byte_or_a_source_of_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def camera(site: Path, wheels: Path) -> None:
        made.append(site)

    monkeypatch.setattr("rig.layer.camera_files", camera)
    monkeypatch.setattr("rig.layer.byte_code", lambda tree: None)
    lock = tmp_path / "picamera.txt"
    lock.write_text("picamera2==0.3.38")
    monkeypatch.setattr("rig.layer.LOCK", lock)
    layer = build(tmp_path)
    assert build(tmp_path) == layer and len(made) == 1, "kept"
    data = bytearray(layer.read_bytes())
    data[-5000] ^= 1
    layer.write_bytes(data)
    build(tmp_path)
    assert len(made) == 2 and layer.read_bytes() != bytes(data)
    lock.write_text("picamera2==0.3.39")
    build(tmp_path)
    assert len(made) == 3
