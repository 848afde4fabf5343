"""The sign that has to hang at the door, written from the policy and nothing else.

A shopper reads it before stepping in: who counts, why, what is kept, what is not. The
sentences follow the policy, so the sign cannot promise what the device does not do.
"""

from __future__ import annotations

import textwrap

from doorsill.policy import Policy

WIDTH = 64


def notice_text(policy: Policy) -> str:
    """The sign as plain text, ``WIDTH`` columns, ready to print large."""
    paragraphs = [_counting(policy), _attributes(policy), _faces(policy), _who(policy)]
    rule = "=" * WIDTH
    title = "PEOPLE ARE COUNTED HERE".center(WIDTH).rstrip()
    body = "\n\n".join(textwrap.fill(each, WIDTH) for each in paragraphs)
    return f"{rule}\n{title}\n{rule}\n\n{body}\n\n{_foot(policy)}\n{rule}\n"


def _counting(policy: Policy) -> str:
    return (
        "A camera above this door counts how many people walk in and out. It works out "
        "the count inside the camera. No picture, no face and no video leaves it. "
        "Nobody is recognised, and nobody is followed from one visit to the next. "
        f"Purpose: {policy.purpose}."
    )


def _attributes(policy: Policy) -> str:
    if not policy.attributes:
        return "Age and gender are not estimated."
    return (
        "The camera also estimates apparent age band and apparent gender expression. "
        f"Only totals of at least {policy.k} people leave it, with random noise added "
        "so that no one person can be told from them."
    )


def _faces(policy: Policy) -> str:
    if policy.consent is None:
        return "No face is ever stored."
    minutes = max(1, policy.consent.max_seconds // 60)
    purposes = " and ".join(policy.consent.purposes)
    return (
        "No face is stored, with one exception: people who agreed beforehand, for "
        f"{purposes}, while the person in charge has a consent card in the camera and "
        f"its lamp is on, for at most {minutes} minutes. When the card is taken out, "
        "what was stored is blanked at once."
    )


def _who(policy: Policy) -> str:
    return f"Responsible, and the one to ask or to object to: {policy.controller}."


def _foot(policy: Policy) -> str:
    notice = policy.notice or "none"
    return (
        f"Notice {notice} | site {policy.site} | policy {policy.version}\n"
        f"Policy SHA-256 {policy.digest[:32]}\n               {policy.digest[32:]}"
    )
