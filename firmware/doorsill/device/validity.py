"""Whether certificates are good at a moment: all of a file, both ends. Pure.

chain    ours, then who issued it …    each must be good
bundle   the CAs that we trust         one must be good, and the chain's should be in it
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from doorsill.device.fault import Fault
from doorsill.documents.strict_x509 import revoked_by
from doorsill.errors import UntrustedError

SOON = timedelta(days=30)  # before its end a certificate is reported
RENEW = "have the fleet issue a new certificate"
CLOCK = "set the clock: timedatectl; or have another certificate issued"


def of_chain(
    path: Path, chain: Sequence[x509.Certificate], now: datetime
) -> Iterator[Fault]:
    """What is wrong with our own certificate and those that it came with."""
    for number, each in enumerate(chain):
        which = str(path) if not number else f"{path}, the issuing CA {_name(each)},"
        yield from _of_one(which, each, now)


def of_bundle(
    path: Path, bundle: Sequence[x509.Certificate], now: datetime
) -> Iterator[Fault]:
    """What is wrong with the CAs that we trust; one good CA is enough."""
    good = [each for each in bundle if not any(_bad(path, each, now))]
    for each in bundle:
        for fault in _of_one(f"{path}, CA {_name(each)},", each, now):
            hidden = bool(good) and not fault.warning
            yield Fault(fault.says, fault.step, fault.warning or hidden)


def of_issuer(
    path: Path, chain: Sequence[x509.Certificate], bundle: Sequence[x509.Certificate]
) -> Iterator[Fault]:
    """A warning unless a CA that we trust issued our certificate, as in a fleet."""
    if any(_has_issued(ca, each) for ca in bundle for each in chain):
        return
    issuer = chain[0].issuer.rfc4514_string()
    yield Fault(
        f"{path} was issued by {issuer}, which is not among the CAs in broker.ca",
        "doorsill check --connect says whether the broker takes it",
        warning=True,
    )


def of_list(
    path: Path, data: bytes, bundle: Sequence[x509.Certificate], now: datetime
) -> Iterator[Fault]:
    """What is wrong with a list of revoked certificates: it must be of a CA of ours."""
    said = ""
    for ca in bundle:
        try:
            revoked_by(data, ca, now.timestamp(), "broker's CA")
        except UntrustedError as error:
            said = str(error)
        else:
            return
    yield Fault(f"{path}: {said}", "fetch the list of the fleet's CA again")


def _of_one(which: str, each: x509.Certificate, now: datetime) -> Iterator[Fault]:
    starts, ends = each.not_valid_before_utc, each.not_valid_after_utc
    if now < starts:
        says = f"{which} is valid only from {starts:%Y-%m-%d}; is the clock right?"
        yield Fault(says, CLOCK)
    elif now > ends:
        yield Fault(f"{which} expired on {ends:%Y-%m-%d}", RENEW)
    elif now > ends - SOON:
        says = f"{which} expires on {ends:%Y-%m-%d}, in less than {SOON.days} days"
        yield Fault(says, RENEW, warning=True)


def _bad(path: Path, each: x509.Certificate, now: datetime) -> Iterator[Fault]:
    return (fault for fault in _of_one(str(path), each, now) if not fault.warning)


def _has_issued(ca: x509.Certificate, each: x509.Certificate) -> bool:
    try:
        each.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _name(each: x509.Certificate) -> str:
    return each.subject.rfc4514_string()
