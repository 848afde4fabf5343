"""Simulated consent: a CA, cards whose keys we hold, and a clock that we turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC as UTC_ZONE
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.x509.oid import NameOID

from doorsill.consent import trust
from doorsill.consent.challenge import Answer, Binding, Challenge
from doorsill.consent.events import Moment
from doorsill.consent.gate import Gate
from doorsill.consent.trust import Authority, ConsentCertificate
from doorsill.office import cards

UTC = 1_800_000_000.0
SITE, PURPOSE = "porto-1", "validation"
BINDING = Binding("cam-01", "b0b0", "ab" * 32, SITE, session_s=600.0)
DAY_S = 86_400
PREHASHED = ec.ECDSA(Prehashed(hashes.SHA256()))


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Controller:
    """Who runs the consent CA."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    days: int = 900
    utc: float = UTC - DAY_S

    def __post_init__(self) -> None:
        self.ca: x509.Certificate = cards.authority(
            self.key, "Loja Exemplo, Porto", self.utc, self.days
        )

    @property
    def pin(self) -> str:
        return self.ca.fingerprint(hashes.SHA256()).hex()

    def authority(self, revoked: tuple[str, ...] = (), utc: float = UTC) -> Authority:
        return trust.authority(cards.der(self.ca), self.pin, revoked, utc)

    def grant(self, **changes: object) -> cards.Grant:
        values: dict[str, object] = {
            "holder": "Ana",
            "site": SITE,
            "purpose": PURPOSE,
            "not_before": UTC - 3600,
            "days": 30,
        }
        return cards.Grant(**{**values, **changes})  # type: ignore[arg-type]

    def card(self, **changes: object) -> Card:
        return Card(self, self.grant(**changes))

    def handmade(
        self,
        key: object = None,
        signer: ec.EllipticCurvePrivateKey | None = None,
        common_name: str = "Ana",
        names: tuple[str, ...] = (trust.urn(SITE, PURPOSE),),
        extra: tuple[tuple[x509.ExtensionType, bool], ...] = (),
        usage: str = "digital_signature",
    ) -> bytes:
        """A certificate that the product's own issuing would refuse to make."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.ca.subject)
            .public_key(key or new_key().public_key())  # type: ignore[arg-type]
            .serial_number(77)
            .not_valid_before(datetime.fromtimestamp(UTC - DAY_S, UTC_ZONE))
            .not_valid_after(datetime.fromtimestamp(UTC + DAY_S, UTC_ZONE))
        )
        san = x509.SubjectAlternativeName(
            [x509.UniformResourceIdentifier(each) for each in names]
        )
        if names:
            builder = builder.add_extension(san, critical=False)
        if usage:
            builder = builder.add_extension(cards.key_usage(usage), critical=True)
        for extension, critical in extra:
            builder = builder.add_extension(extension, critical=critical)
        return cards.der(builder.sign(signer or self.key, hashes.SHA256()))


class Card:
    """A card in our hand: its key and its certificate."""

    def __init__(self, controller: Controller, grant: cards.Grant) -> None:
        self.key = new_key()
        self.controller = controller
        self.der = cards.der(
            cards.card(controller.ca, controller.key, self.key.public_key(), grant)
        )

    def verified(self, utc: float = UTC, site: str = SITE) -> ConsentCertificate:
        authority = self.controller.authority()
        return trust.verify(self.der, authority, site, [PURPOSE], utc)

    def answer(self, challenge: Challenge) -> Answer:
        return Answer(self.key.sign(challenge.digest, PREHASHED))


def moment(seconds: float) -> Moment:
    return Moment(1000.0 + seconds, UTC + seconds)


def new_gate(binding: Binding = BINDING) -> Gate:
    return Gate(binding, moment(0.0))


def nonce(number: int = 0) -> bytes:
    return number.to_bytes(32, "big")
