"""The packages: the same to the byte twice, and nothing in them that is not listed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from limits import PROGRAM_S
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deb import build, environment, files
from deb.build import DEB, ROOT, Wanted, pack, stage

WANTED = Wanted("trixie", "arm64", epoch=1_790_000_000)
SCRIPTS = sorted(each for each in DEB.iterdir() if each.suffix[1:] in build.SCRIPTS)
# Of what our own wheels bring, what no camera may carry.
OF_THE_OFFICE = re.compile(
    r"doorsill_fleet|/train/|/assets/|street|fake\.py|/clip\.py|/pcscd\.py|\.mp4|tests/"
)

pytestmark = pytest.mark.skipif(
    shutil.which("dpkg-deb") is None, reason="needs dpkg-deb"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Both packages with our own wheels alone, each made twice."""
    out = tmp_path_factory.mktemp("out")
    found = {}
    for name in (files.CAMERA, files.OFFICE):
        for again in ("", "again"):
            work = tmp_path_factory.mktemp("work")
            before = os.umask(0o077 if again else 0o022)
            try:
                tree = stage(name, WANTED, [], work)
                (out / again).mkdir(exist_ok=True)
                found[name + again] = pack(name, WANTED, tree, out / again)
            finally:
                os.umask(before)
    yield found


def listed(package: Path) -> dict[str, tuple[str, str]]:
    """Each path of a package with its mode and owner."""
    said = subprocess.run(
        ["dpkg-deb", "--contents", str(package)],
        capture_output=True,
        text=True,
        check=True,
        timeout=PROGRAM_S,
    ).stdout
    rows = (line.split(maxsplit=5) for line in said.splitlines())
    return {row[5].split(" -> ")[0].lstrip("."): (row[0], row[1]) for row in rows}


@pytest.mark.parametrize("name", [files.CAMERA, files.OFFICE])
def test_two_builds_are_the_same_to_the_byte(built: dict[str, Path], name: str) -> None:
    assert built[name].read_bytes() == built[name + "again"].read_bytes()


def test_a_package_says_for_which_debian_it_is(built: dict[str, Path]) -> None:
    assert built[files.CAMERA].name == "doorsill_0.1.0+deb13_arm64.deb"
    assert built[files.OFFICE].name == "doorsill-fleet_0.1.0+deb13_arm64.deb"
    asked = ["dpkg-deb", "--field", str(built[files.CAMERA]), "Depends"]
    depends = subprocess.run(
        asked, capture_output=True, text=True, check=True, timeout=PROGRAM_S
    ).stdout
    assert "python3 (>= 3.13~), python3 (<< 3.14~)" in depends
    assert {"pcscd", "python3-pyscard"} <= set(depends.strip().split(", "))


def test_everything_is_roots_and_nobody_elses_to_write(built: dict[str, Path]) -> None:
    for name in (files.CAMERA, files.OFFICE):
        for path, (mode, owner) in listed(built[name]).items():
            assert owner == "root/root", path
            assert mode[0] == "l" or (mode[5] == mode[8] == "-"), (path, mode)
            assert mode[0] in "-dl" and "s" not in mode, (path, mode)


def test_a_camera_gets_neither_office_nor_clip_nor_simulator_nor_training(
    built: dict[str, Path],
) -> None:
    camera, office = listed(built[files.CAMERA]), listed(built[files.OFFICE])
    assert [each for each in camera if OF_THE_OFFICE.search(each)] == []
    assert [each for each in office if each.endswith("street.mp4")]  # the control
    both = {e for e in set(camera) & set(office) if not e.endswith("/")}
    assert both == set()


def test_both_together_are_the_whole_source(built: dict[str, Path]) -> None:
    """Nothing is forgotten: what is split off the one is in the other."""
    inside = "/opt/doorsill/lib/python3.13/site-packages/"
    installed = {
        path.removeprefix(inside)
        for name in (files.CAMERA, files.OFFICE)
        for path in listed(built[name])
        if path.startswith(inside) and path.endswith((".py", ".mp4", ".json"))
    }
    tracked = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "firmware/doorsill", "provisioning"],
        capture_output=True,
        text=True,
        check=True,
        timeout=PROGRAM_S,
    ).stdout.split()
    ours = {each.split("/", 1)[1] for each in tracked if (ROOT / each).is_file()}
    wanted = {each for each in ours if each.endswith((".py", ".mp4", ".json"))}
    assert wanted <= installed


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda each: each.name)
def test_a_maintainer_script_is_one_that_sh_reads(script: Path) -> None:
    subprocess.run(["sh", "-n", str(script)], check=True, timeout=PROGRAM_S)
    assert script.read_text().startswith("#!/bin/sh\n")
    assert "\nset -e\n" in script.read_text()


def test_the_vault_is_blanked_before_anything_else_is_done() -> None:
    """The scenes of a removal are played in a container: ``make try-deb``."""
    text = (DEB / "doorsill.prerm").read_text()
    acts = text.partition('case "$1" in')[2]
    assert acts.index("blank ||") < acts.index("systemctl")
    assert acts.index("exit 1") < acts.index("disable --now")


@pytest.mark.parametrize("python", ["3.11", "3.13"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_office_brings_what_it_needs_and_nothing_a_camera_has(
    python: str, machine: str
) -> None:
    target = environment.Target(python, machine)
    camera, office = (
        {each.name for each in locked(ROOT / "requirements", target)}
        for locked in build.LOCKED.values()
    )
    with (ROOT / "provisioning" / "pyproject.toml").open("rb") as file:
        declared = tomllib.load(file)["project"]["dependencies"]
    wanted = {canonicalize_name(Requirement(each).name) for each in declared}
    assert wanted <= camera | office | {"doorsill"}
    assert camera & office == set()


def test_the_two_wheels_share_no_file(tmp_path: Path) -> None:
    names: list[set[str]] = []
    for source in build.WHEELS.values():
        made = build.build_wheel(source, tmp_path / source.name)
        with zipfile.ZipFile(made) as archive:
            names.append(set(archive.namelist()))
    assert names[0] & names[1] == set()
    assert not [each for each in names[0] if OF_THE_OFFICE.search(each)]
