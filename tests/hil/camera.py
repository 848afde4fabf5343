"""A camera in a shop: the board with our image, seen through its console and broker."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from limits import wait_until
from rig.board import Board
from rig.console import Console
from rig.guest import KEY, LAMPS, Guest
from rig.office import SITE, Office

LOGIN_S = 60.0  # from power-on to a shell, on a quiet machine
READY_S = 75.0  # from power-on to `ready`, likewise
WINDOW_S = 70.0  # from `ready` to a window: a minute's end, and ten seconds
UNKNOWN_PACE = 8.0  # until the machine has been measured
LOOK_S = 0.5
PYTHON = "/opt/doorsill/bin/python -I"
HIL = "/opt/hil"  # of the layer
WATCHED = "/run/hil-vault"
VAULT = "/run/doorsill/vault/vault.sock"
PROGRAM = "/opt/doorsill/bin/doorsill"
READER = "Gemplus"  # a part of the name of QEMU's reader
CONFIGURATION = "/etc/doorsill/doorsill.toml"
STARTED = re.compile(r"^\[ *([0-9.]+)\].*systemd\[1\]: (Started|Finished) (\S+)", re.M)


@dataclass
class Camera:
    """Switched on by :meth:`start`; ``stages`` says what was reached, in s."""

    board: Board
    office: Office
    stages: dict[str, float] = field(default_factory=dict)
    serial: str = ""
    voucher: str = field(default="", repr=False)
    device: str = "cam-01"
    by_hand: bool = False  # this image has no first boot
    on_at: float = 0.0  # when it was switched on, s after 1970

    @property
    def console(self) -> Console:
        return self.board.console

    def start(self) -> None:
        """A boot file with a voucher, then power: nothing is typed."""
        self.serial, self.voucher = self.office.voucher()
        self.put_boot_file(f"site = {SITE}\nvoucher = {self.voucher}\n")
        self.switch_on()

    def switch_on(self) -> None:
        """Power; from now on what it says counts."""
        self.on_at = time.time()
        self.board.power_on()

    def put_boot_file(self, text: str) -> None:
        """What a technician writes on a laptop; the board is off."""
        whole = f"{text}time-server = {self.board.host}\n".replace("\n", "\r\n")
        boot, work = self.board.boot_files(), self.office.folder
        boot.write("doorsill.txt", whole.encode(), work)

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

    def use_consent(self, more: str = "") -> None:
        """A vault with the reader that this board has; both processes start again."""
        said = f'[consent]\nca = "consent-ca.pem"\nreader = "{READER}"\n{more}'
        before = self.console.read_file(CONFIGURATION).decode()
        text = before.partition("[consent]")[0] + said
        self.console.write_file(CONFIGURATION, text.encode())
        self.run(
            "systemctl daemon-reload; systemctl restart --no-block doorsill-vision"
        )
        self.console.must("systemctl restart doorsill-vault", 120.0)

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

    def use_gpio(self) -> None:
        """Lamp and key switch of the interlock, on a chip that a program plays."""
        assert isinstance(self.board, Guest), "a Pi has them wired"
        chip = self.board.make_gpio()
        lamp, key = LAMPS["consent"], KEY
        self.console.must(
            "udevadm settle; mkdir -p /run/systemd/system/doorsill-vault.service.d;"
            " printf '[Service]\\nPrivateDevices=no\\nDeviceAllow=char-gpiochip rw\\n"
            "SupplementaryGroups=gpio\\n'"
            " > /run/systemd/system/doorsill-vault.service.d/hil.conf"
        )
        self.use_consent(f'lamp_line = "{chip}:{lamp}"\ngpio_line = "{chip}:{key}"\n')
