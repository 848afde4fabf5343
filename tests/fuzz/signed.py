"""Documents that somebody signs: policy, blanking certificate, head, export."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from devices import DeviceCA, blanking
from vaults import CA, SEALING_KEY, Bench
from vaults import lease as a_lease

from doorsill.certificates.examine import Document
from doorsill.certificates.verify import Expected, reservations, verify_chain
from doorsill.cli import verify
from doorsill.documents import canonical
from doorsill.errors import ConfigError
from doorsill.policy import acceptance
from doorsill.policy import document as policy
from doorsill.policy.hours import is_open
from doorsill.vault import export
from doorsill.vault.chain import CertificateChain
from doorsill.vault.sealing import unwrap

from .running import Parser

POLICY: dict[str, Any] = {
    "format": policy.FORMAT,
    "version": 3,
    "site": "s",
    "purpose": "p",
    "controller": "c",
    "expires": "2027-12-31",
    "timezone": "Europe/Lisbon",
    "attributes": True,
    "notice": "n-1",
    "k": 10,
    "epsilon_per_day": 1.0,
    "lines": [{"id": "door", "points": [[0.0, 0.5], [1.0, 0.5]]}],
    "zones": [{"id": "z", "kind": "exclude", "polygon": [[0, 0], [1, 0], [1, 1]]}],
    "hours": [{"days": ["mon", "sun"], "opens": "09:00", "closes": "24:00"}],
    "consent": {
        "purposes": ["v"],
        "ca": "00" * 32,
        "revoked": ["ab"],
        "max_seconds": 10,
        "max_bytes": 5000,
        "max_crops": 3,
    },
}


def as_table(data: bytes) -> dict[str, Any]:
    """ConfigError where a mutation is no JSON object: nobody could sign that."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise ConfigError("no JSON") from None
    if not isinstance(body, dict):
        raise ConfigError("no table")
    return body


def policy_document(folder: Path) -> Parser:
    key = ec.generate_private_key(ec.SECP256R1())
    document = canonical.seal(POLICY, key)
    return Parser([document], lambda data: acceptance.verify(data, key.public_key()))


def policy_body(folder: Path) -> Parser:
    from doorsill.policy.notice import notice_text

    def feed(data: bytes) -> None:
        found = policy.parse(as_table(data))
        for utc in (0.0, 1.9e9, 4e9):
            is_open(found, utc)
            policy.has_expired(found, utc)
        notice_text(found)

    return Parser([json.dumps(POLICY).encode()], feed)


class Chained:
    """A chain of two blanking certificates, and what an inspector does with it."""

    def __init__(self, folder: Path) -> None:
        self.ca = DeviceCA()
        self.device = self.ca.device(folder / "id", "door-7")
        self.folder = folder / "c"
        chain = CertificateChain(self.folder, self.device)
        for _ in range(2):
            chain.append(blanking(chain))
        self.paths = [*chain.paths(), self.folder / "head.json"]
        self.documents = [path.read_bytes() for path in self.paths]

    def body(self, number: int) -> bytes:
        return json.dumps(canonical.split(self.documents[number])[0]).encode()

    def signed(self, data: bytes) -> bytes:
        return canonical.seal(as_table(data), self.device.key)

    def inspect(self, number: int, data: bytes) -> None:
        told = [*self.documents]
        told[number] = data
        named: list[Document] = [
            (path.name, each) for path, each in zip(self.paths, told, strict=True)
        ]
        # A certificate that is signed again no longer fits its head.
        head = named[2] if number == 2 else None
        expected = Expected("door-7")
        chain = verify_chain(named[:2], head, self.ca.certificate, expected)
        for each in chain:
            verify.describe(each)
        verify.sum_up(chain, reservations(chain))


def certificate(folder: Path) -> Parser:
    chained = Chained(folder)
    return Parser([chained.documents[1]], lambda data: chained.inspect(1, data))


def certificate_body(folder: Path) -> Parser:
    chained = Chained(folder)
    feed = lambda data: chained.inspect(1, chained.signed(data))  # noqa: E731
    return Parser([chained.body(1)], feed)


def head_body(folder: Path) -> Parser:
    chained = Chained(folder)
    feed = lambda data: chained.inspect(2, chained.signed(data))  # noqa: E731
    return Parser([chained.body(2)], feed)


def own_chain(folder: Path) -> Parser:
    """The device that opens its own chain, after something wrote to the folder."""
    chained = Chained(folder)
    seeds = [bytes([number]) + chained.body(number) for number in (1, 2)]
    seeds += [bytes([number + 2]) + chained.documents[number] for number in (1, 2)]

    def feed(data: bytes) -> None:
        which, rest = (data[0] if data else 0), data[1:]
        number = 2 - which % 2
        written = chained.signed(rest) if which < 3 else rest
        for path, good in zip(chained.paths, chained.documents, strict=True):
            path.write_bytes(good)
        chained.paths[number].write_bytes(written)
        CertificateChain(chained.folder, chained.device)

    return Parser(seeds, feed)


def exported(folder: Path) -> tuple[Bench, bytes, bytes]:
    """A bench, the document of its export, and the records behind it."""
    bench = Bench(folder)
    bench.vault.start()
    bench.vault.open(a_lease())
    bench.seal(3)
    session = bench.vault.session
    assert session is not None
    head = export.header(session, bench.device)
    records = b"".join(bench.vault.sealed_records())
    return bench, head[len(export.MAGIC) + 4 :], records


def opened(data: bytes) -> None:
    """As ``doorsill vault open`` does, but for the files."""
    sealed = export.read(data, CA.certificate)
    point = ec.EllipticCurvePublicKey.from_encoded_point(
        ec.SECP256R1(), export.peer(sealed)
    )
    cipher = unwrap(sealed.wrapped, SEALING_KEY.exchange(ec.ECDH(), point))
    for record, _ in export.open_records(sealed, cipher):
        datetime.fromtimestamp(record.utc_ms / 1000, UTC)


def joined(document: bytes, records: bytes) -> bytes:
    return export.MAGIC + len(document).to_bytes(4, "big") + document + records


def export_file(folder: Path) -> Parser:
    _, document, records = exported(folder)
    return Parser([joined(document, records)], opened)


def export_body(folder: Path) -> Parser:
    bench, document, records = exported(folder)
    seal: Callable[[bytes], bytes] = lambda data: canonical.seal(  # noqa: E731
        as_table(data), bench.device.key
    )
    body = json.dumps(canonical.split(document)[0]).encode()
    return Parser([body], lambda data: opened(joined(seal(data), records)))
