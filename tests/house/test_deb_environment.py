"""The environment is what the lock says for its Python and machine, and no more."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest
from places import ROOT

from deb import environment
from deb.environment import Pinned, Target, fetch, make, make_python, pinned, unpack

REQUIREMENTS = ROOT / "requirements"
BOOKWORM, TRIXIE = Target("3.11", "x86_64"), Target("3.13", "aarch64")
LOCK = """\
# a comment
av==18.1.0 ; python_full_version < '3.12' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via doorsill
av==19.0.2 ; python_full_version >= '3.12' \\
    --hash=sha256:cc
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:dd
fast==1 ; platform_machine == 'aarch64' \\
    --hash=sha256:ee
"""


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        pytest.param(BOOKWORM, ["av==18.1.0"], id="Debian 12, amd64"),
        pytest.param(TRIXIE, ["av==19.0.2", "fast==1"], id="Debian 13, arm64"),
    ],
)
def test_markers_are_judged_for_the_target(target: Target, wanted: list[str]) -> None:
    assert [each.requirement for each in pinned(LOCK, target)] == wanted


def test_pip_gets_each_hash() -> None:
    (found,) = pinned(LOCK, BOOKWORM)
    assert found.line() == "av==18.1.0 --hash=sha256:aa --hash=sha256:bb"


@pytest.mark.parametrize("target", [BOOKWORM, TRIXIE])
def test_a_camera_gets_what_it_needs_and_no_tool_of_ours(target: Target) -> None:
    names = {each.name for each in environment.of_camera(REQUIREMENTS, target)}
    assert {"numpy", "av", "ai-edge-litert", "cryptography", "paho-mqtt"} <= names
    assert {"fido2", "gpiod"} <= names
    no_camera = {"pytest", "mypy", "ruff", "hatchling", "pillow", "tensorflow-cpu"}
    assert not names & (no_camera | {"pyscard"})  # which is the system's
    assert all(each.hashes for each in environment.of_camera(REQUIREMENTS, target))


def test_debian_12_gets_the_numpy_that_its_picamera2_is_built_for() -> None:
    for target, wanted in ((BOOKWORM, "numpy==1."), (TRIXIE, "numpy==2.")):
        locked = environment.of_camera(REQUIREMENTS, target)
        (found,) = [each for each in locked if each.name == "numpy"]
        assert found.requirement.startswith(wanted)


def wheel(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def digest(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_a_wheel_that_lies_there_is_taken_by_its_hash_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = wheel(tmp_path / "thing-1-py3-none-any.whl", {"thing.py": b""})
    wanted = Pinned("thing", "thing==1", frozenset({digest(good)}))
    assert fetch([wanted], TRIXIE, tmp_path) == [good]
    other = Pinned("thing", "thing==1", frozenset({"sha256:00"}))
    monkeypatch.setattr(environment, "pip_command", lambda *_: ["true"])
    with pytest.raises(FileNotFoundError, match="did not bring thing"):
        fetch([other], TRIXIE, tmp_path)


def test_pip_is_asked_for_the_target_and_never_for_a_source(tmp_path: Path) -> None:
    words = environment.pip_command(TRIXIE, tmp_path / "wanted.txt", tmp_path)
    assert words[words.index("--only-binary") + 1] == ":all:"
    assert {"--require-hashes", "--no-deps", "cp313", "abi3"} <= set(words)
    platforms = [each for each in words if each.startswith("manylinux")]
    assert platforms and all(each.endswith("_aarch64") for each in platforms)


def test_of_a_wheel_the_packages_are_taken_and_its_scripts_are_not(
    tmp_path: Path,
) -> None:
    made = wheel(
        tmp_path / "a.whl",
        {
            "a/__init__.py": b"x = 1\n",
            "a-1.dist-info/METADATA": b"Name: a\n",
            "a-1.data/platlib/a/more.py": b"",
            "a-1.data/scripts/a": b"#!python\n",
            "a/__pycache__/more.cpython-311.pyc": b"of another day",
        },
    )
    unpack(made, tmp_path / "site")
    found = {str(p.relative_to(tmp_path / "site")) for p in _files(tmp_path / "site")}
    assert found == {"a/__init__.py", "a-1.dist-info/METADATA", "a/more.py"}


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "a/../../evil"])
def test_a_wheel_that_points_outside_is_refused(name: str, tmp_path: Path) -> None:
    made = wheel(tmp_path / "a.whl", {name: b""})
    with pytest.raises(ValueError, match="outside"):
        unpack(made, tmp_path / "site")


def test_two_wheels_with_one_file_are_an_error(tmp_path: Path) -> None:
    made = wheel(tmp_path / "a.whl", {"a.py": b""})
    unpack(made, tmp_path / "site")
    with pytest.raises(FileExistsError):
        unpack(made, tmp_path / "site")


def test_it_is_an_environment_that_sees_the_systems_packages(tmp_path: Path) -> None:
    make(tmp_path, TRIXIE, [], "doorsill=doorsill.cli.main")
    make_python(tmp_path, TRIXIE)
    settings = (tmp_path / "pyvenv.cfg").read_text()
    assert "include-system-site-packages = true" in settings
    assert (tmp_path / "bin/python").readlink() == Path("/usr/bin/python3")
    program = tmp_path / "bin/doorsill"
    assert program.read_text().startswith("#!/opt/doorsill/bin/python -I\n")
    assert os.access(program, os.X_OK)


def _files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]
