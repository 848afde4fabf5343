"""The real pcscd with a virtual reader, one for the whole test run.

libpcsclite looks up its socket once in the life of a process, so there is one path.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from cards import Controller

from doorsill.consent.reasons import Reason
from doorsill.consent.token import TokenOut
from doorsill.drivers.token.pcsc import Presence
from doorsill.drivers.token.pcscd import ENVIRONMENT, PrivatePcscd
from doorsill.drivers.token.piv_card import PRESENCE, SEALING
from doorsill.drivers.token.piv_fake import VirtualCard
from doorsill.office import cards

LIMIT_S = 20.0  # far above anything measured: a hang is a failure, not a wait


@functools.cache
def pcscd() -> PrivatePcscd:
    """The daemon of this test run, started on the first call."""
    folder = Path(tempfile.mkdtemp(prefix="doorsill-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    daemon = PrivatePcscd(folder)
    os.environ[ENVIRONMENT] = str(daemon.socket)
    daemon.start()
    atexit.register(daemon.stop)
    return daemon


def made_card(controller: Controller, **changes: object) -> VirtualCard:
    """A card as ``doorsill consent issue`` leaves it, made without the detour."""
    now = changes.pop("utc", time.time())
    card = VirtualCard(t0=bool(changes.pop("t0", False)))
    given = {"not_before": float(now) - 3600, **changes}  # type: ignore[arg-type]
    grant = controller.grant(**given)
    for slot, make in ((PRESENCE, cards.card), (SEALING, cards.sealing)):
        key = cards.ec.generate_private_key(cards.ec.SECP256R1())
        der = cards.der(
            make(controller.ca, controller.key, key.public_key(), grant)  # type: ignore[operator]
        )
        card.load(slot, key, der)
    return card


def until_empty() -> None:
    """pcscd looks at a virtual reader each 0.4 s; wait until it has seen both empty."""
    _until_seen(Reason.REMOVED)


def until_two() -> None:
    """Wait until pcscd has seen a card in both readers."""
    _until_seen(Reason.SECOND_CARD)


def _until_seen(reason: Reason) -> None:
    presence = Presence()
    too_long = threading.Timer(LIMIT_S, presence.close)
    too_long.start()
    seen: list[object] = []
    try:
        for event in presence.events():
            seen.append(event)
            if isinstance(event, TokenOut) and event.reason is reason:
                return
    finally:
        too_long.cancel()
        presence.close()
    raise AssertionError(f"no {reason} within {LIMIT_S:g} s, only {seen}")
