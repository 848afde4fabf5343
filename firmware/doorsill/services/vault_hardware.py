"""What the configuration names for the vault: token, switch, lamp, board.

A driver is loaded only if it is named: most vaults have a card and nothing else.
"""

from __future__ import annotations

from doorsill.config import ConsentSection
from doorsill.consent.token import Lamp, Pulse, Switch, Token

ENROLLED_NAME = "consent-keys"  # beside the consent CA: the FIDO2 keys that may open


def open_token(consent: ConsentSection) -> Token:
    """The token driver that the configuration names."""
    if consent.token == "piv":  # noqa: S105 - a kind of token, no secret
        from doorsill.drivers.token.piv import PivToken

        return PivToken(consent.reader)
    from doorsill.consent.enrolled import read_enrolled
    from doorsill.drivers.token.fido import FidoToken

    return FidoToken(read_enrolled(consent.ca.parent / ENROLLED_NAME))


def open_key_switch(consent: ConsentSection) -> Switch | None:
    """The key switch that must be on as well, if one is configured."""
    if not consent.gpio_line:
        return None
    from doorsill.drivers.gpio.line import open_switch

    return open_switch(consent.gpio_line)


def open_consent_lamp(consent: ConsentSection) -> Lamp | None:
    """The lamp that is lit while the vault is open, if one is configured."""
    if not consent.lamp_line:
        return None
    from doorsill.drivers.gpio.lamp import open_lamp

    return open_lamp(consent.lamp_line)


def open_watchdog_line(consent: ConsentSection) -> Pulse | None:
    """The pin that keeps the interlock's memory powered, if one is configured."""
    if not consent.watchdog_line:
        return None
    from doorsill.drivers.gpio.watchdog import open_watchdog

    return open_watchdog(consent.watchdog_line)
