"""Enrol a FIDO2 key: its two certificates go into a file, for ``consent-keys``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from doorsill.consent import trust
from doorsill.consent.trust import ConsentCertificate
from doorsill.documents.durable import put
from doorsill.documents.files import require_new
from doorsill.drivers.token.fido import enrol_one
from doorsill.drivers.token.fido_ports import Finder, plugged_in
from doorsill.office import cards
from doorsill.office.cards import Grant
from doorsill.office.piv import Office


def enrol_key(
    office: Office,
    grant: Grant,
    path: Path,
    say: Callable[[str], None],
    finder: Finder = plugged_in,
    ask_pin: Callable[[], str | None] = lambda: None,
) -> ConsentCertificate:
    """Make a credential on the one key that is plugged in, and write ``path``."""
    require_new(path)
    say("touch the FIDO2 key, and once more when it blinks again")
    made = enrol_one(finder, grant.holder, ask_pin)
    presence = cards.card(office.ca, office.key, made.public, grant, made.credential)
    sealing = cards.sealing(office.ca, office.key, made.sealing, grant)
    pem = (
        each.public_bytes(serialization.Encoding.PEM) for each in (presence, sealing)
    )
    put(path, b"".join(pem))
    say(f"wrote {path}; it goes to consent-keys/ beside the CA on each device")
    utc = grant.not_before
    authority = trust.authority(cards.der(office.ca), office.pin, (), utc)
    purposes = [grant.purpose]
    return trust.verify(cards.der(presence), authority, grant.site, purposes, utc)
