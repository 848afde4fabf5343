"""How the consent commands speak to a person."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from doorsill.consent.trust import ConsentCertificate


def describe_card(card: ConsentCertificate) -> str:
    """Whose card it is, and what it opens until when."""
    ends = datetime.fromtimestamp(card.not_after, UTC)
    return (
        f"{card.holder}'s card, for {card.purpose} at {card.site}, "
        f"until {ends:%Y-%m-%d %H:%M} UTC"
    )


def say(text: str) -> None:
    """One line, at once: a person stands there with a card in hand."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
