"""A Debian root folder of which no program was run: unpacked, then set up from outside.

    packages ─► tar ─► what their scripts would do ─► users ─► a folder

A build needs no root: owners are not kept here. All is root's in the image, but for the
few that ``OWNED`` names, and nothing gains rights by being started (no set-user-id).
"""

from __future__ import annotations

import re
import shutil
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

from doorsill.errors import ConfigError
from image.steps import PROGRAM_S, run

MERGED = ("bin", "sbin", "lib")  # links into /usr, as every Debian 13 has them
# Not needed to run; a licence stays, in usr/share/doc/*/copyright.
LEFT_OUT = (
    "./usr/share/man/*",
    "./usr/share/info/*",
    "./usr/share/locale/*",
    "./usr/share/i18n/*",
    "./usr/share/doc/*/[!c]*",
    "./usr/share/doc/*/changelog*",
    "./usr/share/lintian/*",
    "./usr/share/bug/*",
    "./usr/share/bash-completion/*",
    "./usr/share/zsh/*",
    "./usr/share/pixmaps/*",
    "./usr/share/gcc/*",
    "./usr/share/gdb/*",
    "./usr/share/tabset/*",
    "./usr/lib/udev/hwdb.d/*",
    "./usr/lib/systemd/catalog/*",
    "./usr/share/initramfs-tools/*",
    "./etc/init.d/*",
    "./etc/rc?.d/*",
    "./etc/cron*/*",
    "./etc/default/*",
    "./usr/bin/su",
    "./usr/sbin/sulogin",
    "./usr/lib/python3*/idlelib/*",
    "./usr/lib/python3*/ensurepip/*",
    "./usr/lib/python3*/pydoc_data/*",
    "./usr/lib/python3*/turtledemo/*",
)
PIPE = 'set -o pipefail; dpkg-deb --fsys-tarfile "$0" | "$@"'
AT_ONCE = 2  # packages that are unpacked side by side
FOLDERS = {  # with their modes: what a running system mounts something on
    "boot": 0o755,
    "boot/firmware": 0o755,
    "dev": 0o755,
    "etc/doorsill": 0o755,
    "home": 0o755,
    "media": 0o755,
    "mnt": 0o755,
    "opt": 0o755,
    "proc": 0o755,
    "root": 0o700,
    "run": 0o755,
    "srv": 0o755,
    "state": 0o755,
    "sys": 0o755,
    "tmp": 0o1777,
    "var": 0o755,
    "var/lib": 0o755,  # services that start before /var is mounted look for it
    "var/tmp": 0o1777,
}
LINKS = {  # what scripts of packages would link
    "usr/bin/awk": "mawk",
    "usr/bin/sh": "dash",
    "etc/resolv.conf": "/run/systemd/resolve/stub-resolv.conf",
    "etc/mtab": "../proc/self/mounts",
    "etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
}
# Bits that let a program gain rights by being started.
GAINING = stat.S_ISUID | stat.S_ISGID


def is_left_out(name: str) -> bool:
    """Whether the file ``name``, below the root, is one that LEFT_OUT names."""
    return any(fnmatchcase(f"./{name}", each) for each in LEFT_OUT)


def leave_out(tree: Path) -> None:
    """Take out of a package of ours what is left out of Debian's.

    The README stands in the program's own metadata as well.
    """
    for path in sorted(tree.rglob("*"), reverse=True):
        if is_left_out(str(path.relative_to(tree))):
            path.rmdir() if path.is_dir() else path.unlink()
    for path in tree.glob("opt/*/lib/python3*/site-packages/doorsill-*/METADATA"):
        path.write_text(path.read_text("utf-8").partition("\n\n")[0] + "\n")


def unpack(packages: Sequence[Path], root: Path) -> None:
    """The files of ``packages`` below ``root``, which must not exist."""
    (root / "usr").mkdir(parents=True)
    for name in MERGED:
        (root / "usr" / name).mkdir()
        (root / name).symlink_to(f"usr/{name}")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(
            lambda each: unpack_one(each, root), packages, timeout=PROGRAM_S
        ):
            pass


def unpack_one(package: Path, into: Path, *only: str) -> None:
    """One package's files; ``only`` names patterns of those that are wanted."""
    command: list[str | Path] = [
        "tar",
        "--extract",
        "--directory",
        into,
        "--no-same-owner",
    ]
    command += ["--preserve-permissions", "--keep-directory-symlink", "--wildcards"]
    command += [f"--exclude={each}" for each in LEFT_OUT]
    try:
        run(["bash", "-c", PIPE, package, *command, *only])
    except ConfigError as error:
        raise ConfigError(f"{package.name} cannot be unpacked: {error}") from None


def set_up(root: Path) -> None:
    """What the packages' own scripts would do, as far as a camera needs it."""
    shutil.rmtree(root / "var")  # a memory file system, filled by tmpfiles.d
    for name, mode in FOLDERS.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).chmod(mode)
    for name, target in LINKS.items():
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target)
    make_users(root)
    for path in root.rglob("*"):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        if path.is_file() and mode & GAINING:
            path.chmod(stat.S_IMODE(mode) & ~GAINING)


def make_users(root: Path) -> None:
    """Debian's fixed users, then those of sysusers.d; nobody has a password."""
    for name in ("passwd", "group"):
        master = root / "usr/share/base-passwd" / f"{name}.master"
        (root / "etc" / name).write_bytes(master.read_bytes())
    folder = root / "usr/lib/sysusers.d"
    for path in sorted(folder.glob("*.conf")):
        # systemd 252 of a building Debian 12 does not know u!, a user without a login.
        lines = path.read_text("utf-8").splitlines()
        plain = (re.sub(r"^u!", "u ", line) for line in lines)
        path.write_text("".join(f"{line}\n" for line in plain))
    run(["systemd-sysusers", f"--root={root}"])
    for name, rest in (("passwd", "!*:19700:0:99999:7:::"), ("group", "!*::")):
        shadow = root / "etc" / {"passwd": "shadow", "group": "gshadow"}[name]
        lines = (root / "etc" / name).read_text("utf-8").splitlines()
        names = [line.split(":")[0] for line in lines]
        shadow.unlink(missing_ok=True)
        shadow.write_text("".join(f"{each}:{rest}\n" for each in names))
        shadow.chmod(0o640)
    for left in ("passwd-", "group-", "shadow-", "gshadow-", ".pwd.lock"):
        (root / "etc" / left).unlink(missing_ok=True)
