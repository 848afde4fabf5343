"""Judge the blanking certificates that came home from one device. Pure.

    messages ─► expand ─► verify each ─► by number ─► runs without a gap ─► Audit

The broker and the way are not trusted: what counts is the device's signature, below the
device CA. QoS 1 may repeat a message, so the same certificate twice is no fault; two
different ones of one number are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from doorsill.certificates.compact import Known, expand
from doorsill.certificates.examine import Verified, verify_one
from doorsill.certificates.verify import Expected, verify_chain
from doorsill.errors import UntrustedError
from doorsill.wire.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Trust:
    """What the office knows by itself; none of it comes from the device."""

    authority: x509.Certificate  # the device CA
    known: Known
    # When each revoked device certificate was revoked, by serial number.
    revoked: Mapping[int, datetime] = field(default_factory=dict)
    now: datetime | None = None  # no certificate may be of a later day
    at_least: int = 0  # a certificate of this number is known to exist


@dataclass(frozen=True, slots=True)
class Audit:
    """The verdict on one device's certificates."""

    device: str
    verified: tuple[Verified, ...] = ()  # each by itself, by number
    missing: tuple[tuple[int, int], ...] = ()  # first and last number of each gap
    doubled: int = 0  # messages that came again; no fault
    contradicting: tuple[int, ...] = ()  # numbers of which there are two
    refused: tuple[str, ...] = ()  # why a message is no certificate of this device
    broken: tuple[str, ...] = ()  # why those that follow each other do not fit

    @property
    def newest(self) -> Verified | None:
        """The certificate with the highest number."""
        return self.verified[-1] if self.verified else None

    @property
    def is_whole(self) -> bool:
        """Whether every certificate from 1 on is here, and all of them fit."""
        faults = self.missing or self.contradicting or self.refused or self.broken
        return bool(self.verified) and not faults

    def sentences(self) -> list[str]:
        """The verdict for a person, the worst first."""
        if not (self.verified or self.refused):
            return [f"{self.device}: no certificate has come home"]
        said = [f"{self.device}: {each}" for each in (*self.broken, *self.refused)]
        said += [
            f"{self.device}: there are two certificates {number}; one of them is false"
            for number in self.contradicting
        ]
        said += [f"{self.device}: {_gap(*each)}" for each in self.missing]
        if self.is_whole:
            said.append(
                f"{self.device}: {len(self.verified)} certificates, none missing"
            )
        return said


def audit(device: str, messages: Iterable[Certificate], trust: Trust) -> Audit:
    """The verdict on ``messages`` of ``device``, in any order."""
    found: dict[int, dict[str, Verified]] = {}
    documents: dict[str, bytes] = {}  # by their SHA-256
    refused: dict[str, None] = {}
    doubled = 0
    for message in messages:
        name = f"certificate {message.counter}"
        try:
            document = expand(message, device, trust.known)
            each = verify_one((name, document), trust.authority)
        except UntrustedError as error:
            text = str(error)
            refused[text if text.startswith(name) else f"{name}: {text}"] = None
            continue
        same = found.setdefault(each.counter, {})
        doubled += each.sha256 in same
        same[each.sha256], documents[each.sha256] = each, document
    numbers = sorted(found)
    chain = tuple(next(iter(found[number].values())) for number in numbers)
    contradicting = tuple(number for number in numbers if len(found[number]) > 1)
    return Audit(
        device=device,
        verified=chain,
        missing=_gaps(numbers, trust.at_least),
        doubled=doubled,
        contradicting=contradicting,
        refused=tuple(refused),
        broken=tuple(_breaks(device, chain, documents, trust)),
    )


def _gaps(numbers: Sequence[int], at_least: int) -> tuple[tuple[int, int], ...]:
    """The numbers from 1 on that are not there, as first and last."""
    end = max([at_least, *numbers]) + 1 if numbers or at_least else 1
    pairs = itertools.pairwise([0, *numbers, end])
    return tuple((a + 1, b - 1) for a, b in pairs if b > a + 1)


def _breaks(
    device: str,
    chain: Sequence[Verified],
    documents: Mapping[str, bytes],
    trust: Trust,
) -> Iterable[str]:
    """Why a run of certificates without a gap cannot be one chain."""
    for run in _runs(chain):
        expected = Expected(
            device=device,
            whole=run[0].counter == 1,
            revoked=trust.revoked,
            now=trust.now,
        )
        named = [(each.name, documents[each.sha256]) for each in run]
        try:
            verify_chain(named, None, trust.authority, expected)
        except UntrustedError as error:
            yield str(error)


def _runs(chain: Sequence[Verified]) -> Iterable[list[Verified]]:
    run: list[Verified] = []
    for each in chain:
        if run and each.counter != run[-1].counter + 1:
            yield run
            run = []
        run.append(each)
    if run:
        yield run


def _gap(first: int, last: int) -> str:
    if first == last:
        return f"certificate {first} is missing"
    return f"certificates {first} to {last} are missing"
