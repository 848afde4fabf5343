"""A camera in a shop: the board with our image, seen through its console and broker."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from limits import wait_until
from rig.board import Board, Missing
from rig.console import Console
from rig.guest import KEY, LAMPS, PIN, Guest
from rig.layer import CAMERAS, CLIP_MARK, FEW, FRAMES, PICTURES, SITE_FOLDER, STEP_NS
from rig.office import SITE, Office

from doorsill.documents.boot.steps import STATUS_NAME
from doorsill.drivers.camera.clip import street_truth

LOGIN_S = 60.0  # from power-on to a shell, on a quiet machine
READY_S = 75.0  # from power-on to `ready`, likewise
WINDOW_S = 70.0  # from `ready` to a window: a minute's end, and ten seconds
TAKEN_S = 60.0  # from another boot file to a vault that was started again
# From card in to open, also where pcscd hangs and is ended first (HANGS_S); from card
# out to read back.
OPEN_S, BLANK_S = 30.0, 20.0
UNKNOWN_PACE = 8.0  # until the machine has been measured
LOOK_S = 0.5
PYTHON = "/opt/doorsill/bin/python -I"
HIL = "/opt/hil"  # of the layer
WATCHED = "/run/hil-vault"
VAULT = "/run/doorsill/vault/vault.sock"
PROGRAM = "/opt/doorsill/bin/doorsill"
READER = "Gemplus"  # a part of the name of QEMU's reader
BOOT = "/boot/firmware"  # the boot partition, mounted
STARTED = re.compile(r"^\[ *([0-9.]+)\].*systemd\[1\]: (Started|Finished) (\S+)", re.M)
TRACED = "/sys/kernel/tracing"
# By the vault alone: first boot writes the status lamp's level again and again.
PULSE = re.compile(r"doorsill-vault-\d+ .* (\d+\.\d+): gpio_value: (\d+) set 1")


CLIP_S = 200.0  # for the piece of the clip, on a quiet machine
# Frames of the clip with somebody near the line; vision has seen them as well.
FACES = (48, 60, 84)
LEAK = "/run/hil-leak"  # one face as it is


@dataclass(frozen=True, slots=True)
class Clip:
    """What the camera made of the clip's first seconds."""

    frames: int
    rate: float  # a second, of the guest's clock
    crossings: list[tuple[float, str]]  # s of the clip, way
    faces: list[bytes]  # pieces of the faces in FACES
    contract: dict[str, str]  # each clause of every camera, and what is wrong with it


@dataclass
class Camera:
    """Switched on by :meth:`start`; ``stages`` says what was reached, in s."""

    board: Board
    office: Office
    stages: dict[str, float] = field(default_factory=dict)
    serial: str = ""
    voucher: str = field(default="", repr=False)
    device: str = ""
    by_hand: bool = False  # this image has no first boot
    has_vault: bool = False
    on_at: float = 0.0  # when it was switched on, s after 1970

    @property
    def console(self) -> Console:
        return self.board.console

    def start(self) -> None:
        """A boot file with a voucher, then power: nothing is typed."""
        self.serial, self.device, self.voucher = self.office.voucher()
        self.put_boot_file(f"site = {SITE}\nvoucher = {self.voucher}\n")
        self.switch_on()

    def switch_on(self) -> None:
        """Power; from now on what it says counts."""
        self.on_at = time.time()
        self.board.power_on()

    def put_boot_file(self, text: str) -> None:
        """What a technician writes on a laptop; the board is off."""
        boot, work = self.board.boot_files(), self.office.folder
        boot.write("doorsill.txt", self.boot_text(text).encode(), work)

    def boot_text(self, text: str) -> str:
        """As a laptop's editor writes it; the time comes from this machine."""
        return f"{text}time-server = {self.board.host}\n".replace("\n", "\r\n")

    def boot_file(self, name: str) -> str:
        """A file of the boot partition, as a laptop shows it; the board is off."""
        return self.board.boot_files().read(name, self.office.folder).decode()

    def login(self) -> None:
        """A shell on the serial line; how slow the machine is is measured then."""
        self.console.pace = UNKNOWN_PACE
        self.console.login(LOGIN_S)
        self.stages["shell"] = time.time() - self.on_at
        self.console.measure()

    def joins_by_itself(self) -> bool:
        """Whether this image reads the boot file; an older one is enrolled by hand."""
        return (
            self.console.run("systemctl cat doorsill-first-boot >/dev/null 2>&1")[1]
            == 0
        )

    def enrol_by_hand(self) -> None:
        """What a technician types where no boot file is read."""
        self.console.must(f"echo {self.voucher} > /run/voucher")
        words = f"{PROGRAM} enrol --voucher /run/voucher --camera picamera --wait 120"
        self.console.must(words, 120.0)
        self.console.must("systemctl restart --no-block doorsill.target", 60.0)

    def watch_vision(self, seconds: float) -> None:
        """A watchdog as the unit has it, by this machine's pace, and another vision."""
        unit = "/run/systemd/system/doorsill-vision.service.d"
        limit = round(seconds * max(1.0, self.console.pace / 2))
        self.console.must(
            f"mkdir -p {unit}; printf '[Service]\\nWatchdogSec={limit}\\n'"
            f" > {unit}/zz-watchdog.conf; systemctl daemon-reload"
        )
        self.console.must("systemctl restart doorsill-vision", 120.0)
        self.until(lambda: self.active("vision"), READY_S, self.last_words)

    def locks(self) -> list[str]:
        """The locks that hold, as it says of itself."""
        health = self.until(lambda: self.heard("health"), READY_S, self.last_words)
        return list(health["locks"])

    def clock_is_off(self) -> float:
        """By how many seconds its clock is ahead of ours."""
        return float(self.run("date +%s.%N")) - time.time()

    def use_consent(self, **wired: str) -> None:
        """A vault with this board's reader and what is ``wired``, as README says it.

        By lines of the boot file, which first boot takes over: it may look ten seconds
        later, so a file that is half written is never there.
        """
        if self.by_hand:
            raise Missing("this image reads no boot file")
        rows = {"reader": READER, **wired}
        lines = [f"{key.replace('_', '-')} = {value}\n" for key, value in rows.items()]
        text = self.boot_text(f"site = {SITE}\n{''.join(lines)}")
        self.console.write_file("/run/hil-boot", text.encode())
        before = self.vaults_run()
        self.console.must(
            f"cp /run/hil-boot {BOOT}/new && mv {BOOT}/new {BOOT}/doorsill.txt"
        )
        self.until(
            lambda: self.vaults_run() != before and self.active("vault"),
            TAKEN_S,
            lambda: f"{self.run(f'cat {BOOT}/{STATUS_NAME}')}\n{self.last_words()}",
        )

    def vaults_run(self) -> str:
        """Which start of the vault this is."""
        return self.run("systemctl show --value -p InvocationID doorsill-vault")

    def until(
        self, done: Callable[[], Any], seconds: float, what: Callable[[], object]
    ) -> Any:
        """As wait_until with ``seconds`` of a quiet machine; the console is heard."""

        def between() -> None:
            self.console.listen(LOOK_S)

        return wait_until(done, what, seconds * self.console.pace, between=between)

    def heard(self, stream: str) -> dict[str, Any] | None:
        """The newest that it said since it was switched on."""
        return self.office.last(stream, self.device, self.on_at)

    def state(self) -> str:
        """As it says of itself: ready, paused, lost ..."""
        return str((self.heard("state") or {}).get("state", ""))

    def came(self, stream: str, **values: object) -> float:
        """When the first message of a stream with ``values`` came, s after 1970."""
        return next(
            each.at
            for each in self.office.heard
            if (each.stream, each.device) == (stream, self.device)
            and each.at > self.on_at
            and values.items() <= each.body.items()
        )

    def started(self) -> dict[str, float]:
        """When each unit of ours was up, in s of its kernel."""
        units = "-u 'doorsill*' -u nftables -u systemd-networkd -u pcscd"
        said = self.run(f"journalctl --no-pager -o short-monotonic {units}", 30.0)
        found: dict[str, float] = {}
        for seconds, _, unit in STARTED.findall(said):
            found.setdefault(unit.removesuffix(".service"), float(seconds))
        return found

    def run(self, command: str, seconds: float = 60.0) -> str:
        """What it prints; its exit status is left alone."""
        return self.console.run(command, seconds)[0]

    def watch_vault(self) -> None:
        """Note each change of the vault's state from now on."""
        line = f"{PYTHON} {HIL}/hil_watch.py {VAULT} {WATCHED}"
        self.console.must(f"({line} </dev/null >/run/hil-watch 2>&1 &)")
        self.until(self.vault, 30.0, lambda: self.run("cat /run/hil-watch"))

    def vault(self) -> dict[str, Any]:
        """What the vault said last of itself, and when; {} before that."""
        said = self.run(f"tail -n 1 {WATCHED} 2>&-")
        found: dict[str, Any] = json.loads(said) if said.startswith("{") else {}
        return found

    def words(self) -> str:
        """What the vault said last, for a failure."""
        return f"{self.vault()}\n{self.journal('doorsill-vault')}"

    def last_words(self) -> str:
        """What the units said last, for a failure."""
        said = self.run(
            "systemctl --no-pager --failed; journalctl --no-pager -n 40", 30
        )
        return f"{said}\nheard: {[each.stream for each in self.office.heard]}"

    def journal(self, unit: str, lines: int = 15) -> str:
        """The last words of a unit."""
        return self.run(f"journalctl --no-pager -n {lines} -u {unit}", 30)

    def active(self, *services: str) -> bool:
        """Whether they run."""
        names = " ".join(f"doorsill-{each}" for each in services)
        said = self.run(f"systemctl is-active {names}")
        return set(said.split()) == {"active"}

    def has_layer(self) -> bool:
        """Whether it is a guest, whose camera is one that a program plays."""
        return isinstance(self.board, Guest)

    def play_clip(self) -> Clip:
        """What a program in vision's place counts of the clip, and the faces in it."""
        line = ",".join(str(each) for each in street_truth()["line"])
        words = f"{line} {PICTURES} {LEAK} {' '.join(map(str, FACES))}"
        as_vision = "setpriv --reuid=doorsill-vision --regid=doorsill --groups=video"
        self.console.must(f"install -o doorsill-vision -m 600 /dev/null {LEAK}")
        with self._clip():
            said, code = self.console.run(
                f"{as_vision} {PYTHON} {HIL}/hil_clip.py {words} 2>/run/hil-clip",
                CLIP_S,
            )
        assert code == 0, said + self.run("tail -n 30 /run/hil-clip")
        found = json.loads(said.splitlines()[-1])
        return Clip(
            found["frames"],
            found["frames"] / found["seconds"],
            [(each["at"], each["direction"]) for each in found["crossings"]],
            [bytes.fromhex(each) for each in found["faces"]],
            found["contract"],
        )

    @contextlib.contextmanager
    def _clip(self) -> Iterator[None]:
        """The camera is ours and plays the clip by its own time; vision rests."""
        self.run("systemctl stop doorsill-vision", 60.0)
        mark = f"{SITE_FOLDER}/{CLIP_MARK}"
        self.console.must(f"echo {STEP_NS} > {mark} && {_play(FEW, FRAMES)}")
        try:
            yield
        finally:
            self.run(f"rm -f {mark}; {_play(FRAMES, FEW)}")
            self.run("systemctl start --no-block doorsill-vision")

    def give_vault(self) -> None:
        """A vault with a reader, once; a guest's has every line, and its key is on.

        What is wired to a Pi its bench knows. Each change of the vault's state is
        noted from now on.
        """
        if self.has_vault:
            return
        if isinstance(self.board, Guest):
            self.use_consent(**self._lines(self.board.make_gpio()))
            self.board.turn_key(True)
        else:
            self.use_consent()
        self.watch_vault()
        self.has_vault = True

    def _lines(self, chip: str) -> dict[str, str]:
        """Lamp, key switch and interlock, on a chip that a program plays."""
        self.console.must("udevadm settle")
        lines = {"consent_lamp": LAMPS["consent"], "key_switch": KEY, "interlock": PIN}
        return {name: f"{chip}:{at}" for name, at in lines.items()}

    def pulses(self, seconds: float) -> list[float]:
        """When the interlock's pin rose within ``seconds``, s: the kernel says it."""
        event = f"{TRACED}/events/gpio/gpio_value/enable"
        said = self.console.must(
            f"mountpoint -q {TRACED} || mount -t tracefs none {TRACED}; "
            f"echo > {TRACED}/trace; echo 1 > {event}; sleep {seconds}; "
            f"echo 0 > {event}; grep 'set 1' {TRACED}/trace | tail -n 400; true"
        )
        found = PULSE.findall(said)
        return [float(at) for at, number in found if number == found[-1][1]]


def _play(before: str, now: str) -> str:
    """The words that give libcamera another folder of pictures."""
    return f"sed -i 's|/{before}\"|/{now}\"|' /{CAMERAS}"
