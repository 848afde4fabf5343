"""A camera's own settings on top of Debian, and what of Debian's is never started."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from image.steps import run

HERE = Path(__file__).resolve().parent
UNITS = "usr/lib/systemd/system"
# Lines of tmpfiles.d about places that nobody can write.
READ_ONLY = re.compile(r"[^#\s]\S*\s+/(etc|home|srv|root|usr|opt)(/|\s|$)")
# What packages start by themselves: by links, so that no preset holds it back.
NEVER = {
    "systemd-hwdb-update.service": "no hardware is looked up by name",
    "ldconfig.service": "the system is read-only",
    "systemd-journal-catalog-update.service": "the journal is read by machines",
    "systemd-update-done.service": "the system is read-only",
    "systemd-sysusers.service": "users were made when the image was",
    "systemd-firstboot.service": "nobody is asked anything",
    "systemd-binfmt.service": "programs of this machine alone",
    "proc-sys-fs-binfmt_misc.automount": "programs of this machine alone",
    "systemd-pstore.service": "nothing of a crash is kept",
    "systemd-ask-password-console.path": "no password",
    "systemd-ask-password-wall.path": "no password",
    "systemd-networkd-persistent-storage.service": "nothing of the network is kept",
    "e2scrub_reap.service": "no snapshots",
    "modprobe@efi_pstore.service": "nothing of a crash is kept",
    "modprobe@fuse.service": "no file systems of users",
    "modprobe@drm.service": "no screen",
    "sys-fs-fuse-connections.mount": "no file systems of users",
    "systemd-journal-flush.service": "the journal stays in memory",
    "systemd-network-generator.service": "the kernel line names no network",
    "systemd-udev-load-credentials.service": "nobody gives it rules at the start",
    "run-lock.mount": "no program of ours locks there",
    "sys-kernel-debug.mount": "nobody debugs the kernel",
    "sys-kernel-tracing.mount": "nobody traces the kernel",
    "dev-hugepages.mount": "nobody uses it",
    "dev-mqueue.mount": "nobody uses it",
    "getty.target": "nobody logs in",
    "getty@.service": "nobody logs in",
    "autovt@.service": "nobody logs in",
    "serial-getty@.service": "nobody logs in",
    "console-getty.service": "nobody logs in",
    "container-getty@.service": "nobody logs in",
    "debug-shell.service": "nobody logs in",
    "emergency.service": "nobody sits there: it starts again",
    "rescue.service": "nobody sits there",
    "systemd-logind.service": "nobody logs in",
    "systemd-user-sessions.service": "nobody logs in",
    "user@.service": "nobody logs in",
    "swap.target": "no swap",
}


def lay(board: str, root: Path) -> None:
    """Our files for every camera, and those of ``board``, below ``root``."""
    for name in ("system", f"system-{board}"):
        if (HERE / name).exists():
            shutil.copytree(HERE / name, root, symlinks=True, dirs_exist_ok=True)
    _mask(root)
    _keep_to_memory(root / "usr/lib/tmpfiles.d")
    # An empty one: systemd makes an id for each boot, and keeps none.
    (root / "etc/machine-id").write_bytes(b"")


def _mask(root: Path) -> None:
    # Every name is looked at: Python 3.11 finds no link by its name that leads nowhere.
    for found in sorted((root / UNITS).rglob("*")):
        if found.name in NEVER:
            found.unlink()
    for unit in NEVER:
        mask = root / "etc/systemd/system" / unit
        mask.parent.mkdir(parents=True, exist_ok=True)
        mask.unlink(missing_ok=True)
        mask.symlink_to("/dev/null")


def _keep_to_memory(folder: Path) -> None:
    """Leave out of tmpfiles.d what would be made on the read-only system."""
    for path in sorted(folder.glob("*.conf")):
        lines = path.read_text("utf-8").splitlines()
        kept = [line for line in lines if not READ_ONLY.match(line)]
        path.write_text("".join(f"{line}\n" for line in kept))


def enable(root: Path) -> None:
    """Links of what the presets start."""
    run(["systemctl", f"--root={root}", "preset-all"])
    _mask(root)  # the presets take those away that have a word after the @
    run(["systemctl", f"--root={root}", "set-default", "multi-user.target"])
    # systemctl of Debian 12 writes /lib, that of Debian 13 /usr/lib.
    for link in sorted((root / "etc/systemd/system").rglob("*")):
        if link.is_symlink() and str(link.readlink()).startswith("/lib/"):
            target = f"/usr{link.readlink()}"
            link.unlink()
            link.symlink_to(target)
