"""What a certificate says of the machine is what the kernel says, and no more."""

from pathlib import Path

import pytest

from doorsill.certificates import claims
from doorsill.vault.surroundings import boot_id, firmware_digest, observe

BOOT = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "proc/sys/kernel/random/boot_id": BOOT + "\n",
        "proc/swaps": "Filename Type Size Used Priority\n",
        "proc/sys/kernel/core_pattern": "core\n",
        "sys/devices/mmc/mmcblk0/stat": "1 0 8 0 2 0 4242 0 0 0 0",
        "sys/devices/usb1/sda/stat": "1 0 8 0 2 0 17 0 0 0 0",
        "sys/devices/loop0/stat": "1 0 8 0 2 0 99 0 0 0 0",
        "sys/devices/odd/stat": "not a number",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "sys/block").mkdir()
    for name in ("mmc/mmcblk0", "usb1/sda", "loop0", "odd"):
        link = tmp_path / "sys/block" / Path(name).name
        link.symlink_to(tmp_path / "sys/devices" / name)
    return tmp_path


def test_a_quiet_machine(root: Path) -> None:
    found = observe("ab" * 32, root)
    assert found.boot == BOOT and found.firmware == "ab" * 32
    assert found.swap_bytes == 0 and found.journal == "none"
    assert found.time_source == claims.NOT_SYNCHRONISED
    assert found.sectors_written == {"mmcblk0": 4242}  # no loop, nothing that unplugs


def test_a_machine_with_swap_journal_and_a_good_clock(root: Path) -> None:
    (root / "proc/swaps").write_text("Filename\n/dev/zram0 partition 2048 7 100\n")
    (root / "var/log/journal").mkdir(parents=True)
    (root / "run/systemd/timesync").mkdir(parents=True)
    (root / "run/systemd/timesync/synchronized").touch()
    found = observe("", root)
    assert found.swap_bytes == 2048 * 1024 and found.journal == "persistent"
    assert found.time_source == claims.SYNCHRONISED


def test_a_volatile_journal(root: Path) -> None:
    (root / "run/log/journal").mkdir(parents=True)
    assert observe("", root).journal == "volatile"


def test_this_machine_has_a_boot_id_and_this_firmware_a_digest() -> None:
    assert len(boot_id()) == 36
    assert firmware_digest() == firmware_digest() and len(firmware_digest()) == 64
