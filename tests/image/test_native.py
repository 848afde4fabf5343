"""What packs the system is the lock's own program, whichever Debian builds."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

import pytest
from built import OUT, built
from limits import PROGRAM_S

from image import kept, lock, native, verity


def test_a_program_is_started_with_its_own_libraries(tmp_path: Path) -> None:
    loader = tmp_path / "lib64" / native.LOADER
    loader.parent.mkdir()
    loader.touch()
    words = native.command(tmp_path, "usr/bin/x")
    libraries = tmp_path / native.LIBRARIES
    assert words == [loader, "--library-path", libraries, tmp_path / "usr/bin/x"]


def test_the_system_is_packed_by_the_program_that_is_given(tmp_path: Path) -> None:
    program = tmp_path / "packs"
    program.write_text('#!/bin/sh\necho "$@" > "$2"\n')
    program.chmod(0o755)
    verity.squash(tmp_path / "root", tmp_path / "image", 7, ["sh", program])
    assert " -mkfs-time 7 -all-time 7" in (tmp_path / "image").read_text()


@pytest.fixture(scope="module")
def tools() -> Path:
    packages = lock.locked(lock.LOCK.read_text("utf-8"))
    return kept.unpacked("native", packages, OUT.parent / "cache")


@built
@pytest.mark.parametrize(
    ("program", "package", "option"),
    [
        pytest.param(native.MKSQUASHFS, "squashfs-tools", "-version", id="squashfs"),
        pytest.param(native.DEPMOD, "kmod", "--version", id="the list of modules"),
        pytest.param(native.PYTHON, "python3.13-minimal", "--version", id="byte code"),
    ],
)
def test_the_locks_own_programs_run_here(
    tools: Path, program: str, package: str, option: str
) -> None:
    words = [*native.command(tools, program), option]
    said = subprocess.run(
        list(map(str, words)), capture_output=True, timeout=PROGRAM_S, check=False
    ).stdout.decode()
    packages = lock.locked(lock.LOCK.read_text("utf-8"))
    (locked,) = (e for e in packages if (e.group, e.package) == ("native", package))
    version = locked.version.rpartition(":")[2].partition("-")[0]
    assert re.search(rf"\b{re.escape(version)}\b", said.splitlines()[0])


@built
def test_what_is_packed_is_unpacked_again_and_says_no_time(tools: Path) -> None:
    data = b"a kernel" * 1000
    assert gzip.decompress(native.packed(tools, data)) == data
    assert native.packed(tools, data)[4:8] == bytes(4)
