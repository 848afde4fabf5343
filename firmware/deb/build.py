"""Build doorsill_….deb and doorsill-fleet_….deb: ``make deb``.

    files.txt + wheels ─► a staged tree ─► control, md5sums ─► dpkg-deb

For Debian 12 and 13 apart, as their Pythons differ; for amd64 and arm64 on any machine,
as nothing of the target is run. Two builds of one commit are the same to the byte.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from deb import environment, files, pages
from deb.environment import Target

ROOT = files.FIRMWARE.parent
DEB = files.FIRMWARE / "deb"
VERSION = "0.1.0"
RELEASES = {"bookworm": ("deb12", "3.11"), "trixie": ("deb13", "3.13")}
ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
COMMANDS = {
    files.CAMERA: "doorsill=doorsill.cli.main",
    files.OFFICE: "doorsill-fleet=doorsill_fleet.cli.main",
}
WHEELS = {files.CAMERA: ROOT, files.OFFICE: ROOT / "provisioning"}
LOCKED = {files.CAMERA: environment.of_camera, files.OFFICE: environment.of_office}
SCRIPTS = ("postinst", "prerm", "postrm")
# Debian 12 and 13 read it; xz takes ten times as long for a sixth less.
PACKING = ("-Zzstd", "-z6")
PROGRAM_S = 600.0  # for each program that builds; a minute on a slow machine


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be built."""

    release: str
    architecture: str
    epoch: int  # UTC s, the time of everything in the package
    revision: int = 0  # of the packaging: above 0 it is part of the version

    @property
    def target(self) -> Target:
        """For whom."""
        return Target(RELEASES[self.release][1], ARCHITECTURES[self.architecture])

    @property
    def version(self) -> str:
        """As Debian orders it: 13's is newer than 12's, for an upgraded system."""
        revision = f".{self.revision}" if self.revision else ""
        return f"{VERSION}{revision}+{RELEASES[self.release][0]}"

    def name(self, package: str) -> str:
        """The file's name."""
        return f"{package}_{self.version}_{self.architecture}.deb"


def build(wanted: Wanted, out: Path, cache: Path) -> list[Path]:
    """Both packages, in ``out``; ``cache`` keeps wheels."""
    out.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{wanted.release}-{wanted.architecture}"
    built = []
    for package, locked in LOCKED.items():
        needed = locked(ROOT / "requirements", wanted.target)
        foreign = environment.fetch(needed, wanted.target, folder)
        with tempfile.TemporaryDirectory() as work:
            tree = stage(package, wanted, foreign, Path(work))
            built.append(pack(package, wanted, tree, out))
    return built


def stage(package: str, wanted: Wanted, foreign: list[Path], work: Path) -> Path:
    """The tree that becomes ``package``, below ``work``."""
    program, tree = work / "environment", work / "tree"
    wheel = build_wheel(WHEELS[package], work / "wheel")
    environment.make(program, wanted.target, [*foreign, wheel], COMMANDS[package])
    if package == files.CAMERA:
        environment.make_python(program, wanted.target)
    changes = work / "changelog"
    changes.write_text(_changelog(package, wanted))
    made = {"environment": program, "changelog": changes}
    made |= pages.make(package, work)
    tree.mkdir(mode=0o755)
    files.lay(files.of_package(package), tree, made)
    for each in (tree, *tree.rglob("*")):
        if each.is_dir() and not each.is_symlink():
            each.chmod(0o755)  # the umask may hold these bits back
    return tree


def pack(package: str, wanted: Wanted, tree: Path, out: Path) -> Path:
    """Write control files into ``tree`` and make the archive."""
    control = tree / "DEBIAN"
    found = sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink())
    size = sum(-(-path.stat().st_size // 1024) for path in found)
    control.mkdir()
    control.chmod(0o755)
    lines = (f"{_md5(path)}  {path.relative_to(tree)}\n" for path in found)
    (control / "md5sums").write_text("".join(lines))
    template = (DEB / f"{package}.control").read_text("utf-8")
    low, high = wanted.target.python, _next(wanted.target.python)
    text = template.format(
        version=wanted.version,
        architecture=wanted.architecture,
        size=size,
        low=low,
        high=high,
    )
    (control / "control").write_text(text)
    for name in SCRIPTS:
        source = DEB / f"{package}.{name}"
        if source.exists():
            (control / name).write_bytes(source.read_bytes())
            (control / name).chmod(0o755)
    for name in ("control", "md5sums"):
        (control / name).chmod(0o644)
    path = out / wanted.name(package)
    command = ["dpkg-deb", "--root-owner-group", *PACKING]
    subprocess.run(
        [*command, "--build", str(tree), str(path)],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(wanted.epoch)},
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=PROGRAM_S,
    )
    return path


def build_wheel(source: Path, into: Path) -> Path:
    """The wheel of our own project at ``source``, built into the folder ``into``."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(
        [*command, "-d", str(into)],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=PROGRAM_S,
    )
    (found,) = into.glob("*.whl")
    return found


def _changelog(package: str, wanted: Wanted) -> str:
    """Debian's form of it; what changed stands in CHANGELOG.md."""
    return (
        f"{package} ({wanted.version}) {wanted.release}; urgency=medium\n\n"
        "  * See CHANGELOG.md of the source.\n\n"
        " -- doorsill maintainers <maintainers@doorsill.example>  "
        f"{formatdate(wanted.epoch)}\n"
    )


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _next(python: str) -> str:
    major, minor = python.split(".")
    return f"{major}.{int(minor) + 1}"


def epoch() -> int:
    """The time of the newest commit, or what SOURCE_DATE_EPOCH says."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    asked = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    done = subprocess.run(
        asked, check=True, capture_output=True, text=True, timeout=PROGRAM_S
    )
    return int(done.stdout)


def main() -> int:
    """Build, and say what was built."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--release", choices=RELEASES, default="trixie")
    parser.add_argument("--arch", choices=ARCHITECTURES, default="amd64")
    parser.add_argument("--revision", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    asked = parser.parse_args()
    wanted = Wanted(asked.release, asked.arch, epoch(), asked.revision)
    for path in build(wanted, asked.out, ROOT / "build" / "wheels"):
        size = path.stat().st_size / 1e6
        sys.stdout.write(f"{path}: {size:.1f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
