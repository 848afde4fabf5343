"""How QEMU is started, what a guest refuses while it is off, and a start that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from .errors import BenchError
from .guest import SERIAL, Guest, Image, command
from .layer import PORT


@pytest.fixture
def image(tmp_path: Path) -> Image:
    disk = tmp_path / "image"
    disk.write_bytes(b"one" * 1000)
    return Image(Path("kernel"), Path("initrd"), "console=ttyAMA0", disk, "boot")


def test_every_write_to_the_card_goes_through_the_log(
    image: Image, tmp_path: Path
) -> None:
    words = command(image, tmp_path / "disk", tmp_path, tmp_path / "log")
    nodes = [words[at + 1] for at, each in enumerate(words) if each == "-blockdev"]
    assert any("blklogwrites,node-name=card,file=raw,log=logfile" in x for x in nodes)
    assert [each for each in words if "drive=" in each] == ["virtio-blk-pci,drive=card"]


def test_what_it_says_by_itself_mixes_into_no_answer(
    image: Image, tmp_path: Path
) -> None:
    """The shell is on a line of its own; kernel and units have the serial one."""
    words = command(image, tmp_path / "disk", tmp_path, tmp_path / "log")
    assert words[words.index("-serial") + 1] == "chardev:serial"
    lines = [words[at + 1] for at, each in enumerate(words) if each == "-chardev"]
    named = dict(each.partition(",path=")[::2] for each in lines)
    assert named["file"] == f"{tmp_path / SERIAL},append=on,id=serial"
    assert f"{tmp_path / 'shell'},server=on,wait=off,id=shell" in " ".join(lines)
    assert f"virtserialport,chardev=shell,name={PORT}" in words


def test_a_guest_has_its_own_card_and_a_new_one_when_asked(
    image: Image, tmp_path: Path
) -> None:
    guest = Guest(image, tmp_path)
    guest.disk().write_bytes(b"written")
    assert guest.disk().read_bytes() == b"written"
    guest.blank()
    assert guest.disk().read_bytes() == image.disk.read_bytes()


def test_a_guest_that_is_off_says_so(image: Image, tmp_path: Path) -> None:
    guest = Guest(image, tmp_path)
    for ask in (
        lambda: guest.console,
        lambda: guest.monitor,
        lambda: guest.insert(None),
    ):
        with pytest.raises(BenchError, match=r"off|is on"):
            ask()
    guest.power_off()


def test_what_qemu_said_is_in_the_message(
    image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rig.guest.PROGRAM", "false")
    monkeypatch.setattr("rig.lines.CONNECT_S", 0.2)
    guest = Guest(image, tmp_path)
    with pytest.raises(BenchError, match=r"no socket of QEMU .*; QEMU said: "):
        guest.power_on()
    guest.power_off()
