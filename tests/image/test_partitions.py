"""File systems of an image: what was asked for is in them, and twice the same bytes."""

from __future__ import annotations

import json
import re
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from children import printed
from limits import wait_until

from doorsill.errors import ConfigError
from image import layout, partitions

EPOCH = 1_790_000_000
FILES = {"autoboot.txt": b"[all]\n", "overlays/a.dtbo": b"an overlay"}

pytestmark = pytest.mark.skipif(
    any(shutil.which(p) is None for p in ("mkfs.vfat", "mcopy", "mke2fs")),
    reason="needs dosfstools, mtools and e2fsprogs",
)


def test_a_boot_partition_has_its_files_and_is_the_same_twice(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.img"
        partitions.fat(path, "bootconfig", FILES, EPOCH)
        made.append(path)
    assert made[0].read_bytes() == made[1].read_bytes()
    assert made[0].stat().st_size == layout.size_of("bootconfig")
    assert printed("mtype", "-i", made[0], "::overlays/a.dtbo") == "an overlay"
    listed = printed("mdir", "-i", made[0], "::")
    assert "DOORSILL" in listed
    dates = set(re.findall(r"\d{4}-\d{2}-\d{2}", listed))
    assert dates == {f"{datetime.fromtimestamp(EPOCH, UTC):%Y-%m-%d}"}


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    much = {"kernel8.img": bytes(layout.size_of("boot_a"))}
    with pytest.raises(ConfigError, match=r"boot_a would hold \d+ bytes"):
        partitions.fat(tmp_path / "boot_a.img", "boot_a", much, EPOCH)


def test_state_has_its_folders_and_is_the_same_twice(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.img"
        partitions.ext4(path, "state", layout.STATE_FOLDERS, EPOCH)
        made.append(path)
        second = int(time.time())
        wait_until(lambda: int(time.time()) > second)  # noqa: B023
    assert made[0].read_bytes() == made[1].read_bytes()
    listed = printed("debugfs", "-R", "ls -p /", made[0])
    assert set(re.findall(r"^/\d+/\d+/(\d+/\d+)/", listed, re.M)) == {"0/0"}
    for each in layout.STATE_FOLDERS:
        assert f"/040755/0/0/{each}/" in listed


@pytest.mark.skipif(shutil.which("genimage") is None, reason="needs genimage")
def test_the_whole_card_has_the_table(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    for each in layout.TABLE:
        if each.name not in layout.BLANK:
            with (parts / f"{each.name}.img").open("wb") as file:
                file.write(each.name.encode())
                file.truncate(each.size)
    partitions.join(parts, tmp_path / "card.img")
    table = json.loads(printed("sfdisk", "--json", tmp_path / "card.img"))
    found = table["partitiontable"]["partitions"]
    assert [each["name"] for each in found] == [each.name for each in layout.TABLE]
    assert [each["uuid"].lower() for each in found] == [e.id for e in layout.TABLE]
    for each in found:
        with (tmp_path / "card.img").open("rb") as file:
            file.seek(each["start"] * 512)
            expected = b"" if each["name"] in layout.BLANK else each["name"].encode()
            assert file.read(32).rstrip(b"\0") == expected
