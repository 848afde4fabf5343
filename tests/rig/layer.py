"""What the virtual camera is given over its image: a shim, and pictures for it.

    picamera2/__init__.py of the image + one line ────────┐
    hil_pi.py ────────────────────────────────────────────┼─► layer.squashfs
    street.mp4 ─► JPEGs ─► /opt/hil/frames ───────────────┘        │
    virtual.yaml, udev rule ───────────────────── second disk of the guest, laid over /

The image itself stays as it is and is checked block by block below it. A Pi has all
this of its own, so a bench takes no layer.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import av
from places import ROOT

from deb import environment
from doorsill.drivers.camera.clip import STREET
from image import bytecode, intact, kept, lock, picamera
from image.build import own_lock

TARGET = environment.Target("3.13", "aarch64")
CACHE = ROOT / "build" / "image" / "cache"  # of the image's own build
LOCK = ROOT / "requirements" / picamera.LOCK
INSIDE = Path(__file__).parent / "inside"
CONTRACT = ROOT / "tests" / "worlds" / "camera_contract.py"
PACK_S = 300.0
SITE = "opt/doorsill/lib/python3.13/site-packages"
SITE_FOLDER = f"/{SITE}"  # in the guest
CLIP_MARK, STALL_MARK = "hil_clip", "hil_stall"  # files there, see hil_pi.py
FRAMES = "opt/hil/frames"  # all of the piece, for who asks for the clip
FEW = "opt/hil/few"  # what vision sees else: a camera that decodes all starts too late
CAMERAS = "usr/share/libcamera/pipeline/virtual/virtual.yaml"
STEP_NS = 80_000_000  # from frame to frame of the street's clip
PICTURES = 100  # of the clip's first seconds; nobody is in the first
EVERY = 12  # of them is one of the few
QUALITY = 92  # of the JPEGs, in percent
WIDTH, HEIGHT = 480, 360  # of the clip
LAST_LINE = "\nfrom hil_pi import PacedPi as Picamera2, Planar as MappedArray  # noqa\n"
SIZES = ((480, 360), (640, 480), (320, 240), (1280, 960))
PORT = "hil"  # of the guest's virtio-serial, where the tests' shell is
SHELL = "hil-shell.service"
RULES = f"""\
KERNEL=="udmabuf", GROUP="video", MODE="0660"
SUBSYSTEM=="virtio-ports", ATTR{{name}}=="{PORT}", TAG+="systemd", \\
  ENV{{SYSTEMD_WANTS}}+="{SHELL}"
"""
# A line of its own: what the kernel and our units say mixes into no answer.
SHELL_UNIT = f"""\
[Unit]
Description=a shell for the tests
IgnoreOnIsolate=yes

[Service]
Environment=HOME=/root TERM=dumb "PS1=hil-shell# "
WorkingDirectory=/root
ExecStart=/usr/bin/bash --norc --noprofile --noediting -i
StandardInput=file:/dev/virtio-ports/{PORT}
StandardOutput=file:/dev/virtio-ports/{PORT}
StandardError=file:/dev/virtio-ports/{PORT}
KillMode=process
Restart=always
RestartSec=1
"""
# The unit allows the heaps of a Pi by name; this one is as good as them.
DROP_IN = """\
[Service]
DeviceAllow=/dev/dma_heap/udmabuf rw
DeviceAllow=/dev/udmabuf rw
# Opening the camera takes a second on a Pi, and here as long as this machine likes.
WatchdogSec=3min
"""
# An emulated processor is ten times slower, and more where it shares this machine's.
# The last file has the last word, and the image's own is doorsill.conf.
PATIENCE = "[Manager]\nDefaultTimeoutStartSec=15min\nDefaultDeviceTimeoutSec=15min\n"
NODE = "c /dev/dma_heap/udmabuf 0660 root video - 10:258\n"


def build(folder: Path) -> Path:
    """The layer as ``folder/layer.squashfs``; kept while no source and byte changed."""
    made = folder / "layer.squashfs"
    key = _key()
    mark = folder / "layer.key"
    if mark.exists() and mark.read_text() == key and intact.is_intact(made):
        return made
    mark.unlink(missing_ok=True)
    tree = folder / "layer"
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "opt").mkdir(parents=True)
    camera_files(tree / SITE, folder / "wheels")
    byte_code(tree)
    settings(tree)
    pictures(tree)
    made.unlink(missing_ok=True)
    words = ["mksquashfs", str(tree), str(made), "-all-root", "-comp", "zstd"]
    _run([*words, "-Xcompression-level", "3", "-no-progress", "-quiet"], PACK_S)
    intact.seal(made)
    mark.write_text(key)
    return made


def words_of(layer: Path) -> list[str]:
    """QEMU's words for the layer as the guest's second disk."""
    file = "driver=raw,node-name=layer,read-only=on,file.driver=file"
    words = ["-blockdev", f"{file},file.filename={layer}"]
    return [*words, "-device", "virtio-blk-pci,drive=layer"]


def _key() -> str:
    """Of all that it is made from."""
    digest = hashlib.sha256()
    sources = (Path(__file__), LOCK, lock.LOCK, STREET, CONTRACT)
    for path in (*sources, *sorted(INSIDE.rglob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def camera_files(site: Path, wheels: Path) -> None:
    """The shim, and the image's picamera2 with one line more, that takes it."""
    locked = environment.pinned(LOCK.read_text("utf-8"), TARGET)
    wanted = [each for each in locked if each.name == "picamera2"]
    (wheel,) = environment.fetch(wanted, TARGET, wheels)
    with zipfile.ZipFile(wheel) as packed:
        packed.extract("picamera2/__init__.py", site)
    shutil.copy(INSIDE / "hil_pi.py", site)
    (site.parents[3] / "hil").mkdir()
    for path in (INSIDE / "hil_watch.py", INSIDE / "hil_clip.py", CONTRACT):
        shutil.copy(path, site.parents[3] / "hil")
    with (site / "picamera2/__init__.py").open("a") as file:
        file.write(LAST_LINE)


def byte_code(tree: Path) -> None:
    """By the Python that compiles the image's: without it picamera2 is read again at
    each start, which takes a guest a minute."""
    packages = lock.of_group(lock.locked(lock.LOCK.read_text("utf-8")), "native")
    native = kept.unpacked("native", own_lock(tuple(packages), CACHE), CACHE)
    bytecode.compile_below(native, tree, "opt")


def settings(tree: Path) -> None:
    formats = "".join(
        f"    - {{width: {w}, height: {h}, frame_rates: [12, 30]}}\n" for w, h in SIZES
    )
    text = '"Virtual0":\n  supported_formats:\n' + formats
    text += f'  frames:\n    path: "/{FEW}"\n'
    text += '  location: "CameraLocationFront"\n  model: "imx219"\n'
    files = {
        CAMERAS: text,
        "usr/lib/udev/rules.d/71-hil.rules": RULES,
        "usr/lib/modules-load.d/hil.conf": "mc\n",
        "usr/lib/tmpfiles.d/hil.conf": "d /dev/dma_heap 0755 root root\n" + NODE,
        "usr/lib/systemd/system/doorsill-vision.service.d/hil.conf": DROP_IN,
        f"usr/lib/systemd/system/{SHELL}": SHELL_UNIT,
        "etc/systemd/system.conf.d/zz-hil.conf": PATIENCE,
    }
    for name, said in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(said)


def pictures(tree: Path) -> None:
    """The first pictures of the clip, in the order of their names, and some of them."""
    for each in (FRAMES, FEW):
        (tree / each).mkdir(parents=True)
    with av.open(str(STREET)) as clip:
        for number, frame in enumerate(clip.decode(video=0)):
            if number == PICTURES:
                break
            data = io.BytesIO()
            frame.to_image().save(data, "JPEG", quality=QUALITY, subsampling=0)
            for each in (FRAMES, FEW) if number % EVERY == 0 else (FRAMES,):
                (tree / each / f"{number:04}.jpg").write_bytes(data.getvalue())


def _run(words: list[str], seconds: float) -> None:
    subprocess.run(words, check=True, timeout=seconds, env={**os.environ})
