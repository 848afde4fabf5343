"""Which cards may open the vault, by the policy in force."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from doorsill.config import Config
from doorsill.consent import trust
from doorsill.consent.challenge import Binding
from doorsill.consent.events import Inserted, Moment
from doorsill.errors import UntrustedError
from doorsill.policy.document import ConsentRules, Policy
from doorsill.services.vault_opening import consent_of
from doorsill.vault.surroundings import boot_id


@dataclass(slots=True)
class PolicyInForce:
    """The policy in force; the thread that judges cards reads it as well."""

    policy: Policy


def consent_of_policy(policy: Policy) -> ConsentRules:
    """Its consent part; UntrustedError if it has none: the vault then stays blank."""
    if policy.consent is None:
        raise UntrustedError("the policy in force allows no consent cards")
    return policy.consent


def now() -> Moment:
    """Now, on both clocks."""
    return Moment(time.monotonic(), time.time())


def judge_card(
    rules: PolicyInForce, authority: bytes, certificate: bytes, sealing: bytes
) -> Inserted:
    """The card if it may open this vault now; else UntrustedError with the reason.

    Another policy may come into force at the same time, so the answer says which policy
    the card was judged by.
    """
    policy, utc = rules.policy, time.time()
    consent = consent_of_policy(policy)
    trusted = trust.authority(authority, consent.ca, consent.revoked, utc)
    card = trust.verify(certificate, trusted, policy.site, consent.purposes, utc)
    if sealing:
        key = trust.verify_sealing(sealing, trusted, card, utc)
        card = replace(card, sealing_key=key)
    return Inserted(card, policy.digest)


def binding_of(config: Config, rules: PolicyInForce) -> Binding:
    """What a card's answer is bound to."""
    consent, section = rules.policy.consent, consent_of(config)
    return Binding(
        device=config.device.id,
        boot=boot_id(),
        policy=rules.policy.digest,
        site=rules.policy.site,
        session_s=float(consent.max_seconds) if consent else 0.0,
        needs_line=bool(section.gpio_line),
        lamp_missing=bool(consent and consent.lamp) and not section.lamp_line,
    )
