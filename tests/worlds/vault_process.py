"""The real vault process, confined, with the real pcscd and a vision that we play."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cryptography import x509
from limits import END_S, rest, wait_until

from doorsill.certificates.examine import Verified
from doorsill.channels.crop_sender import GAP_S, Handover
from doorsill.errors import ConfigError
from doorsill.services.children import WIPING
from doorsill.services.policies import store_of
from doorsill.values import Frame, Pixels
from doorsill_fleet.stage.consent import ConsentStage, status, verify_certificates
from doorsill_fleet.stage.shop import SITE, Stage

LINES = (((0.5, 0.0), (0.5, 1.0)),)
HEADS = np.array([[0.2, 0.2, 0.6, 0.6]], np.float32)
NO_HEADS = np.empty((0, 4), np.float32)
NOBODY = Frame(np.full((120, 160, 3), 127, np.uint8), 0.0)
FRAME_S = 0.08
WITHIN_S = 20.0
PROGRAM = """\
import logging, sys
from pathlib import Path
{before}
from doorsill.config import load_config
from doorsill.services.vault import main
from doorsill.errors import DoorsillError
logging.basicConfig(level=logging.INFO)
try:
    main(load_config(Path(sys.argv[1])))
except DoorsillError as error:
    sys.exit("doorsill: " + str(error))
"""


class Shut(NamedTuple):
    """Seconds from the act until vision may hand over no more: between the two."""

    after: float  # it could still then
    by: float  # it could not any more


class VaultProcess:
    """A site in ``folder`` with its vault; use as a context."""

    def __init__(
        self,
        folder: Path,
        medium: str = "memory",
        before: str = "pass",
        camera: tuple[str, str] = ("street", "loop"),
        library: Path | None = None,
        consent: str = "",
    ):
        """``before`` is what a leaking build does to itself before it starts.

        ``camera`` is driver and source, for a vision process of the caller's;
        ``library`` another driver of the virtual reader. ``consent`` is more of the
        section [consent].
        """
        self.folder = folder
        self.stage = ConsentStage(folder, SITE, medium, library)
        self.stage.start()
        site = Stage(
            folder,
            LINES,
            *camera,
            consent=self.stage.policy,
            more=self.stage.configuration + consent,
        )
        self.config = site.set()
        self.site = site
        self.ca: x509.Certificate = site.authority.certificate
        for path in (self.config.device.run, self.config.policy_in_force.parent):
            path.mkdir(parents=True, exist_ok=True)
        store_of(self.config).take_over(self.config.policy.file)
        self.before = before
        self.vision = Handover(self.config.face_socket)
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "vault.log"
        self._sent = 0

    def __enter__(self) -> "VaultProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(END_S)
        self.vision.close()
        self.stage.stop()

    def start(self, *, wait: bool = True) -> None:
        program = PROGRAM.format(before=self.before)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, str(self.site.configuration)],
                env={**os.environ, **WIPING, **self.stage.environment},
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        if wait:
            self.until(lambda: self.status()["verified_blank"])

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def status(self) -> dict[str, Any]:
        """What the vault says; nothing at all while it cannot be asked."""
        try:
            return status(self.config)
        except ConfigError:
            return {"state": "", "verified_blank": False, "sealed": 0}

    def until(self, good: Callable[[], object], within_s: float = WITHIN_S) -> None:
        """Wait for something that the process will come to, or fail with its log."""
        wait_until(good, self._stands, within_s, between=self._lives)

    def _lives(self) -> None:
        assert self.process is None or self.process.poll() is None, self.said()
        rest()

    def _stands(self) -> str:
        return f"{self.status()}\n{self.said()}"

    def until_open(self) -> None:
        self.until(lambda: self.status()["state"] == "open")

    def until_blank(self) -> None:
        self.until(lambda: self.status()["verified_blank"])

    def offer(self, pixels: Pixels | None = None) -> int:
        """One frame of the street, as the pipeline would offer it."""
        self._sent += 1
        if pixels is None:
            pixels = np.full((120, 160, 3), 127, np.uint8)
        frame = Frame(pixels, self._sent * (GAP_S + 0.01))
        return self.vision.offer(frame, HEADS, frame.time)

    def fill(self, count: int, pixels: Pixels | None = None) -> None:
        """Offer frames until ``count`` crops are sealed."""

        def enough() -> bool:
            self.offer(pixels)
            return bool(self.status()["sealed"] >= count)

        self.until(enough)

    def until_shut(self, act: Callable[[], None]) -> Shut:
        """Card in, a crop sealed, ``act``; wait until vision may hand over no more.

        The street goes on at the pace of a camera meanwhile.
        """
        self.stage.insert()
        self.until_open()
        self.fill(1)
        self.until(lambda: self.offer() and self.vision.open)
        began = offered = seen = time.monotonic()
        act()
        while True:
            at = time.monotonic()
            if not self.vision.open:
                break
            seen = at
            if time.monotonic() - offered >= FRAME_S:
                offered = time.monotonic()
                self.offer()
            self.vision.offer(NOBODY, NO_HEADS, 0.0)  # takes what the vault says
            time.sleep(0.0005)
        shut = Shut(seen - began, time.monotonic() - began)
        assert self.offer() == 0
        self.until_blank()
        assert self.status()["last_reason"] != "limit"  # it was not us who ended it
        return shut

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        code = self.process.wait(WITHIN_S)
        self.process = None
        return code

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def chain(self) -> list[Verified]:
        return verify_certificates(self.config, self.ca)

    def reasons(self) -> list[str]:
        return [each.body["reason"] for each in self.chain()]


def utc_now() -> datetime:
    return datetime.now(UTC)
