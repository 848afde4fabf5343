"""Which device files are FIDO2 keys: asked once, and reported while not ours."""

from pathlib import Path

import pytest

from doorsill.drivers.token import fido_ports
from doorsill.drivers.token.fido_ports import Ports

KEY_SAYS = bytes.fromhex("06d0f10901a1010920150026ff0075089540810209211500")
MOUSE_SAYS = bytes.fromhex("05010902a1010901a100050919012903150025019503")


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    """Device files as udev makes them, and what the kernel says of each."""
    for number, says in enumerate((MOUSE_SAYS, KEY_SAYS)):
        (tmp_path / f"hidraw{number}").touch()
        said = tmp_path / "hid" / f"hidraw{number}" / "device"
        said.mkdir(parents=True)
        (said / "report_descriptor").write_bytes(
            says + bytes.fromhex("26ff00750895409102c0")
        )
    return Ports(tmp_path, tmp_path / "hid")


class Kernel:
    """Answers who opens a device file; a key is root's until udev comes to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ours = False
        self.asked: list[str] = []
        monkeypatch.setattr(fido_ports, "get_descriptor", self)

    def __call__(self, name: str) -> None:
        self.asked.append(Path(name).name)
        if not self.ours:
            raise PermissionError(13, "Permission denied")
        if name.endswith("0"):
            raise ValueError("Not a FIDO device")


def test_a_key_that_becomes_ours_late_is_seen(
    ports: Ports, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kernel = Kernel(monkeypatch)
    for _ in range(5):
        assert ports.find() == {}
        assert [Path(each).name for each in ports.refused] == ["hidraw1"]
    # Said once, and not of the mouse.
    assert caplog.text.count("70-doorsill.rules") == 1
    kernel.ours = True
    assert [Path(each).name for each in ports.find()] == ["hidraw1"]
    assert not ports.refused


def test_what_is_settled_is_not_asked_again(
    ports: Ports, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kernel = Kernel(monkeypatch)
    kernel.ours = True
    for _ in range(9):
        ports.find()
    assert kernel.asked == ["hidraw0", "hidraw1"]
    (tmp_path / "hidraw1").unlink()
    assert ports.find() == {}
    (tmp_path / "hidraw1").touch()  # plugged in again: another device, perhaps
    ports.find()
    assert kernel.asked == ["hidraw0", "hidraw1", "hidraw1"]


def test_a_device_that_vanishes_while_it_is_asked_is_asked_again(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(name: str) -> None:
        raise OSError(19, "No such device")

    monkeypatch.setattr(fido_ports, "get_descriptor", gone)
    assert ports.find() == {} and not ports.refused
    Kernel(monkeypatch).ours = True
    assert len(ports.find()) == 1
