"""A virtual Pi: our image in ``qemu-system-aarch64``, with reader, card, write log.

    image ─copy─► disk.img ─► blklogwrites ─► virtio-blk    every write is in the log
    port "hil" ─► Console    QMP ─► reader in and out, link up and down
    serial ─► serial.log     what kernel and units say mixes into no answer
    usb-ccid ◄─VSCARD─► CardLine    10.0.2.2 there is this machine's loopback

QEMU has no Pi 4 or 5, so the machine is ``virt`` with the Pi 4's processor: what a
guest shows is true of kernel, units and program, not of a Pi's devices.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from doorsill.drivers.token.piv_fake import VirtualCard

from .board import Missing
from .card import CardLine
from .console import Console
from .errors import BenchError
from .layer import PORT
from .lines import SocketLine
from .mux import BootPartition, partitions
from .qmp import Monitor
from .said import Said

PROGRAM = "qemu-system-aarch64"
PROCESSORS, MEMORY_MB = 2, 1536
HOST = "10.0.2.2"  # as QEMU's user network calls this machine
END_S = 20.0
SERIAL = "serial.log"  # of all its starts
SIM = "/sys/devices/platform/gpio-sim.0"  # of the first chip that was made


@dataclass(frozen=True, slots=True)
class Image:
    """What is booted: as ``make image BOARD=virt`` leaves it."""

    kernel: Path
    initrd: Path
    append: str  # the kernel line
    disk: Path
    boot: str = ""  # the name of the partition that a laptop shows


@dataclass(slots=True)
class Guest:
    """One guest; files of its runs are in ``folder``, whose path must be short."""

    image: Image
    folder: Path
    name: str = "virt"
    host: str = HOST
    more: str = ""  # added to the kernel line at the next start
    clock: str = ""  # what its clock says at the next start, such as 1970-01-02
    devices: list[str] = field(default_factory=list)  # further words for QEMU
    starts: int = 0
    began: float = 0.0  # when it was switched on, monotonic s
    _process: subprocess.Popen[bytes] | None = None
    _console: Console | None = None
    _monitor: Monitor | None = None
    _card: CardLine | None = None
    _readers: int = 0
    said: Said = field(init=False)  # on its serial line

    def __post_init__(self) -> None:
        self.said = Said(self.folder / SERIAL)

    @property
    def console(self) -> Console:
        """A shell on a line of its own; BenchError while it is off."""
        if self._console is None:
            raise BenchError("the guest is off")
        return self._console

    @property
    def monitor(self) -> Monitor:
        """QEMU's monitor; BenchError while it is off."""
        if self._monitor is None:
            raise BenchError("the guest is off")
        return self._monitor

    @property
    def log(self) -> Path:
        """All writes to its disk since the last start."""
        return self.folder / f"writes-{self.starts}.log"

    def disk(self) -> Path:
        """Its card: a copy of the image, made at the first use."""
        path = self.folder / "disk.img"
        if not path.exists():
            words = ["cp", "--sparse=always", "--reflink=auto"]
            subprocess.run(
                [*words, str(self.image.disk), str(path)], check=True, timeout=300
            )
        return path

    def blank(self) -> None:
        """A new card, as flashed; the guest is off."""
        (self.folder / "disk.img").unlink(missing_ok=True)

    def boot_files(self) -> BootPartition:
        """The partition that a laptop shows; the guest is off."""
        if self._process is not None:
            raise BenchError("the guest has its card; switch it off first")
        found = {name: first for name, first, _ in partitions(self.disk())}
        if self.image.boot not in found:
            raise BenchError(f"the image has no {self.image.boot}, but {list(found)}")
        return BootPartition(self.disk(), found[self.image.boot])

    def power_on(self) -> None:
        """Start it; its monitor, console and reader answer when this returns."""
        if self._process is not None:
            raise BenchError("the guest is on")
        self.starts += 1
        for name in ("shell", "qmp", "reader"):
            (self.folder / name).unlink(missing_ok=True)
        self.said.begin()
        self.log.unlink(missing_ok=True)
        self.log.touch()
        words = command(self.image, self.disk(), self.folder, self.log)
        words[words.index("-append") + 1] += f" {self.more}"
        if self.clock:
            words += ["-rtc", f"base={self.clock},clock=vm"]
        self.began = time.monotonic()
        with (self.folder / "qemu.log").open("ab") as said:
            self._process = subprocess.Popen(
                [*words, *self.devices],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            )  # fmt: skip
        try:
            self._connect()
        except BenchError as error:
            self.power_off()
            said_last = (self.folder / "qemu.log").read_text(errors="replace")[-600:]
            raise BenchError(f"{error}; QEMU said: {said_last}") from error

    def _connect(self) -> None:
        line = SocketLine(self.folder / "shell")
        self._console = Console(line, self.folder / "shell.log")
        self._monitor = Monitor(self.folder / "qmp")
        self._card = CardLine(self.folder / "reader")

    def power_off(self) -> None:
        """As with a power switch: nothing more is written."""
        for part in (self._card, self._console):
            if part is not None:
                part.close()
        if self._monitor is not None:
            with contextlib.suppress(BenchError):
                self._monitor.ask("quit")
            self._monitor.close()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
            self._process.kill()
            self._process.wait(END_S)
        self._card = self._console = self._monitor = self._process = None

    def since(self) -> float:
        """Seconds since it was switched on."""
        return time.monotonic() - self.began

    def wait_said(self, words: str, seconds: float) -> None:
        """On its serial line, of which nothing is typed."""
        self.said.wait(words, seconds * self.console.pace)

    def insert(self, card: VirtualCard | None = None) -> None:
        """Put ``card`` in; it must be a T=0 card."""
        if self._card is None or card is None:
            raise BenchError(
                "a guest that is on, with its reader and a card, is needed"
            )
        self._card.insert(card)

    def pull(self) -> None:
        """Pull the card."""
        if self._card is not None:
            self._card.pull()

    def lose_answer(self) -> None:
        """Pull the card so that the reader loses its last answer, and hangs."""
        if self._card is not None:
            self._card.pull_with_answer()

    def plug_reader(self, plugged: bool) -> None:
        """Unplug the reader with its card, or plug it in, empty."""
        if not plugged:
            self.monitor.ask("device_del", id="ccid0")
            if self._card is not None:
                self._card.close()
                self._card = None
            return
        # The socket of the reader that went is gone with it.
        self._readers += 1
        name = f"slot{self._readers}"
        path = self.folder / name
        path.unlink(missing_ok=True)
        place = {"type": "unix", "data": {"path": str(path)}}
        data = {"addr": place, "server": True, "wait": False}
        backend = {"type": "socket", "data": data}
        self.monitor.ask("chardev-add", id=name, backend=backend)
        reader = {"driver": "usb-ccid", "id": "ccid0", "bus": "xhci.0"}
        slot = {"driver": "ccid-card-passthru", "chardev": name, "bus": "ccid0.0"}
        self.monitor.ask("device_add", **reader)
        self.monitor.ask("device_add", **slot)
        self._card = CardLine(path)

    def plug_network(self, plugged: bool) -> None:
        """Pull or plug its network cable."""
        self.monitor.ask("set_link", name="net", up=plugged)

    def turn_key(self, on: bool) -> None:
        """Turn the key switch, which is a line of gpio-sim."""
        pull = "pull-up" if on else "pull-down"
        self.console.must(f"echo {pull} > {SIM}/gpiochip*/sim_gpio{KEY}/pull")

    def lamp(self, name: str) -> bool:
        """Whether a lamp is lit: what gpio-sim says of its line."""
        return self.line(LAMPS[name])

    def line(self, number: int) -> bool:
        """Whether a line of the header is high."""
        where = f"{SIM}/gpiochip*/sim_gpio{number}/value"
        return self.console.must(f"cat {where}") == "1"

    def make_gpio(self) -> str:
        """Give it a chip with the lines of a Pi's header; the chip's label."""
        folder = "/sys/kernel/config/gpio-sim/hat"
        lines = [f"mkdir -p {folder}/bank", f"cd {folder}/bank"]
        lines += [f"echo {GPIO_LINES} > num_lines", f"echo {CHIP} > label"]
        for number in range(GPIO_LINES):  # as a Pi's device tree names them
            lines += [f"mkdir line{number}", f"echo GPIO{number} > line{number}/name"]
        lines += ["echo 1 > ../live"]
        ways = "modprobe -a configfs gpio-sim && ( " + " && ".join(lines) + " )"
        said, code = self.console.run(ways)
        if code:
            raise Missing(f"this guest's kernel has no gpio-sim: {said}")
        return CHIP

    def plug_gpio(self, plugged: bool) -> None:
        """Take that chip away under whoever uses it, or give it back."""
        live = "/sys/kernel/config/gpio-sim/hat/live"
        self.console.must(f"echo {int(plugged)} > {live}")

    def close(self) -> None:
        """Off, and its disk is gone; console and log of writes stay."""
        self.power_off()
        self.blank()


GPIO_LINES, CHIP = 28, "hil-header"
KEY, PIN = 17, 22  # as on the interlock board: pins 11, and 15 with its pulses
LAMPS = {"consent": 27, "status": 24}


def command(image: Image, disk: Path, folder: Path, log: Path) -> list[str]:
    """QEMU's words for ``image`` with its card at ``disk``."""
    file = f"driver=file,node-name=file,filename={disk}"
    logged = f"driver=file,node-name=logfile,filename={log}"
    both = "driver=blklogwrites,node-name=card,file=raw,log=logfile,log-sector-size=512"
    words = [
        PROGRAM, "-M", "virt", "-cpu", "cortex-a76", "-smp", str(PROCESSORS),
        "-m", str(MEMORY_MB), "-display", "none", "-nodefaults",
        "-kernel", str(image.kernel), "-initrd", str(image.initrd),
        "-append", image.append,
        "-blockdev", file, "-blockdev", "driver=raw,node-name=raw,file=file",
        "-blockdev", logged, "-blockdev", both,
        "-device", "virtio-blk-pci,drive=card",
        "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=",
        "-object", "rng-random,filename=/dev/urandom,id=rng",
        "-device", "virtio-rng-pci,rng=rng",
        "-device", "qemu-xhci,id=xhci", "-device", "usb-ccid,id=ccid0,bus=xhci.0",
    ]  # fmt: skip
    serial = f"file,path={folder / SERIAL},append=on,id=serial"
    words += ["-chardev", serial, "-serial", "chardev:serial"]
    words += ["-qmp", f"unix:{folder / 'qmp'},server=on,wait=off"]
    words += ["-chardev", f"socket,path={folder / 'shell'},server=on,wait=off,id=shell"]
    words += ["-device", "virtio-serial-pci"]
    words += ["-device", f"virtserialport,chardev=shell,name={PORT}"]
    words += ["-chardev", f"socket,path={folder / 'reader'},server=on,wait=off,id=slot"]
    return [*words, "-device", "ccid-card-passthru,chardev=slot,bus=ccid0.0"]


def require_qemu() -> None:
    """BenchError where QEMU is not installed."""
    if shutil.which(PROGRAM) is None:
        raise BenchError(f"{PROGRAM} is missing: apt-get install qemu-system-arm")
