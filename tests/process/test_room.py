"""A mount table that is a room, and one that is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from doorsill.process import room

OUTBOX = Path("/var/lib/doorsill/outbox")
UNIT = """\
21 1 0:20 / / ro,relatime - ext4 /dev/root rw
22 21 0:21 / /proc rw,nosuid - proc proc rw
23 21 0:22 / /run ro,nosuid - tmpfs tmpfs rw
24 21 0:23 / /var/lib/doorsill/outbox rw,nosuid - ext4 /dev/root rw
25 21 0:24 / /dev/null rw,nosuid - devtmpfs udev rw
26 21 0:25 / /mnt/cd rw - iso9660 /dev/sr0 ro
"""


@pytest.mark.parametrize(
    ("line", "left"),
    [
        pytest.param("", [], id="a unit's mounts are a room"),
        pytest.param(
            "30 21 0:30 / /a rw - tmpfs tmpfs rw",
            ["/a (tmpfs) can be written"],
            id="a folder of memory that can be written",
        ),
        pytest.param(
            "30 21 0:30 / /var/lib/doorsill/outbox2 rw - ext4 /dev/root rw",
            ["/var/lib/doorsill/outbox2 (ext4) can be written"],
            id="a folder whose name only begins like ours",
        ),
        pytest.param(
            "30 21 0:30 / /run/doorsill/vault rw - tmpfs tmpfs rw",
            [],
            id="the unit's own runtime folder is memory",
        ),
        pytest.param(
            "30 21 0:30 / /sys/fs/fuse/connections rw - fusectl fusectl rw",
            [],
            id="what the kernel mounts below /sys is no disk",
        ),
        pytest.param(
            "30 21 0:30 / /run/doorsill rw - ext4 /dev/root rw",
            ["/run/doorsill (ext4) can be written"],
            id="a runtime folder on a disk",
        ),
        pytest.param(
            "30 21 0:30 / /home/a\\040b rw shared:1 - ext4 /dev/root rw",
            ["/home/a\\040b (ext4) can be written"],
            id="a folder with a space in its name, and a peer group",
        ),
    ],
)
def test_what_a_mount_table_leaves_open(
    line: str, left: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "STRANGERS", ())
    table = f"{UNIT}{line}\n" if line else UNIT
    assert room.find_openings(table, [OUTBOX], [Path("/run/doorsill")]) == left


def test_the_system_bus_in_sight_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = tmp_path / "system_bus_socket"
    monkeypatch.setattr(room, "STRANGERS", (bus,))
    assert room.find_openings(UNIT, [OUTBOX]) == []
    bus.touch()
    assert room.find_openings(UNIT, [OUTBOX]) == [f"{bus} is in sight"]


INSIDE = """\
import os, sys
from pathlib import Path
from doorsill.process import room
from doorsill.process.kernel import prctl
kept, shown, hidden, user = *map(Path, sys.argv[1:4]), int(sys.argv[4])
if user:
    os.setgid(user)
    os.setuid(user)
    prctl(4, 1)  # dumpable: what a process is that a user has started
assert room.left_by_unit([kept], [])
room.enter([kept], [shown, shown / "link"])
assert room.left_by_unit([kept], []) == [], room.left_by_unit([kept], [])
(kept / "new").write_text("x")
assert (shown / "seen").read_text() == "x" == (shown / "link").read_text()
for path in (shown / "new", kept.parent / "new", Path("/new"), Path("/etc/new")):
    try:
        path.write_text("x")
    except OSError as error:
        assert error.errno == 30, (path, error)  # EROFS
    else:
        raise AssertionError(path)
assert not hidden.exists() and not Path("/dev/shm").exists()
assert sorted(os.listdir("/proc")) == sorted(room.OF_PROC)
os.urandom(1), open("/dev/null", "w").write("x")
import json.tool, sqlite3  # the program is there
print("room")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.parametrize("user", [0, 12345], ids=["as root", "by a user namespace"])
def test_in_a_room_there_is_only_what_was_named(user: int) -> None:
    # Debian's own interpreter, because ours may be in a folder of root's.
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    package = Path(room.__file__).parents[2]
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folders = [Path(place, name) for name in ("kept", "shown", "hidden")]
        for each in folders:
            each.mkdir()
            each.chmod(0o777)
        (folders[1] / "seen").write_text("x")
        (folders[1] / "link").symlink_to(folders[1] / "seen")
        done = subprocess.run(
            [python, "-c", INSIDE, *map(str, folders), str(user)],
            env={"PYTHONPATH": str(package)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stdout == "room\n", done.stderr
