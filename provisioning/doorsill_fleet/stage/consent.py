"""The consent part of a stage: a CA, a virtual card, and our own pcscd with readers.

For the demo and for tests. The card stack is the real one; only reader and card are
software. ``policy`` and ``configuration`` go into the stage before it is set; then
``insert`` and ``pull`` are what a hand would do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from doorsill.certificates.examine import Verified
from doorsill.certificates.verify import Expected, verify_chain
from doorsill.channels.control import ask
from doorsill.config import Config
from doorsill.drivers.token.apdu import tlv
from doorsill.drivers.token.pcscd import ENVIRONMENT, PrivatePcscd, VirtualSlot
from doorsill.drivers.token.piv_card import OBJECTS, PRESENCE, SEALING
from doorsill.drivers.token.piv_fake import VirtualCard
from doorsill.errors import ConfigError
from doorsill.office import cards as issuing

PURPOSE = "validation"
MEDIUM_BYTES = 4 << 20  # of the vault's medium
MAX_CROPS = 500  # in one session


@dataclass(slots=True)
class ConsentStage:
    """A consent CA and its card; ``folder`` is the stage's and has a short path."""

    folder: Path
    site: str
    medium: str = "memory"
    library: Path | None = None  # another driver of the virtual reader
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False
    )
    ca: x509.Certificate = field(init=False)
    card: VirtualCard = field(init=False, repr=False)
    _daemon: PrivatePcscd | None = field(init=False, default=None, repr=False)
    _slots: list[VirtualSlot] = field(init=False, default_factory=list, repr=False)

    def __post_init__(self) -> None:
        utc = datetime.now(UTC).timestamp() - 3600
        self.ca = issuing.authority(self.key, "the person who runs the demo", utc, 400)
        self.card = self.new_card()

    @property
    def policy(self) -> dict[str, Any]:
        """The consent part of the policy that the controller signs."""
        return {
            "purposes": [PURPOSE],
            "ca": self.ca.fingerprint(hashes.SHA256()).hex(),
            "revoked": [],
            "max_seconds": 600,
            "max_bytes": MEDIUM_BYTES,
            "max_crops": MAX_CROPS,
        }

    @property
    def ca_pem(self) -> bytes:
        """The consent CA's certificate, as the device has it."""
        return self.ca.public_bytes(serialization.Encoding.PEM)

    @property
    def configuration(self) -> str:
        """The [consent] section of the device's TOML file."""
        return (
            f'\n[consent]\nca = "consent-ca.pem"\nmedium = "{self.medium}"\n'
            f'reader = "Virtual PCD"\n'
            f"medium_bytes = {MEDIUM_BYTES}\n"
        )

    @property
    def environment(self) -> dict[str, str]:
        """What the vault process needs to find our pcscd."""
        return {ENVIRONMENT: str(self.daemon.socket)}

    @property
    def daemon(self) -> PrivatePcscd:
        """The private pcscd; ConfigError before :meth:`start`."""
        if self._daemon is None:
            raise ConfigError("the consent stage has not been started")
        return self._daemon

    def start(self) -> None:
        """Write the CA's certificate and start the card stack."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "consent-ca.pem").write_bytes(self.ca_pem)
        cards = self.folder / "cards"
        cards.mkdir(exist_ok=True)
        self._daemon = PrivatePcscd(cards, self.library)
        self._daemon.start()
        self._slots = [VirtualSlot(self._daemon, 0), VirtualSlot(self._daemon, 1)]

    def stop(self) -> None:
        """Pull every card and end the card stack; no process of it is left."""
        for slot in self._slots:
            slot.remove()
        if self._daemon is not None:
            self._daemon.stop()
            self._daemon = None

    def insert(self, card: VirtualCard | None = None, slot: int = 0) -> None:
        """Put the consent card in, or another one."""
        self._slots[slot].insert(card or self.card)

    def pull(self, slot: int = 0) -> None:
        """Pull the card."""
        self._slots[slot].remove()

    def new_card(self, **grant: Any) -> VirtualCard:
        """A card with 9E and 9D keys; ``grant`` changes what its certificate says."""
        utc = datetime.now(UTC).timestamp() - 1800
        values = {"holder": "Ana", "site": self.site, "purpose": PURPOSE}
        granted = issuing.Grant(**{**values, "not_before": utc, "days": 30, **grant})
        card = VirtualCard()
        for slot, certify in ((PRESENCE, issuing.card), (SEALING, issuing.sealing)):
            key = card.keys[slot] = ec.generate_private_key(ec.SECP256R1())
            found = certify(self.ca, self.key, key.public_key(), granted)
            card.objects[OBJECTS[slot]] = (
                tlv(0x70, issuing.der(found)) + tlv(0x71, b"\0") + tlv(0xFE, b"")
            )
        return card


def status(config: Config) -> dict[str, Any]:
    """What the vault says of itself: state, sealed, verified_blank, last_reason ..."""
    return ask(config.vault_socket, "status")[0]


def verify_certificates(config: Config, device_ca: x509.Certificate) -> list[Verified]:
    """The whole chain of blanking certificates, checked as an inspector would."""
    folder = config.certificates
    documents = [(p.name, p.read_bytes()) for p in sorted(folder.glob("0*.json"))]
    head = "head.json", (folder / "head.json").read_bytes()
    expected = Expected(config.device.id)
    return verify_chain(documents, head, device_ca, expected)
