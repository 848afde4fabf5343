"""Check a chain of blanking certificates offline, with nothing but the device CA.

Stand-alone: it knows the fixed words of a certificate and nothing of the vault. Every
refusal is one sentence. A chain that passes is still only a claim of the device that
signed it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509

from doorsill.certificates import claims
from doorsill.certificates.contradictions import (
    UNKNOWN_KEY,
    check_pair,
    clock_went_back,
)
from doorsill.certificates.examine import (
    Document,
    Verified,
    check_head_form,
    verify_one,
)
from doorsill.documents import canonical
from doorsill.errors import UntrustedError

AHEAD = timedelta(days=1)  # how much later a device's clock may be than ours


@dataclass(frozen=True, slots=True)
class Expected:
    """What the inspector knows from another source; None if nothing."""

    device: str | None = None
    whole: bool = True  # the chain must begin at certificate 1
    at_least: int = 0  # the chain must reach this counter
    # When each revoked device certificate was revoked, by serial number.
    revoked: Mapping[int, datetime] = field(default_factory=dict)
    now: datetime | None = None  # no certificate may be of a later day


def verify_chain(
    documents: Sequence[Document],
    head: Document | None,
    authority: x509.Certificate,
    expected: Expected,
) -> list[Verified]:
    """The certificates in ``documents``, all valid and in order.

    Raises UntrustedError with the name of the first that is not, and the reason.
    """
    if not documents:
        raise UntrustedError("there is no certificate to verify")
    _check_authority(authority)
    chain = [verify_one(each, authority) for each in documents]
    for each in chain:
        _check_from_outside(each, expected)
    _check_first(chain[0], expected)
    for before, after in itertools.pairwise(chain):
        _check_link(before, after)
    _check_keys(chain)
    if chain[-1].counter < expected.at_least:
        raise UntrustedError(
            f"the chain ends at certificate {chain[-1].counter}; certificate "
            f"{expected.at_least} is known to exist"
        )
    if head is not None:
        _check_head(head, chain)
    return chain


def reservations(chain: Sequence[Verified]) -> list[str]:
    """What lowers the verdict on a verified chain, one sentence each."""
    found: dict[str, list[int]] = {}
    for each in chain:
        for doubt in _doubts(each):
            found.setdefault(doubt, []).append(each.counter)
    for before, after in itertools.pairwise(chain):
        if clock_went_back(before.body, after.body):
            doubt = "the clock was behind the certificate before: a device without one"
            found.setdefault(doubt, []).append(after.counter)
    return [f"{doubt} (certificate {_list(at)})" for doubt, at in found.items()]


def _doubts(each: Verified) -> Iterator[str]:
    system = each.body["system"]
    if system["swap_bytes"]:
        yield "swap was on: memory may have been written to a disk"
    if system["core_dumps"] != "off":
        yield f"a process that crashed would have been written {system['core_dumps']}"
    if system["journal"] == "persistent":
        yield "the journal is kept on a disk"


def _list(counters: Sequence[int]) -> str:
    first, last = counters[0], counters[-1]
    return str(first) if first == last else f"{first} to {last}, {len(counters)} in all"


def _check_authority(authority: x509.Certificate) -> None:
    try:
        basic = authority.extensions.get_extension_for_class(x509.BasicConstraints)
        signs = basic.value.ca
    except x509.ExtensionNotFound:
        signs = False
    if not signs:
        raise UntrustedError("the certificate given as device CA may not sign others")


def _check_from_outside(each: Verified, expected: Expected) -> None:
    """Check what only the inspector knows: revoked devices, and the date now."""
    revoked = expected.revoked.get(each.signer.serial_number)
    if revoked is not None:
        raise UntrustedError(
            f"{each.name}: the device's certificate {each.signer.serial_number:x} was "
            f"taken back on {revoked:%Y-%m-%d}"
        )
    at = datetime.fromtimestamp(each.body["time"]["utc_ms"] / 1000, UTC)
    if expected.now is not None and at > expected.now + AHEAD:
        raise UntrustedError(
            f"{each.name}: it is of {at:%Y-%m-%d %H:%M} UTC, which is yet to come"
        )


def _check_keys(chain: Sequence[Verified]) -> None:
    """A key is random and for one lease, so the same key id twice is a copy."""
    seen: dict[str, str] = {}
    for each in chain:
        key = each.body["key"]["id"]
        if key is None or key == UNKNOWN_KEY:
            continue
        if key in seen:
            raise UntrustedError(
                f"{each.name}: the key {key} was destroyed before, in {seen[key]}"
            )
        seen[key] = each.name


def _check_first(first: Verified, expected: Expected) -> None:
    device = first.body["device"]
    if expected.device is not None and device != expected.device:
        raise UntrustedError(
            f"{first.name}: it is of device {device}, not of {expected.device}"
        )
    starts = first.counter == 1
    if starts != (first.body["previous"] == claims.FIRST):
        raise UntrustedError(
            f"{first.name}: certificate {first.counter} names a predecessor that "
            "cannot be"
        )
    if expected.whole and not starts:
        raise UntrustedError(
            f"{first.name}: the chain begins at certificate {first.counter}; "
            f"{_missing(1, first.counter - 1)}"
        )


def _check_link(before: Verified, after: Verified) -> None:
    old, new = before.body, after.body
    if new["device"] != old["device"]:
        raise UntrustedError(
            f"{after.name}: it is of device {new['device']}, the chain is of "
            f"{old['device']}"
        )
    if after.counter <= before.counter:
        raise UntrustedError(
            f"{after.name}: the counter goes back from {before.counter} to "
            f"{after.counter}"
        )
    if after.counter > before.counter + 1:
        raise UntrustedError(
            f"{after.name}: {_missing(before.counter + 1, after.counter - 1)}"
        )
    if new["previous"] != before.sha256:
        raise UntrustedError(
            f"{after.name}: it does not follow {before.name}: another one stood there"
        )
    if new["leases"] and not before.read_back:
        raise UntrustedError(
            f"{after.name}: it was open though the medium had not been read back since "
            f"{before.name}"
        )
    try:
        check_pair(old, new)
    except UntrustedError as error:
        raise UntrustedError(f"{after.name}: {error}") from None


def _missing(first: int, last: int) -> str:
    if first == last:
        return f"certificate {first} is missing"
    return f"certificates {first} to {last} are missing"


def _check_head(document: Document, chain: Sequence[Verified]) -> None:
    name, data = document
    last = chain[-1]
    try:
        head = canonical.unseal(data, last.key)
        check_head_form(head)
    except UntrustedError as error:
        raise UntrustedError(f"{name}: {error}") from None
    if head["device"] != last.body["device"]:
        raise UntrustedError(f"{name}: it is the head of {head['device']}'s chain")
    counter = head["counter"]
    if counter > last.counter:
        raise UntrustedError(
            f"{name}: the chain was cut off after certificate {last.counter}; it "
            f"went to {counter}"
        )
    if counter == last.counter and head["utc_ms"] < last.body["time"]["utc_ms"]:
        raise UntrustedError(f"{name}: it is older than {last.name}, which it names")
    same = [each for each in chain if each.counter == counter]
    if same and same[0].sha256 != head["sha256"]:
        raise UntrustedError(
            f"{name}: another certificate {counter} stood here than {same[0].name}"
        )
