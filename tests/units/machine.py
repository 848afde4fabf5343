"""A Debian whose process 1 is systemd, booted from a tree in a container.

Processes and files of it are seen from here; its network is ours, which has loopback
alone (``scripts/run-units``). BPF and landlock are let in, which a container does not
have by itself: so the rules of the units about devices, sockets and addresses are the
kernel's and not only words, and a machine can be one whose kernel has no landlock.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from limits import END_S, wait_until

BOOT_S = 60.0
LOOK_S = 0.02
CAPABILITIES = "CAP_BPF,CAP_IPC_LOCK,CAP_PERFMON,CAP_NET_ADMIN,CAP_SYS_RESOURCE"
LANDLOCK = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"


def until(
    done: Callable[[], Any], within_s: float, what: str | Callable[[], str] = ""
) -> Any:
    """As wait_until, but the machine is not asked 200 times a second."""
    return wait_until(done, what, within_s, between=lambda: time.sleep(LOOK_S))


class Machine:
    """What stands in ``root``; ``boot`` it, and ``off`` again."""

    def __init__(self, root: Path, *, landlock: bool = True) -> None:
        self.root = root
        self._calls = f"bpf {LANDLOCK}" if landlock else "bpf"
        self._container: subprocess.Popen[bytes] | None = None
        self.leader = 0

    def boot(self) -> float:
        """Until systemd says that it is up; the seconds it took."""
        began = time.monotonic()
        with (self.root.parent / "console").open("wb") as console:
            self._container = subprocess.Popen(
                ["systemd-nspawn", "--register=no", "--keep-unit", "--quiet",
                 "--directory", str(self.root), "--boot", "--console=pipe",
                 f"--capability={CAPABILITIES}", "--rlimit=MEMLOCK=infinity",
                 f"--system-call-filter={self._calls}"],
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                stdin=subprocess.DEVNULL, stdout=console, stderr=console,
            )  # fmt: skip
        self.leader = until(self._find_leader, BOOT_S, "process 1")
        up = ("running", "degraded")
        until(lambda: self.run("systemctl", "is-system-running") in up, BOOT_S, "up")
        return time.monotonic() - began

    def off(self) -> None:
        """Off, as with the power switch."""
        if self._container is not None:
            os.kill(self.leader, signal.SIGRTMIN + 14)  # systemd(1): power off at once
            try:
                self._container.wait(20)
            except subprocess.TimeoutExpired:
                self._container.kill()
                self._container.wait(END_S)
            self._container = None

    def run(self, *command: str) -> str:
        """What ``command`` prints inside, both streams, with any exit status."""
        enter = ["nsenter", "-t", str(self.leader), "-m", "-p", "-u", "-i", "-C", "--"]
        done = subprocess.run(
            [*enter, *command], capture_output=True, text=True, timeout=120, check=False
        )
        return (done.stdout + done.stderr).strip()

    def systemctl(self, *words: str) -> str:
        return self.run("systemctl", "--no-pager", *words)

    def show(self, service: str, name: str) -> str:
        """One property of a unit of ours."""
        unit = f"doorsill-{service}.service"
        return self.systemctl("show", "--value", "-p", name, unit)

    def journal(self, *words: str) -> str:
        """Of the journal, up to this moment."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--no-pager", "-o", "short-monotonic", *words)

    def said(self, service: str) -> str:
        """The last words of a process of ours, for a failure."""
        unit = f"doorsill-{service}"
        left = self.run("systemd-cgls", "--no-pager", "--unit", f"{unit}.service")
        return self.journal("-u", unit, "-n", "15") + "\n" + left

    def drop_in(self, service: str, text: str) -> None:
        """A drop-in for a service of ours, as :meth:`drop_in_for`."""
        self.drop_in_for(f"doorsill-{service}.service", text)

    def drop_in_for(self, unit: str, text: str) -> None:
        """A drop-in for ``unit``, until the next boot; "" takes it back."""
        folder = self.inside(f"run/systemd/system/{unit}.d")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "test.conf").write_text(text)
        self.systemctl("daemon-reload")

    def node(
        self, name: str, number: int, unit: int, group: str, mode: int = 0o660
    ) -> None:
        """A device file inside, as udev would make it for a group."""
        path = self.inside(f"dev/{name}")
        os.mknod(path, 0o660 | stat.S_IFCHR, os.makedev(number, unit))
        self.run("chown", f"root:{group}", f"/dev/{name}")
        self.run("chmod", f"{mode:o}", f"/dev/{name}")

    def inside(self, path: str) -> Path:
        """A path of the running system, as seen from here."""
        return Path(f"/proc/{self.leader}/root") / path

    def pid(self, service: str) -> int:
        """The process of a unit, by its number here; 0 while there is none."""
        there = self.show(service, "MainPID")
        if there == "0":
            return 0
        return next((pid for pid, last in self.processes() if last == int(there)), 0)

    def cgroup(self) -> str:
        """Where its process 1 is, in the one hierarchy of cgroup2."""
        lines = Path(f"/proc/{self.leader}/cgroup").read_text().splitlines()
        return next(each[3:] for each in lines if each.startswith("0::"))

    def view(self, service: str, folder: str) -> set[str]:
        """What lies in ``folder`` as the process of a unit sees it."""
        seen = Path(f"/proc/{self.pid(service)}/root/{folder}")
        return {each.name for each in seen.iterdir()}

    def processes(self) -> list[tuple[int, int]]:
        """All processes inside: their number here, their number there."""
        space = Path(f"/proc/{self.leader}/ns/pid").readlink()
        found = []
        for each in Path("/proc").iterdir():
            try:
                if each.name.isdigit() and (each / "ns/pid").readlink() == space:
                    status = (each / "status").read_text()
                    numbers = status.partition("NSpid:")[2].splitlines()[0].split()
                    found.append((int(each.name), int(numbers[-1])))
            except OSError:
                continue
        return found

    def _find_leader(self) -> int:
        """The process that is number 1 in its own space of processes, below ours."""
        assert self._container is not None and self._container.poll() is None, (
            self.root.parent / "console"
        ).read_text()
        for each in Path("/proc").iterdir():
            try:
                status = (each / "status").read_text()
            except OSError:
                continue
            numbers = status.partition("NSpid:")[2].splitlines()[:1]
            if (
                numbers
                and len(numbers[0].split()) > 1
                and numbers[0].split()[-1] == "1"
            ):
                return int(each.name)
        return 0
