"""A device CA, devices that it certified, and what they say when they blank."""

import datetime
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from doorsill.certificates.claims import NOT_SYNCHRONISED, blank_digest
from doorsill.device import identity
from doorsill.documents import pem
from doorsill.drivers.media.medium import MediumFacts
from doorsill.vault.chain import Blanking, CertificateChain, LeaseInterval, Surroundings

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
UTC_MS = int(datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC).timestamp() * 1000)
SIZE = 10_000

AROUND = Surroundings(
    boot="11111111-2222-3333-4444-555555555555",
    firmware="aa" * 32,
    swap_bytes=0,
    core_dumps="off",
    journal="none",
    sectors_written={"mmcblk0": 8},
    utc_ms=UTC_MS,
    time_source=NOT_SYNCHRONISED,
)
LEASE = LeaseInterval(
    opened_ms=UTC_MS - 60_000,
    closed_ms=UTC_MS,
    reason="removed",
    card="bb" * 32,
    purpose="validation",
    sealed=7,
    sealed_bytes=7000,
    exported=0,
)


class DeviceCA:
    """Certifies devices, as the fleet would."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(self.key.public_key(), "device CA", ca=True)

    def device(self, home: Path, name: str) -> identity.Identity:
        """A new device with its key and certificate in ``home``."""
        request = x509.load_pem_x509_csr(identity.create(home, name))
        public = request.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        made = self._sign(public, name, ca=False)
        (home / pem.CERTIFICATE_NAME).write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
        )
        return identity.load(home)

    def write(self, path: Path) -> Path:
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def _sign(
        self, public: ec.EllipticCurvePublicKey, name: str, *, ca: bool
    ) -> x509.Certificate:
        builder = x509.CertificateBuilder(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device CA")]),
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
            public,
            x509.random_serial_number(),
            BEGIN,
            BEGIN + datetime.timedelta(days=3650),
        ).add_extension(x509.BasicConstraints(ca, None), critical=True)
        return builder.sign(self.key, hashes.SHA256())


def blanking(chain: CertificateChain, **changes: Any) -> Blanking:
    """An honest blanking of ``SIZE`` bytes of memory, the next in ``chain``.

    Each is two minutes after the one before it, and has a key of its own; with
    ``leases=()`` there was none.
    """
    later = chain.counter * 120_000
    own = None if changes.get("leases") == () else key_of(chain)
    key_id = changes.get("key_id", own)
    lease = replace(
        LEASE,
        opened_ms=LEASE.opened_ms + later,
        closed_ms=LEASE.closed_ms + later,
        reason=changes.get("reason", LEASE.reason),
    )
    around = changes.pop("surroundings", AROUND)
    if around.utc_ms == UTC_MS:
        around = replace(around, utc_ms=UTC_MS + later)
    honest = Blanking(
        reason="removed",
        medium=MediumFacts("memory", "locked memory", SIZE),
        methods=("key-destroyed", "overwritten") if key_id else ("overwritten",),
        key_id=key_id,
        read_back_sha256=blank_digest(chain.seed(key_id), SIZE),
        blank=True,
        leases=(lease,) if key_id else (),
        policy="dd" * 32,
        surroundings=around,
    )
    return replace(honest, **changes)


def key_of(chain: CertificateChain) -> str:
    """The name of the key that the next blanking of ``chain`` destroys."""
    return f"{chain.counter:02x}" + "cc" * 15


def dirty_digest(chain: CertificateChain, key_id: str) -> str:
    """What an honest read-back of a medium that is not blank gives."""
    return hashlib.sha256(chain.seed(key_id) + b"\1" * SIZE).hexdigest()
