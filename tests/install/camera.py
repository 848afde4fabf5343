"""A fresh Debian in a container, at which a person types as root."""

from __future__ import annotations

import subprocess
from pathlib import Path

from units.machine import Machine

TYPED_S = 600.0
ENVIRONMENT = (
    "HOME=/root",
    "USER=root",
    "LANG=C.UTF-8",
    "TERM=dumb",
    "COLUMNS=80",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "DEBIAN_FRONTEND=noninteractive",
)


class Camera(Machine):
    """See ``type``."""

    def type(self, line: str) -> tuple[int, str]:
        """Exit code and both streams of a line typed in root's home; Y if asked."""
        enter = ["nsenter", "-t", str(self.leader), "-m", "-p", "-u", "-i", "-C"]
        there = ["env", "-i", *ENVIRONMENT, "bash", "-c", f"cd /root && {line}"]
        done = subprocess.run(
            [*enter, "--", *there],
            input="Y\n",
            text=True,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TYPED_S,
        )
        return done.returncode, done.stdout

    def files(self, folder: str) -> dict[str, bytes]:
        """All files below ``folder``, with what is in them."""
        root = self.inside(folder.lstrip("/"))
        if not root.exists():
            return {}
        return {
            str(each.relative_to(root)): each.read_bytes()
            for each in sorted(root.rglob("*"))
            if each.is_file() and not each.is_symlink()
        }

    @property
    def etc(self) -> Path:
        """Where the configuration is, as seen from here."""
        return self.inside("etc/doorsill")

    def processes_of_ours(self) -> list[str]:
        """The users of ours that have a process."""
        passwd = self.inside("etc/passwd").read_text().splitlines()
        names = {line.split(":")[2]: line.split(":")[0] for line in passwd}
        running = {
            str(Path(f"/proc/{pid}").stat().st_uid) for pid, _ in self.processes()
        }
        ours = (names.get(uid, "") for uid in running)
        return sorted(each for each in ours if each.startswith("doorsill"))
