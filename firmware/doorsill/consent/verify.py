"""Check a chain of blanking certificates offline, with nothing but the device CA.

Stand-alone: it knows the fixed words of a certificate and nothing of the vault. Every
refusal is one sentence. What passes is still only a claim of the device that signed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from doorsill import canonical
from doorsill.consent import claims
from doorsill.consent.examine import (
    Document,
    Verified,
    check_head_form,
    verify_one,
)
from doorsill.errors import UntrustedError


@dataclass(frozen=True, slots=True)
class Expected:
    """What the inspector knows from elsewhere; None where nothing."""

    device: str | None = None
    whole: bool = True  # the chain must begin at certificate 1
    at_least: int = 0  # the chain must reach this counter


def verify_chain(
    documents: Sequence[Document],
    head: Document | None,
    authority: x509.Certificate,
    expected: Expected,
) -> list[Verified]:
    """The certificates in ``documents``, all good and in order.

    Raises UntrustedError with the name of the first that is not, and why.
    """
    if not documents:
        raise UntrustedError("there is no certificate to verify")
    chain = [verify_one(each, authority) for each in documents]
    _check_first(chain[0], expected)
    for before, after in itertools.pairwise(chain):
        _check_link(before, after)
    if chain[-1].counter < expected.at_least:
        raise UntrustedError(
            f"the chain ends at certificate {chain[-1].counter}; certificate "
            f"{expected.at_least} is known to exist"
        )
    if head is not None:
        _check_head(head, chain)
    return chain


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
    _check_writes(before, after)


def _missing(first: int, last: int) -> str:
    if first == last:
        return f"certificate {first} is missing"
    return f"certificates {first} to {last} are missing"


def _check_writes(before: Verified, after: Verified) -> None:
    if before.body["boot"] != after.body["boot"]:
        return
    earlier = before.body["system"]["sectors_written"]
    for device, sectors in after.body["system"]["sectors_written"].items():
        if sectors < earlier.get(device, 0):
            raise UntrustedError(
                f"{after.name}: the sectors written to {device} go back from "
                f"{earlier[device]} to {sectors} within one boot"
            )


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
    same = [each for each in chain if each.counter == counter]
    if same and same[0].sha256 != head["sha256"]:
        raise UntrustedError(
            f"{name}: another certificate {counter} stood here than {same[0].name}"
        )
