"""What the vault's unit sees: the devices that its configuration names, and no other.

The generator is run as systemd runs it, on a root folder of ours. That systemd heeds
what it makes: ``make units``.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from limits import PROGRAM_S
from places import ROOT

from deb.files import CAMERA, of_package
from doorsill.process.room import find_openings

UNITS = ROOT / "firmware/systemd"
PROGRAM = UNITS / "doorsill-devices"
PINS = {"DeviceAllow=char-gpiochip rw", "SupplementaryGroups=gpio"}
SPI = {"DeviceAllow=/dev/spidev0.1 rw", "SupplementaryGroups=spi"}
KEY = {"DeviceAllow=char-hidraw rw", "SupplementaryGroups=doorsill-token"}
SEEN = {"PrivateDevices=no", "BindReadOnlyPaths=/dev", "DevicePolicy=closed"}


def made(root: Path, text: str, folder: str = "etc/doorsill") -> list[str] | None:
    """The lines of the drop-in for this configuration; None if there is none."""
    path = root / folder / "doorsill.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return run(root)


def run(root: Path) -> list[str] | None:
    out = root / "run/systemd/generator"
    out.mkdir(parents=True)
    words = [PROGRAM, out, root / "early", root / "late", root]
    done = subprocess.run(
        [*map(str, words)], capture_output=True, timeout=PROGRAM_S, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    conf = out / "doorsill-vault.service.d/devices.conf"
    assert list(out.rglob("*.*")) in ([], [conf.parent, conf])
    return conf.read_text().splitlines() if conf.exists() else None


@pytest.mark.parametrize(
    ("text", "sees"),
    [
        pytest.param('gpio_line = "pinctrl-rp1:17"\n', PINS, id="a key switch"),
        pytest.param("  lamp_line='/dev/gpiochip0:27'\n", PINS, id="the consent lamp"),
        pytest.param('watchdog_line = "chip:22"  # pulses', PINS, id="the interlock"),
        pytest.param('medium = "spi:/dev/spidev0.1"\n', SPI, id="its memory"),
        pytest.param('token = "fido2"\r\n', KEY, id="a FIDO2 key, CRLF"),
        pytest.param(
            'lamp_line = "a:1"\nmedium = "spi:/dev/spidev0.1"\ntoken = "fido2"',
            PINS | SPI | KEY,
            id="all of them",
        ),
    ],
)
def test_what_is_named_is_seen_and_nothing_else(
    tmp_path: Path, text: str, sees: set[str]
) -> None:
    lines = made(tmp_path, f'[consent]\nca = "a"\n{text}')
    assert lines is not None and lines[1] == "[Service]"
    assert set(lines[2:]) == sees | SEEN and len(lines[2:]) == len(sees | SEEN)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param('[consent]\nca = "a"\nreader = "b"\n', id="a card reader"),
        pytest.param('# gpio_line = "a:1"\n', id="a remark"),
        pytest.param('x = "y"  # lamp_line = "a:1"\n', id="a remark behind a value"),
        pytest.param('gpio_line = ""\nlamp_line = ""\n', id="no line"),
        pytest.param('medium = "memory"\nmedium_bytes = 1\n', id="memory"),
        pytest.param('medium = "spi:/dev/spidevX rw"\n', id="no bus"),
        pytest.param('medium = "spi:/dev/spidev0 rw\\nUser=root"\n', id="more words"),
        pytest.param('medium = "spi:/dev/mem"\n', id="another device"),
        pytest.param('token = "piv"\n', id="a card"),
    ],
)
def test_without_such_a_line_no_device_is_seen(tmp_path: Path, text: str) -> None:
    assert made(tmp_path, text) is None


def test_the_example_configuration_names_no_device(tmp_path: Path) -> None:
    text = (UNITS / "doorsill.toml").read_text("utf-8")
    assert made(tmp_path, text) is None
    named = text.replace("# lamp_line", "lamp_line")
    assert made(tmp_path / "named", named) is not None, "the control"


def test_without_a_configuration_there_is_nothing_to_see(tmp_path: Path) -> None:
    assert run(tmp_path) is None


def test_an_images_configuration_is_found_before_it_is_mounted(tmp_path: Path) -> None:
    assert made(tmp_path, 'gpio_line = "a:1"\n', "state/etc") is not None
    path = tmp_path / "etc/doorsill/doorsill.toml"
    path.parent.mkdir(parents=True)
    path.touch()  # mounted now, and the shop's own
    (tmp_path / "run").rename(tmp_path / "before")
    assert run(tmp_path) is None


def test_it_comes_with_the_package_where_systemd_looks_for_it() -> None:
    (entry,) = [e for e in of_package(CAMERA) if e.source.endswith(PROGRAM.name)]
    folder = "usr/lib/systemd/system-generators"
    assert (str(entry.target), entry.mode) == (f"{folder}/{PROGRAM.name}", 0o755)


def test_its_groups_are_made_and_own_the_device_files(tmp_path: Path) -> None:
    text = (UNITS / "doorsill.sysusers").read_text()
    groups = re.findall(r"(?m)^g\s+(\S+)", text)
    rules = re.findall(r'GROUP="([\w-]+)"', (UNITS / "70-doorsill.rules").read_text())
    named = {each.partition("=")[2] for each in PINS | SPI | KEY if "Groups" in each}
    assert named <= set(groups) and named <= set(rules)


def test_a_vault_that_sees_devices_makes_no_name_among_them() -> None:
    """Else it finds itself in no room, and does not start: so SEEN has a /dev that is
    read-only."""
    lower = "330 327 0:9 / /dev rw,nosuid,relatime - devtmpfs dev rw"  # of mountinfo
    upper = "363 330 0:9 / /dev ro,nosuid,relatime - devtmpfs dev rw"
    beside = "363 330 0:9 / /dev/more ro,nosuid,relatime - devtmpfs dev rw"
    said = "/dev (devtmpfs) can be written"
    inner = "331 330 0:34 / /dev/shm rw,nosuid - tmpfs tmpfs rw"
    hidden = find_openings(f"{lower}\n{inner}\n{upper}", ())
    assert not [each for each in hidden if each.endswith("can be written")]
    later = inner.replace("331 330", "364 363")  # in what lies on top
    assert "/dev/shm (tmpfs) can be written" in find_openings(  # noqa: S108
        f"{lower}\n{upper}\n{later}", ()
    )
    for table in (lower, f"{lower}\n{beside}", upper.replace("ro,", "rw,")):
        assert said in find_openings(table, ()), "the control"
    root = f"{lower}\n{upper}".replace(" /dev ", " / ")
    assert "/ (devtmpfs) can be written" in find_openings(root, ())
