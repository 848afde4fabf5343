"""A vault on a bench: its medium, its chain, its clock and its crops in our hand."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from cards import PURPOSE, SITE, UTC
from cryptography.hazmat.primitives.asymmetric import ec
from devices import AROUND, DeviceCA
from limits import END_S

from doorsill.certificates.examine import Verified
from doorsill.certificates.verify import Expected, verify_chain
from doorsill.channels.crop_sender import seal_copy
from doorsill.channels.crops import CROP, CROP_TAG, Crop, CropSource
from doorsill.consent.events import Lease, Moment
from doorsill.consent.trust import ConsentCertificate
from doorsill.drivers.media.medium import Medium
from doorsill.drivers.media.memory import MemoryMedium
from doorsill.policy import document
from doorsill.vault.chain import CertificateChain, Surroundings
from doorsill.vault.vault import Ground, Vault

CA = DeviceCA()
SIZE = 256 << 10
CARD_KEY = ec.generate_private_key(ec.SECP256R1())
SEALING_KEY = ec.generate_private_key(ec.SECP256R1())


def consent_policy(**changes: object) -> document.Policy:
    rules = {
        "purposes": [PURPOSE],
        "ca": "00" * 32,
        "revoked": [],
        "max_seconds": 600,
        "max_bytes": 1 << 20,
        "max_crops": 20,
    }
    return document.parse(
        {
            "format": document.FORMAT,
            "version": 1,
            "site": SITE,
            "purpose": "count",
            "controller": "Example Stores",
            "attributes": False,
            "k": 10,
            "epsilon_per_day": 1,
            "timezone": "UTC",
            "lines": [{"id": "door", "points": [[0, 0], [1, 1]]}],
            "consent": {**rules, **changes},
        }
    )


def lease() -> Lease:
    card = ConsentCertificate(
        serial=7,
        holder="Ana",
        site=SITE,
        purpose=PURPOSE,
        not_before=UTC - 60,
        not_after=UTC + 6000,
        key=CARD_KEY.public_key(),
        fingerprint="ee" * 32,
        sealing_key=SEALING_KEY.public_key(),
    )
    return Lease(card, Moment(1000.0, UTC), UTC + 600)


@contextmanager
def crop(seed: int = 0, width: int = 24, height: int = 32) -> Iterator[Crop]:
    """A sealed crop of noise that is the same for the same seed."""
    made = Crop(width, height, 1.0, seal_copy(picture(seed, width, height)))
    try:
        yield made
    finally:
        made.close()


def picture(seed: int, width: int = 24, height: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(
        0, 256, (height, width, 3), dtype=np.uint8
    )


class CropsInHand:
    """Vision's end of the way to the vault: it sends what it is told, lease or not."""

    def __init__(self, path: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(path))
            listener.listen(1)
            listener.settimeout(END_S)
            self.source = CropSource(path)
            self._vault, _ = listener.accept()

    def send(self, seed: int) -> None:
        with crop(seed) as each:
            head = CROP.pack(CROP_TAG, each.width, each.height, each.time)
            socket.send_fds(self._vault, [head], [each.handle])

    def say(self, message: bytes) -> None:
        self._vault.send(message)

    def close(self) -> None:
        self._vault.close()
        self.source.close()


class Bench:
    """One device's vault; :meth:`restart` is what the next process finds."""

    def __init__(
        self,
        home: Path,
        medium: Medium | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """``clock`` gives UTC in s; without one, ``now_ms`` is the time."""
        self.home = home
        self._clock = clock
        self.device = CA.device(home / "id", "door-7")
        self.now_ms = int(UTC * 1000)
        self.policy: document.Policy | None = consent_policy()
        self.medium = medium or MemoryMedium(SIZE)
        self.vault = self.restart()

    def restart(self, medium: Medium | None = None) -> Vault:
        self.medium = medium or self.medium
        self.chain = CertificateChain(self.home / "certificates", self.device)
        ground = Ground(self.medium, self.chain, self.home, self.observe, self.utc_ms)
        self.vault = Vault(ground, self.policy)
        return self.vault

    def utc_ms(self) -> int:
        return self.now_ms if self._clock is None else int(self._clock() * 1000)

    def observe(self) -> Surroundings:
        return replace(AROUND, utc_ms=self.utc_ms())

    def seal(self, count: int = 3) -> None:
        for seed in range(count):
            with crop(seed) as each:
                self.vault.seal(each)

    def verified(self) -> list[Verified]:
        folder = self.home / "certificates"
        documents = [(p.name, p.read_bytes()) for p in sorted(folder.glob("0*.json"))]
        head = "head.json", (folder / "head.json").read_bytes()
        return verify_chain(documents, head, CA.certificate, Expected("door-7"))


def open_handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
