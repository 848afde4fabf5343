"""Joins gate, card, vault and vision: every event becomes a step of the gate.

    attendant ─ events ─► gate.step ─ Opened, Closed, Ask ─► vault, vision, card
    vision ──── crops ──► only while the gate is open ─────► vault.seal

Events are handled before crops, and again before each crop: a pulled card is known
before the next crop is touched. A disk may delay this thread, but not the end of the
key: the thread that hears of the pull destroys it, and a deadman destroys it if no
thread hears anything.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from doorsill.channels.crops import Crop
from doorsill.channels.vision_presence import VisionPresence
from doorsill.consent import gate
from doorsill.consent.challenge import NONCE_BYTES, Binding
from doorsill.consent.events import (
    Answered,
    Ask,
    Closed,
    Event,
    Inserted,
    Lost,
    Moment,
    Opened,
    Rebound,
    Refused,
    Tick,
)
from doorsill.consent.gate import ANSWER_MAX_AGE_S, Gate
from doorsill.consent.reasons import WORDS, Reason
from doorsill.consent.token import Lamp, TokenIn
from doorsill.device.identity import Identity
from doorsill.errors import DoorsillError, UntrustedError
from doorsill.policy.document import Policy
from doorsill.process.deadman import Deadman
from doorsill.vault import export
from doorsill.vault.lamp import Light
from doorsill.vault.status import VaultStatus, describe_status, reader_of
from doorsill.vault.token_threads import Attendant
from doorsill.vault.vault import Vault

log = logging.getLogger(__name__)

RETRY_S = 2.0  # wait before a card that failed for a passing reason is read again
CHECK_EVERY_S = 3600.0  # between two read-backs of the medium
CROPS_AT_ONCE = 4  # crops taken before events are handled again

Clock = Callable[[], Moment]


class Keeper:
    """One thread decides; it never waits for a card or for a person."""

    def __init__(
        self,
        vault: Vault,
        attendant: Attendant,
        binding: Binding,
        clock: Clock,
        lamp: Lamp | None = None,
        floor: float = 0.0,
    ) -> None:
        """``floor`` is the earliest UTC in s that a right clock can show now."""
        self.vault = vault
        self._lamp = Light(lamp)
        self.attendant = attendant
        self.vision = VisionPresence()
        self.tally = VaultStatus()
        self.gate = Gate(binding, clock(), floor=floor)
        self._clock = clock
        self._retry = float("inf")
        self._check_at = self._now + CHECK_EVERY_S
        self._deadman = Deadman(self._sever, lambda: self._now)
        attendant.sever = self._sever

    @property
    def _now(self) -> float:
        return self._clock().monotonic

    def wait_s(self) -> float:
        """For how many seconds nothing is due, one at most."""
        due = min(gate.deadline(self.gate), self._retry, self._check_at)
        return max(0.0, min(1.0, due - self._now))

    def turn(self) -> None:
        """Take every event, do what is due, then take a few crops."""
        self._events()
        self.step(Tick())
        if self.vault.severed:  # the deadman was in time, though this thread was late
            self.step(Lost(Reason.MISSED_BEAT))
        if self._now >= self._retry:
            self._retry = float("inf")
            if self.gate.card is None:
                self.attendant.inspect()
        if self._now >= self._check_at:
            self._check_at = self._now + CHECK_EVERY_S
            self._check_medium()
        for _ in range(CROPS_AT_ONCE):
            if not self._crop():
                return

    def step(self, event: Event) -> None:
        """Make one step of the gate, and do what it asks for."""
        if self.vault.known_s > self.gate.floor:
            self.gate = replace(self.gate, floor=self.vault.known_s)
        self.gate, actions = gate.step(
            self.gate, event, self._clock(), os.urandom(NONCE_BYTES)
        )
        for action in actions:
            if isinstance(action, Closed):
                self._shut(action.reason)
            elif isinstance(action, Refused):
                self._note_refusal(action.reason)
            elif isinstance(action, Ask):
                self.attendant.ask(action.challenge)
            elif isinstance(action, Opened):
                self._open(action)
        self._deadman.set(gate.ends(self.gate))
        if isinstance(event, Answered) and self.gate.lease is not None:
            self._light()  # with each answer again: the lamp may have failed since
        if isinstance(event, Answered) and self.gate.lease is not None:
            self.vision.lease(self.gate.fresh + ANSWER_MAX_AGE_S)

    def rebind(self, policy: Policy, binding: Binding) -> None:
        """Follow another policy; a session under the old one is closed first."""
        self.step(Rebound(binding))
        self.vault.rebind(policy)
        self._retry = self._now

    def blank_on_order(self) -> Path:
        """Blank because a person asked for it; returns the certificate.

        The card does not open the vault again until it is put in again. Raises
        UntrustedError if the medium is not blank when it is read back.
        """
        path = self._blank(Reason.ORDERED)
        self._retry = float("inf")
        return path

    def end(self, reason: Reason) -> Path:
        """Shut and blank for good; returns the certificate.

        Raises UntrustedError if the medium is not blank when it is read back.
        """
        try:
            return self._blank(reason)
        finally:
            self.close()

    def close(self) -> None:
        """End the threads and let the lamp go; nothing is blanked or certified."""
        self._deadman.close()
        self.attendant.close()
        self._lamp.close()

    def _blank(self, reason: Reason) -> Path:
        before = self.vault.last
        self.step(Lost(reason))
        last = self.vault.last
        return last if last and last != before else self.vault.blank(str(reason))

    def status(self) -> dict[str, Any]:
        """What a person may know: no face, no key, no name of a person."""
        reader, name = self.reader
        card_in = isinstance(self.attendant.last, TokenIn)
        more = {"reader": reader, "reader_name": name, "card_in": card_in}
        return (
            describe_status(self.gate.state, self.vault, self._lamp.says, self.tally)
            | more
        )

    @property
    def reader(self) -> tuple[str, str]:
        """A word for the state of the reader, and its name or what is wrong with it."""
        return reader_of(self.attendant.last, self.attendant.hangs)

    def export(self, device: Identity) -> tuple[dict[str, Any], int]:
        """The open session as a memfd, whose handle the caller closes.

        Raises UntrustedError if nothing is open, the card goes meanwhile, or the medium
        cannot be read.
        """
        gate.require_lease(self.gate, self._clock())
        session = self.vault.session
        if session is None:
            raise UntrustedError("the vault is blank: no card has just answered")
        head = export.header(session, device)
        handle = os.memfd_create("export", os.MFD_CLOEXEC)
        try:
            os.write(handle, head)
            for record in self.vault.sealed_records():
                os.write(handle, record)
                self._events()  # the card may go meanwhile, and must be asked
                self.step(Tick())
                if self.vault.session is not session:
                    raise UntrustedError("the card went while the export was made")
        except BaseException:
            os.close(handle)
            raise
        return {"crops": len(session.records)}, handle

    def _sever(self, reason: Reason | None = None) -> None:
        """End sealing and reading, in any thread, and take vision's lease away.

        Without a ``reason`` time alone ended it, and the gate says which limit.
        """
        self.vault.sever(reason)
        self.vision.stop()

    def _events(self) -> None:
        for event in self.attendant.take():
            if isinstance(event, Lost):
                self._note(event.reason)
            if isinstance(event, Inserted) and event.card == self.gate.card:
                continue  # read again without a removal: this is no second insertion
            self.step(event)

    def _note(self, reason: Reason) -> None:
        self.tally.last_card = WORDS[reason]
        if self.attendant.present and not reason.lasting:
            self._retry = self._now + RETRY_S

    def _open(self, action: Opened) -> None:
        if not self._light():
            return
        try:
            self.vault.open(action.lease)
        except DoorsillError as error:
            log.error("the vault does not open: %s", error)
            self.step(Lost(Reason.MEDIUM))
            return
        self.tally.sessions += 1

    def _shut(self, reason: Reason) -> None:
        """End hand-over and sealing first; then blank and certify."""
        session = self.vault.revoke()
        if session is not None and session.severed_for is not None:
            reason = Reason(session.severed_for)  # another thread knew it first
        self.vision.lease(0.0)
        self._lamp.off()
        destroyed_at = session.key.destroyed_at if session else None
        if reason in self.attendant.gone and destroyed_at is not None:
            late_us = round((destroyed_at - self.attendant.gone[reason]) * 1e6)
            self.tally.shut_after_us = [*self.tally.shut_after_us[-999:], late_us]
        self.tally.last_reason = str(reason)
        self.vault.finish(session, str(reason))
        self._note(reason)

    def _light(self) -> bool:
        """Light the lamp, or shut the vault; True if it is lit or there is none."""
        lit = self._lamp.on()
        if not lit:
            self.step(Lost(Reason.LAMP))
        return lit

    def _note_refusal(self, reason: Reason) -> None:
        log.warning("the card does not open the vault: %s", WORDS[reason])
        self._note(reason)

    def _crop(self) -> bool:
        """Take one crop if there is one; returns whether there was."""
        crop = self.vision.receive()
        if crop is None:
            return False
        try:
            self._take(crop)
        finally:
            crop.close()
        return True

    def _take(self, crop: Crop) -> None:
        self._events()
        self.step(Tick())  # time alone may have ended the session
        if self.vault.session is None:
            self.tally.turned_away += 1
            return
        try:
            self.vault.require_room(crop.size)
        except UntrustedError as error:
            log.info("the session ends: %s", error)
            self.step(Lost(Reason.LIMIT))
            return
        try:
            self.vault.seal(crop)
        except DoorsillError as error:
            self._fail("a crop could not be sealed", error)
            return
        self.tally.sealed += 1

    def _fail(self, what: str, error: DoorsillError) -> None:
        """Shut: because of the card if it is gone, else because of the medium."""
        if self.vault.severed:
            self._events()
            self.step(Tick())
            self.step(Lost(Reason.MISSED_BEAT))
        elif self.vault.session is not None:
            log.error("%s: %s", what, error)
            self.step(Lost(Reason.MEDIUM))

    def _check_medium(self) -> None:
        self._events()
        was_open = self.vault.session is not None
        try:
            if self.vault.check():
                return
        except DoorsillError as error:
            self._fail("the medium cannot be read back", error)
        if was_open:
            self.step(Lost(Reason.MEDIUM))
        else:
            self.vault.blank(Reason.MEDIUM)
