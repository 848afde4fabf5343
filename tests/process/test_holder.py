"""One process of a kind on a device, and who it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from children import first_line, started
from limits import END_S, PROGRAM_S

from doorsill.errors import ConfigError
from doorsill.process.holder import hold_alone, holder_of

HOLD = """
import sys
from pathlib import Path
from doorsill.process.holder import hold_alone
hold_alone(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_holder_is_known_by_its_pid_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder_of(path) is None
    with started(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as first:
        assert first_line(first) == b"held\n"
        assert holder_of(path) == first.pid
        with pytest.raises(
            ConfigError, match=rf"already runs here \(pid {first.pid}\)"
        ):
            hold_alone(path)
        first.kill()
        first.wait(END_S)
    assert holder_of(path) is None
    os.close(hold_alone(path))


def test_a_file_that_others_have_locked_is_not_ours(tmp_path: Path) -> None:
    handle = hold_alone(tmp_path / "one")
    (tmp_path / "other").touch()
    assert holder_of(tmp_path / "one") == os.getpid()
    assert holder_of(tmp_path / "other") is None
    os.close(handle)


def test_a_folder_that_is_missing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        hold_alone(tmp_path / "nowhere" / "lock")


CONTAINER = """
import os, subprocess, sys
from pathlib import Path
from doorsill.process.holder import hold_alone, holder_of
work = Path(sys.argv[1])
for each in ("lower", "upper"):
    (work / each).mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", work / each], check=True)
for each in ("upper/new", "upper/work", "root"):
    (work / each).mkdir()
(work / "lower/lock").touch()
layers = f"lowerdir={work}/lower,upperdir={work}/upper/new,workdir={work}/upper/work"
layer = ["mount", "-t", "overlay", "-o", layers, "none", work / "root"]
if subprocess.run(layer, check=False).returncode:
    sys.exit(77)
for name in ("lock", "new"):
    hold_alone(work / "root" / name)
    assert holder_of(work / "root" / name) == os.getpid(), name
assert holder_of(work / "lower" / "lock") is None
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_lock_in_a_container_is_known(tmp_path: Path) -> None:
    """overlay and btrfs tell stat(2) another device than the table of locks has."""
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", CONTAINER, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_S,
    )
    if done.returncode == 77:
        pytest.skip("this kernel has no overlay")
    assert done.returncode == 0, done.stderr
