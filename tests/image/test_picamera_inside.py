"""picamera2 in the image: all that it imports is there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from built import OUT, built
from limits import PROGRAM_S
from places import ROOT

from deb.environment import Target
from image import picamera, sbom

TARGET = Target("3.13", "aarch64")


def test_each_wheel_is_locked_by_its_hash() -> None:
    found = picamera.wanted(ROOT / "requirements", TARGET)
    assert {each.name for each in found} == {
        "picamera2", "piexif", "pillow", "simplejpeg", "videodev2",
    }  # fmt: skip
    for each in found:
        assert re.fullmatch(r"[a-z0-9]+==\S+", each.requirement)
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in each.hashes)
        assert each.hashes


def test_what_stands_for_the_rest_says_so_where_it_is_used(tmp_path: Path) -> None:
    picamera.lay(tmp_path)
    program = (
        "from pidng.camdefs import Picamera2Camera\n"
        "from pidng.core import PICAM2DNG\n"
        "import prctl, pykms\n"
        "prctl.set_name('camera')\n"
        "assert pykms.PixelFormat.RGB888 == 'RGB888'\n"
        "for each in (Picamera2Camera, PICAM2DNG):\n"
        "    try:\n"
        "        each(1)\n"
        "    except NotImplementedError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=PROGRAM_S,
    )
    assert done.stdout == "this camera saves no raw picture\n" * 2


def test_no_file_of_a_wheel_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "prctl.py").write_text("real = True\n")
    with pytest.raises(FileExistsError):
        picamera.lay(tmp_path)


def imported(package: Path) -> Iterator[str]:
    """What ``import picamera2`` imports of others: by its own modules, on and on."""
    waiting, seen = ["picamera2"], set()
    while waiting:
        name = waiting.pop()
        path = package.parent / name.replace(".", "/")
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name in seen or not path.exists():
            continue
        seen.add(name)
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.Import):
                found = [each.name for each in node.names]
            elif isinstance(node, ast.ImportFrom):
                above = (
                    name.split(".")
                    if path.name == "__init__.py"
                    else name.split(".")[:-1]
                )
                above = above[: len(above) - node.level + 1] if node.level else []
                found = [
                    ".".join([*above, *(node.module or "").split(".")]).rstrip(".")
                ]
                found += [f"{found[0]}.{each.name}" for each in node.names]
            else:
                continue
            ours = [each for each in found if each.startswith("picamera2")]
            waiting += ours
            yield from (each for each in found[:1] if not each.startswith("picamera2"))


@built
def test_all_that_it_imports_is_in_the_image() -> None:
    root = OUT / "root"
    places = [root / sbom.SITE, root / "usr/lib/python3/dist-packages"]
    names = {each.partition(".")[0] for each in imported(places[0] / "picamera2")}
    assert {"libcamera", "numpy", "videodev2", "pidng", "prctl"} <= names
    missing = [
        name
        for name in sorted(names - sys.stdlib_module_names)
        if not any(list(place.glob(f"{name}*")) for place in places)
    ]
    assert missing == []
