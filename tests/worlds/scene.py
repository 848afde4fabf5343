"""A whole consent path in our hands: card, pcscd, gate, vault and medium, no process.

    VirtualCard ─ vpcd ─ pcscd ─ PivToken ─ Attendant ─ Keeper ─ Vault ─ medium

Everything is the product's; ours are the hand with the card, the clock and the crops.
"""

import select
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import virtual
from cards import PURPOSE, SITE, Controller
from limits import wait_until
from vaults import Bench, CropsInHand, consent_policy, crop

from doorsill.consent import trust
from doorsill.consent.challenge import Binding, Challenge
from doorsill.consent.events import Inserted, Moment
from doorsill.consent.gate import State
from doorsill.consent.token import Switch, Token
from doorsill.drivers.media.medium import read_all
from doorsill.drivers.token.pcscd import VirtualSlot
from doorsill.drivers.token.piv import PivToken
from doorsill.drivers.token.piv_fake import VirtualCard
from doorsill.errors import UntrustedError
from doorsill.vault.keeper import Keeper
from doorsill.vault.token_threads import Attendant

LOJA = Controller(utc=time.time() - 86400)
BINDING = Binding("cam-01", "b0b0", consent_policy().digest, SITE, session_s=600.0)
OPEN_S, BLANK_S = 8.0, 12.0  # limits of a wait, far above what is measured


class Scene:
    """Use as a context; ``insert`` then ``until_open`` is the good story."""

    def __init__(
        self,
        home: Path,
        token: Token | None = None,
        switch: Switch | None = None,
        binding: Binding = BINDING,
    ) -> None:
        self.offset = 0.0  # s, by which the wall clock is wrong
        self.controller = LOJA
        self.revoked: tuple[str, ...] = ()
        self.digest = binding.policy  # of the policy by which cards are judged
        self.bench = Bench(home, clock=lambda: self.clock().utc)
        self.bench.vault.start()
        self.slots = [VirtualSlot(virtual.pcscd(), slot) for slot in (0, 1)]
        attendant = Attendant(token or PivToken(), self.judge, switch)
        self.keeper = Keeper(self.bench.vault, attendant, binding, self.clock)
        self.crops = CropsInHand(home / "crops.sock")
        self.keeper.vision.source = self.crops.source
        attendant.start()

    def __enter__(self) -> "Scene":
        return self

    def __exit__(self, *_: object) -> None:
        self.keeper.close()
        self.crops.close()
        self.bench.medium.close()
        for slot in self.slots:
            slot.remove()
        virtual.until_empty()

    def clock(self) -> Moment:
        return Moment(time.monotonic(), time.time() + self.offset)

    def judge(self, card: bytes, sealing: bytes) -> Inserted:
        utc = self.clock().utc
        trusted = self.controller.authority(self.revoked, utc)
        found = trust.verify(card, trusted, SITE, [PURPOSE], utc)
        if sealing:
            key = trust.verify_sealing(sealing, trusted, found, utc)
            found = replace(found, sealing_key=key)
        return Inserted(found, self.digest)

    def insert(self, card: VirtualCard | None = None, slot: int = 0) -> VirtualCard:
        card = card or virtual.made_card(LOJA)
        self.slots[slot].insert(card)
        return card

    def turn(self, seconds: float = 0.05) -> None:
        handle = self.keeper.attendant.fileno()
        limit = min(self.keeper.wait_s(), seconds)
        select.select([handle], [], [], limit)
        self.keeper.turn()

    def until(self, good: Callable[[], object], limit_s: float) -> None:
        wait_until(good, self.keeper.status, limit_s, between=self.turn)

    def spend(self, seconds: float) -> None:
        """Let the product run for a while."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self.turn()

    @property
    def open(self) -> bool:
        return self.keeper.gate.state is State.OPEN

    def until_open(self, crops: int = 3) -> None:
        self.until(lambda: self.open, OPEN_S)
        for seed in range(crops):
            self.hand_over(seed)
        assert self.keeper.status()["sealed"] == crops

    def hand_over(self, seed: int) -> None:
        """Send one crop, with or without a lease, and let the keeper take it."""
        self.crops.send(seed)
        self.keeper.turn()

    def until_blank(self) -> None:
        self.until(lambda: not self.open, BLANK_S)
        self.require_blank()

    def require_blank(self) -> None:
        """Nothing rests, nothing more is taken, and the certificates say so."""
        assert self.bench.vault.session is None
        assert self.bench.vault.verified_blank
        assert read_all(self.bench.medium, b"")[1]
        before = self.keeper.tally.turned_away
        self.hand_over(9)
        assert self.keeper.tally.turned_away == before + 1
        with crop(9) as each, suppress(UntrustedError):
            self.bench.vault.seal(each)
            raise AssertionError("the vault sealed a crop while it was blank")

    def pending(self) -> Challenge:
        """The question that the card has before it now."""
        self.until(lambda: self.keeper.gate.pending, OPEN_S)
        assert self.keeper.gate.pending is not None
        return self.keeper.gate.pending
