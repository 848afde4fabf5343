"""The process of the first boot: looks, has the next step decided, and takes it.

It stays for the camera's life: it shows by the status lamp whether the camera counts,
and takes over another network or another voucher that a person writes on the card.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from doorsill.device.clock import is_synchronised
from doorsill.device.network_files import WIFI, network_files
from doorsill.device.route import has_route
from doorsill.documents.boot import file as boot
from doorsill.documents.boot.file import BootFile
from doorsill.documents.boot.lines import LARGEST_BYTES
from doorsill.documents.boot.steps import MEND, STATUS_NAME, Step, status_text
from doorsill.documents.durable import FOR_ALL, OWNER_ALONE, overwrite, put
from doorsill.documents.folders import make_folder
from doorsill.documents.reading import read_file, read_if_there
from doorsill.documents.voucher import Voucher, read_voucher, secret_hash
from doorsill.enrolment.first_steps import (
    NO_VOUCHER,
    Act,
    Plan,
    Seen,
    Trouble,
    decide,
    trouble_of,
)
from doorsill.enrolment.joining import Wanted, join
from doorsill.enrolment.stage import READY, Stage
from doorsill.errors import ConfigError, DoorsillError
from doorsill.services.first_boot_ports import FOLDER, write_ports
from doorsill.services.first_boot_wiring import DUE, site_of, write_wiring

log = logging.getLogger(__name__)

LOOK_S = 1.0  # between two looks while the camera is on its way
LOOK_RARELY_S = 10.0  # between two looks when it counts, or begins to
USED_NAME = "voucher.used"  # the hash of the last voucher that brought a certificate
SAVED_NAME = "network.txt"  # the last file that was right, without its voucher


class Machine(Protocol):
    """What only the machine can do."""

    def take_network(self, changed: list[Path]) -> None:
        """Have those of the network's files read again that changed."""

    def open_ports(self) -> bool:
        """Let out the ports that were written; whether that was done."""

    def take_settings(self, unit: str) -> bool:
        """Have the configuration's devices shown to units, then ``unit`` started again.

        Whether that was done.
        """

    def start_counting(self) -> None:
        """Start the processes, if they do not run."""

    def counts(self) -> bool:
        """Whether they run."""


class Showing(Protocol):
    """The status lamp."""

    def use(self, line: str) -> None:
        """Its line from now on; "" for the usual one."""

    def show(self, step: Step) -> None:
        """Show the step's pattern from now on."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are."""

    boot: Path  # the boot partition
    target: Path  # /etc/doorsill
    root: Path = Path("/")


@dataclass(slots=True)
class FirstBoot:
    """One camera; ``turn`` takes one step."""

    places: Places
    machine: Machine
    lamp: Showing | None = None
    _trouble: Trouble | None = None
    _failures: int = 0
    _since: float | None = None  # when there was a route first, s, monotonic
    _started: float | None = None  # when counting was started, s, monotonic
    _data: bytes | None = None  # the file as it was last looked at
    _ports_open: bool = False
    _said: tuple[Step, tuple[str, ...]] | None = None
    _notes: tuple[str, ...] = field(default=())  # what went wrong beside the way

    def turn(self, now: float) -> float:
        """One step at ``now`` (s, monotonic); the seconds until the next one."""
        try:
            seen = self._look(now)
        except ConfigError as error:  # a disk that is full or read-only
            self._say(Plan(MEND, tuple(map(str, error.args)), Act.LOOK))
            return LOOK_RARELY_S
        plan = decide(seen, now)
        self._say(plan)
        self._do(plan.act, seen, now)
        rarely = seen.counts or plan.act is Act.START
        return LOOK_RARELY_S if rarely else LOOK_S

    def _look(self, now: float) -> Seen:
        file, problems = self._read()
        self._open_ports(file)
        enrolled = (self.places.target / "device.crt").is_file()
        if file is not None and enrolled:
            problems += self._take_wiring(file)
        routed, stage = has_route(self.places.root), self._stage()
        if self._since is None and routed:
            self._since = now
        counts = enrolled and self.machine.counts()
        if counts:  # a restart of later is no fault until it has taken as long
            self._started = None
        return Seen(
            file=file,
            problems=problems,
            enrolled=enrolled,
            underway=stage.has("voucher"),
            ready=stage.has(READY),
            used=self._is_used(file),
            wiped_not=self._notes != (),
            routed=routed,
            clock_set=is_synchronised(self.places.root),
            clock_waited_s=now - (now if self._since is None else self._since),
            counts=counts,
            idle_s=now - (now if self._started is None else self._started),
            trouble=self._trouble,
            site=site_of(self.places.target / "doorsill.toml") if enrolled else "",
        )

    def _open_ports(self, file: BootFile | None) -> None:
        """Before the fleet is asked and the uplink started: the filter lets out."""
        folder = self.places.root / FOLDER
        if write_ports(folder, file, self._stage()) or not self._ports_open:
            self._ports_open = self.machine.open_ports()

    def _take_wiring(self, file: BootFile) -> tuple[str, ...]:
        """Before counting is started, and when a person changes it; what is wrong."""
        path, due = self.places.target / "doorsill.toml", self.places.root / DUE
        try:
            unit = write_wiring(path, file.wiring, due)
            if unit is not None and self.machine.take_settings(unit):
                due.unlink()
        except ConfigError as error:
            return tuple(map(str, error.args))
        return ()

    def _read(self) -> tuple[BootFile | None, tuple[str, ...]]:
        """The file, or what is wrong with it; a change of it ends a wait."""
        path = self.places.boot / boot.NAME
        try:
            data = read_if_there(path, LARGEST_BYTES)
            if data is None:
                raise boot.no_file(sorted(e.name for e in self.places.boot.glob("*")))
            file = boot.read_boot_file(data)
        except ConfigError as error:
            return None, tuple(map(str, error.args))
        except OSError as error:
            return None, (f"cannot read {self.places.boot}: {error.strerror}",)
        if data != self._data:
            self._take(file)
            self._data, self._trouble, self._failures = data, None, 0
        return file, ()

    def _take(self, file: BootFile) -> None:
        saved = boot.write_boot_file(replace(file, voucher=None))
        path = self.places.target / SAVED_NAME
        if read_if_there(path) != saved:
            make_folder(self.places.target)
            put(path, saved, OWNER_ALONE)
        self._set(file)

    def _set(self, file: BootFile) -> None:
        self.set_network(file)
        if self.lamp is not None:
            self.lamp.use(file.wiring.status_lamp)

    def set_saved_network(self) -> None:
        """As it was when the file was right last: a typo later cuts no camera off."""
        data = read_if_there(self.places.target / SAVED_NAME)
        try:
            if data is not None:
                self._set(boot.read_boot_file(data))
        except ConfigError as error:
            log.warning("%s: %s", SAVED_NAME, error)

    def set_network(self, file: BootFile) -> None:
        """Write the network's files where they differ, and have them read."""
        changed = []
        for name, text in network_files(file.network).items():
            path = self.places.root / name
            if (read_if_there(path) or b"") != text.encode():
                make_folder(path.parent)
                mode = OWNER_ALONE if name == WIFI else FOR_ALL
                put(path, text.encode(), mode)
                changed.append(name)
        if changed:
            self.machine.take_network(changed)

    def _is_used(self, file: BootFile | None) -> bool:
        if file is None or file.voucher is None:
            return False
        known = read_if_there(self.places.target / USED_NAME)
        return known == secret_hash(file.voucher.secret).encode()

    def _do(self, act: Act, seen: Seen, now: float) -> None:
        if act is Act.START:
            self._started = now if self._started is None else self._started
            self.machine.start_counting()
        elif act is Act.WIPE:
            self._wipe()
        elif act is Act.ENROL:
            try:
                self._enrol(seen.file or BootFile("", None))
            except DoorsillError as error:
                self._failures += 1
                self._trouble = trouble_of(error, seen, self._failures, now)
            else:
                self._trouble, self._failures = None, 0

    def _enrol(self, file: BootFile) -> None:
        stage = self._stage()
        voucher = self._voucher(stage, file)
        wanted = Wanted(file.camera, file.site)
        site, device = join(
            stage, voucher, wanted, time.time(), lambda: self._used(voucher)
        )
        log.info("enrolled as %s %s", site, device)

    def _voucher(self, stage: Stage, file: BootFile) -> Voucher:
        """The file's, kept beside what is made with it; else the one that is kept."""
        if stage.has(READY):  # what is left needs no voucher
            return Voucher("", 0, "", "", "")
        kept = None
        if stage.has("voucher"):
            kept = read_voucher(stage.read("voucher").decode("utf-8", "replace"))
        given = kept if self._is_used(file) or file.voucher is None else file.voucher
        if given is None:
            raise ConfigError(*NO_VOUCHER)
        if kept is not None and kept.secret != given.secret:
            stage.drop()  # begun with another one
        if kept != given:
            stage.put("voucher", given.text().encode())
        return replace(file, voucher=given).way or given

    def _used(self, voucher: Voucher) -> None:
        """It has brought a certificate: note that, then overwrite it on the card."""
        put(self.places.target / USED_NAME, secret_hash(voucher.secret).encode())
        self._wipe()

    def _wipe(self) -> None:
        path = self.places.boot / boot.NAME
        try:
            data = read_file(path, LARGEST_BYTES)
            overwrite(path, boot.without_voucher(data))
        except ConfigError as error:
            self._notes = (f"the used voucher is still on the card: {error}",)
            log.warning("%s", *self._notes)
        else:
            self._notes = ()
            self._data = boot.without_voucher(data)  # our own change ends no wait

    def _stage(self) -> Stage:
        return Stage(self.places.target, "enrol")

    def _say(self, plan: Plan) -> None:
        """On the card, by lamp and on the console, when it has changed.

        The card comes first: who reads the console may pull the power then.
        """
        said = plan.step, plan.words + self._notes
        if said == self._said:
            return
        self._said = said
        text = status_text(plan.step, said[1], time.time())
        try:
            put(self.places.boot / STATUS_NAME, text.encode())
        except ConfigError as error:
            log.warning("%s", error)
        if self.lamp is not None:
            self.lamp.show(plan.step)
        log.info("%s: %s", plan.step.says, "; ".join(said[1]) or plan.step.do)
