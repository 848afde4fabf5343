"""The program in /opt/doorsill: a virtual environment, made without running any of it.

    requirements/*.txt ─► pinned, for one Python and machine ─► wheels, by hash ─► files

Wheels are zip files whose content goes into site-packages, so an environment for arm64
is made on any machine, the same to the byte each time. Byte code is not in it: the
package compiles it where it is installed.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

DOWNLOAD_S = 1800.0  # for all wheels together, over a slow line
PREFIX = "/opt/doorsill"
# Of the extra [pi], what no Debian has new enough. pyscard is Debian's own: it has no
# wheels, and 2.0.5 of Debian 12 does.
OF_THE_CAMERA = ("fido2", "gpiod")
OF_ITS_PYTHON = {"3.11": "bookworm.txt"}  # what one Debian wants otherwise
GLIBC = ("2_28", "2_27", "2_17")  # of wheels; Debian 12 has 2.36
NOT_INSTALLED = ("scripts", "headers", "data")  # parts of a wheel
COMMAND = """\
#!{prefix}/bin/python -I
import sys

from {module} import main

sys.exit(main())
"""
SETTINGS = """\
home = /usr/bin
include-system-site-packages = true
version = {python}
executable = /usr/bin/python{python}
"""


@dataclass(frozen=True, slots=True)
class Target:
    """Whose environment it is."""

    python: str  # as 3.13
    machine: str  # as Linux calls it: x86_64 or aarch64

    @property
    def site(self) -> Path:
        """Where packages lie, below the environment."""
        return Path("lib", f"python{self.python}", "site-packages")

    @property
    def markers(self) -> dict[str, str]:
        """What the markers of a requirement are compared with; see PEP 508."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
            "extra": "",
        }


@dataclass(frozen=True, slots=True)
class Pinned:
    """One package of the lock: ``name==version`` and the hashes of its files."""

    name: str
    requirement: str
    hashes: frozenset[str]

    def line(self) -> str:
        """For pip, in the form that it reads."""
        return " ".join(
            [self.requirement, *(f"--hash={h}" for h in sorted(self.hashes))]
        )


def pinned(text: str, target: Target) -> Iterator[Pinned]:
    """What the lock ``text`` wants for ``target``.

    Markers are judged here: pip judges them for the Python that runs it.
    """
    plain = re.sub(r"(?m)^\s*#.*\n?", "", text).replace("\\\n", " ")
    for line in filter(None, map(str.strip, plain.splitlines())):
        what, *hashes = re.split(r"\s+--hash=", line)
        found = Requirement(what)
        if found.marker is None or found.marker.evaluate(target.markers):
            name = canonicalize_name(found.name)
            yield Pinned(name, f"{found.name}{found.specifier}", frozenset(hashes))


def of_camera(requirements: Path, target: Target) -> list[Pinned]:
    """All that a camera needs beside doorsill itself, from the locked files."""
    device = (requirements / "device.txt").read_text("utf-8")
    all_of_them = (requirements / "dev.txt").read_text("utf-8")
    found = {each.name: each for each in pinned(device, target)}
    found |= {e.name: e for e in pinned(all_of_them, target) if e.name in OF_THE_CAMERA}
    if own := OF_ITS_PYTHON.get(target.python):
        text = (requirements / own).read_text("utf-8")
        found |= {each.name: each for each in pinned(text, target)}
    return list(found.values())


def of_office(requirements: Path, target: Target) -> list[Pinned]:
    """What the office needs beside all that a camera has."""
    device = (requirements / "device.txt").read_text("utf-8")
    there = {each.name for each in pinned(device, target)}
    text = (requirements / "fleet.txt").read_text("utf-8")
    return [each for each in pinned(text, target) if each.name not in there]


def fetch(wanted: Sequence[Pinned], target: Target, folder: Path) -> list[Path]:
    """The wheels of ``wanted`` in ``folder``; those that lie there are not fetched."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [each for each in wanted if _there(each, folder) is None]
    if missing:
        lines = folder / "wanted.txt"
        lines.write_text("".join(f"{each.line()}\n" for each in missing))
        subprocess.run(
            pip_command(target, lines, folder), check=True, timeout=DOWNLOAD_S
        )
    found = [_there(each, folder) for each in wanted]
    if None in found:
        raise FileNotFoundError(f"pip did not bring {wanted[found.index(None)].name}")
    return [each for each in found if each is not None]


def _there(each: Pinned, folder: Path) -> Path | None:
    for path in sorted(folder.glob("*.whl")):
        if parse_wheel_filename(path.name)[0] != each.name:
            continue
        if f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" in each.hashes:
            return path
    return None


def pip_command(target: Target, lines: Path, folder: Path) -> list[str]:
    """What downloads the wheels for ``target`` that the file ``lines`` pins."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    pip += ["--disable-pip-version-check", "--require-hashes"]
    pip += ["--only-binary", ":all:", "--implementation", "cp"]
    pip += ["--python-version", target.python]
    for abi in (f"cp{target.python.replace('.', '')}", "abi3", "none"):
        pip += ["--abi", abi]
    for glibc in GLIBC:
        pip += ["--platform", f"manylinux_{glibc}_{target.machine}"]
    pip += ["--platform", f"manylinux2014_{target.machine}"]
    return [*pip, "--dest", str(folder), "--requirement", str(lines)]


def make(root: Path, target: Target, wheels: Sequence[Path], command: str) -> None:
    """The environment at ``root``, with the one ``command`` as ``name=module``.

    ``root`` stands for PREFIX. Two wheels with one file are an error.
    """
    site = root / target.site
    for wheel in wheels:
        unpack(wheel, site)
    name, module = command.split("=")
    program = root / "bin" / name
    program.parent.mkdir(parents=True)
    program.write_text(COMMAND.format(prefix=PREFIX, module=module))
    program.chmod(0o755)


def make_python(root: Path, target: Target) -> None:
    """What makes ``root`` an environment: the system's Python, and what it may see.

    picamera2 and pyscard are the system's.
    """
    settings = root / "pyvenv.cfg"
    settings.write_text(SETTINGS.format(python=target.python))
    settings.chmod(0o644)
    for name in ("python", "python3"):
        (root / "bin" / name).symlink_to("/usr/bin/python3")


def unpack(wheel: Path, site: Path) -> None:
    """Put a wheel's packages below ``site``; its scripts and headers are left out."""
    with zipfile.ZipFile(wheel) as archive:
        for each in archive.infolist():
            inside = _inside(each.filename)
            if each.is_dir() or inside is None:
                continue
            target = site / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(each) as source, target.open("xb") as written:
                shutil.copyfileobj(source, written)
            target.chmod(0o644)


def _inside(name: str) -> Path | None:
    """Where a member of a wheel goes below site-packages; see PEP 427."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"the wheel names {name}, which is outside of it")
    if "__pycache__" in path.parts:  # a wheel may bring some by mistake
        return None
    if not path.parts[0].endswith(".data"):
        return path
    if path.parts[1] in NOT_INSTALLED:
        return None
    return Path(*path.parts[2:])
