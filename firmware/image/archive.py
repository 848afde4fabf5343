"""Fetch packages from the archives that this machine's own apt knows.

    apt's sources ─► main, security ─┬─► resolve: packages.txt ─► packages.lock
                                     └─► fetch: packages.lock ─► a folder of files

No address stands in the repository: mirrors and proxies are the machine's. Trust comes
from apt's signatures when the lock is made, and from the lock's hashes ever after.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from doorsill.errors import ConfigError, UplinkError
from image import lock
from image.lock import Locked, Want

HELPER = "/usr/lib/apt/apt-helper"
PROGRAM_S = 1800.0  # for all files together, over a slow line
RELEASE, BACKPORTS = "trixie", "trixie-backports"
URI = re.compile(r"'(\S+)' (\S+)_([^_ ]+)_([a-z0-9]+)\.deb (\d+) SHA256:([0-9a-f]+)")
SETTINGS = """\
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "{architecture}";
APT::Architectures "{architecture}";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::ForceHash "SHA256";
"""
# What apt believes of a package that is left out.
BELIEVED = """\
Package: {package}
Status: install ok installed
Version: 99:0
Architecture: {architecture}
Maintainer: nobody
Multi-Arch: foreign
Description: left out of the image
{provides}
"""
PROVIDES = {  # by name and version, where another package asks for it
    "perl-base": "Provides: perlapi-5.40.0 (= 99:0)\n",
    "debconf": "Provides: debconf-2.0 (= 99:0)\n",
    "libpam-systemd": "Provides: default-logind (= 99:0), logind (= 99:0)\n",
    "libegl-mesa0": "Provides: libegl-vendor (= 99:0)\n",
    "libglx-mesa0": "Provides: libglx-vendor (= 99:0)\n",
}


def bases() -> dict[str, str]:
    """The addresses of the machine's archives: of the release, and of its security."""
    asked = ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)"]
    lines = _said([*asked, "Created-By: Packages"], {}).splitlines()
    own = _codename()
    found: dict[str, str] = {}
    for name, suite in (("main", own), ("security", f"{own}-security")):
        for line in lines:
            release, _, address = line.partition(" ")
            if release == suite:
                found.setdefault(name, address.rstrip("/"))
    if "main" not in found:
        raise ConfigError(
            "apt knows no archive of this machine's release; look at "
            "/etc/apt/sources.list.d"
        )
    return found


def _codename() -> str:
    text = Path("/etc/os-release").read_text("utf-8")
    found = re.search(r"(?m)^VERSION_CODENAME=(\w+)", text)
    if found is None:
        raise ConfigError("the image is built on Debian; /etc/os-release names none")
    return found[1]


def resolve(wanted: Sequence[Want], folder: Path) -> list[Locked]:
    """The lock for ``wanted``, from the archives as they are now."""
    found: list[Locked] = []
    for group in lock.GROUPS:
        asked = [each for each in wanted if each.group == group]
        if group == "absent" or not asked:
            continue
        absent = [e.package for e in wanted if e.group == "absent" and group == "root"]
        room = folder / lock.ARCHITECTURES.get(group, lock.CAMERA)
        settings = _prepare(room, group, absent)
        names = [_with_release(each) for each in asked]
        command = ["install", "--yes"] if group == "root" else ["download"]
        said = _said(["apt-get", *command, "--print-uris", *names], settings)
        found += _parsed(said, group, bases())
    return found


def _with_release(each: Want) -> str:
    backported = each.release == BACKPORTS
    return f"{each.package}/{BACKPORTS}" if backported else each.package


def _prepare(folder: Path, group: str, absent: Sequence[str]) -> dict[str, str]:
    """A state of apt of our own in ``folder``; the environment that names it."""
    architecture = lock.ARCHITECTURES.get(group, lock.CAMERA)
    for name in ("state/lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    status = (
        BELIEVED.format(
            package=each,
            architecture=architecture,
            provides=PROVIDES.get(each, ""),
        )
        for each in absent
    )
    (folder / "status").write_text("".join(status))
    known = bases()
    lines = [f"deb {known['main']} {suite} main" for suite in _suites()]
    if "security" in known:
        lines.append(f"deb {known['security']} {RELEASE}-security main")
    (folder / "sources.list").write_text("\n".join(lines) + "\n")
    settings = folder / "apt.conf"
    settings.write_text(SETTINGS.format(folder=folder, architecture=architecture))
    environment = {"APT_CONFIG": str(settings)}
    if not (folder / "updated").exists():
        _said(["apt-get", "update", "-qq"], environment)
        (folder / "updated").touch()
    return environment


def _suites() -> tuple[str, ...]:
    return RELEASE, f"{RELEASE}-updates", BACKPORTS


def _parsed(said: str, group: str, known: dict[str, str]) -> Iterator[Locked]:
    lines = [line for line in said.splitlines() if line.startswith("'")]
    for line in lines:
        found = URI.match(line)
        if found is None:
            raise ConfigError(f"apt said no hash: {line}")
        address, package, version, architecture, size, sha256 = found.groups()
        archive = next((n for n, b in known.items() if address.startswith(f"{b}/")), "")
        if not archive:
            raise ConfigError(f"{address} is in no archive of this machine")
        path = address.removeprefix(f"{known[archive]}/")
        yield Locked(
            group,
            package,
            unquote(version),
            architecture,
            int(size),
            sha256,
            archive,
            path,
        )


def fetch(packages: Sequence[Locked], cache: Path) -> list[Path]:
    """The files of ``packages`` in ``cache``, each with the lock's hash.

    A copy with other bytes is fetched again. UplinkError names every version that the
    archive no longer has.
    """
    cache.mkdir(parents=True, exist_ok=True)
    for each in packages:
        _drop_if_spoilt(cache / each.file, each.sha256)
    missing = [each for each in packages if not (cache / each.file).exists()]
    if missing:
        _download(missing, cache)
    gone = [each for each in packages if not (cache / each.file).exists()]
    if gone:
        raise UplinkError(
            "the archive no longer has (or is not to be reached for): "
            + ", ".join(f"{each.package} {each.version}" for each in gone)
            + ". `make image-lock` takes the versions that it has now"
        )
    return [
        lock.check(cache / each.file, each.sha256, f"{each.package} {each.version}")
        for each in packages
    ]


def _drop_if_spoilt(path: Path, sha256: str) -> None:
    if path.exists() and lock.sha256_of(path) != sha256:
        sys.stdout.write(f"image: {path.name} has other bytes than the lock says\n")
        path.unlink()


def _download(missing: Sequence[Locked], cache: Path) -> None:
    known = bases()
    words: list[str] = []
    for each in missing:
        base = known.get(each.archive, known["main"])
        hashed = f"SHA256:{each.sha256}"
        words += [f"{base}/{each.path}", str(cache / f"{each.file}.part"), hashed]
    done = subprocess.run(
        [HELPER, "download-file", *words],
        check=False,
        capture_output=True,
        timeout=PROGRAM_S,
    )
    for each in missing:
        part = cache / f"{each.file}.part"
        if part.exists() and part.stat().st_size == each.size:
            part.replace(cache / each.file)
    (cache / "fetch.log").write_bytes(done.stdout + done.stderr)


def _said(command: Sequence[str], settings: dict[str, str]) -> str:
    done = subprocess.run(
        list(command),
        env={**os.environ, "LC_ALL": "C", **settings},
        check=False,
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
    )
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise UplinkError(f"{' '.join(command[:3])}: {said[-2000:]}")
    return done.stdout
