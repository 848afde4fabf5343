"""The vault's loop: events, crops and questions, one after the other."""

from __future__ import annotations

import logging
import os
import select
import time
from contextlib import suppress
from dataclasses import dataclass

from doorsill.channels.control import Counter, Request
from doorsill.channels.crops import CropSource
from doorsill.channels.note import Note
from doorsill.config import Config
from doorsill.consent.reasons import Reason
from doorsill.device.identity import Identity
from doorsill.errors import DoorsillError, UntrustedError
from doorsill.policy.obedience import Obedience
from doorsill.process.supervisor import Supervisor
from doorsill.services.policies import store_of
from doorsill.services.vault_cards import PolicyInForce, binding_of
from doorsill.services.vault_opening import consent_of
from doorsill.vault.keeper import Keeper
from doorsill.vault.outlet import Outlet
from doorsill.vault.watchdog import Watchdog

log = logging.getLogger(__name__)

RECONNECT_S = 0.5  # between two attempts to connect to vision
HANGS, ANSWERS = "hangs", "answers"  # what doorsill-pcscd.service reads of pcscd


@dataclass(frozen=True, slots=True)
class SignsOfLife:
    """Who hears that the loop lives: systemd, and the board that powers the memory."""

    supervisor: Supervisor
    watchdog: Watchdog

    def give(self) -> None:
        """One turn of the loop begins."""
        self.supervisor.alive(time.monotonic())
        self.watchdog.feed()


@dataclass(slots=True)
class Words:
    """What the vault says to others on its reader: to the uplink, and to systemd."""

    reader: Note
    pcscd: Note
    called: bool = False  # whether another pcscd was asked for at the last turn

    def say(self, word: str, hangs: bool, now: float) -> None:
        """The reader's ``word``; ``hangs``: pcscd is to be ended, and starts again."""
        self.reader.say(word, now)
        if hangs or self.called:  # each word there starts a process
            self.pcscd.say(HANGS if hangs else ANSWERS, now)
        if hangs and not self.called:
            log.error("pcscd hangs, and is asked to be started again")
        self.called = hangs


def serve(loop: Loop, keeper: Keeper, bell: int) -> None:
    """Run ``loop`` until ``bell`` rings; the vault is blank when this is left.

    The memory keeps its power until then.
    """
    try:
        loop.run(bell)
        loop.signs.supervisor.stopping()
    except BaseException:
        with suppress(DoorsillError):
            keeper.end(Reason.SHUTDOWN)
        raise
    else:
        keeper.end(Reason.SHUTDOWN)
    finally:
        with suppress(UntrustedError):
            loop.signs.watchdog.close()


class Loop:
    """Waits for the next event, crop or question, and hands it to the keeper."""

    def __init__(
        self,
        config: Config,
        keeper: Keeper,
        rules: PolicyInForce,
        device: Identity,
        counter: Counter,
        obedience: Obedience,
        words: Words,
        outlet: Outlet,
        signs: SignsOfLife,
    ) -> None:
        self._config = config
        self._keeper = keeper
        self._rules = rules
        self._device = device
        self._counter = counter
        self._obedience = obedience
        self._words = words
        self._outlet = outlet
        self.signs = signs
        self._connect_at = 0.0

    def run(self, bell: int) -> None:
        """Until ``bell`` rings; each turn is a sign of life."""
        while True:
            self.signs.give()
            self._connect()
            self._follow_policy()
            waiting = [bell, self._keeper.attendant.fileno()]
            waiting += [each.fileno() for each in self._counter.sockets()]
            if self._keeper.vision.source is not None:
                waiting.append(self._keeper.vision.source.fileno())
            limit = min(self._keeper.wait_s(), RECONNECT_S)
            if bell in select.select(waiting, [], [], limit)[0]:
                return
            self._keeper.turn()
            self._leave_word()
            self._outlet.catch_up()
            for request in self._counter.take():
                self._answer(request)

    def _leave_word(self) -> None:
        """Leave one word on the reader: all that the uplink may know of the vault."""
        piv = consent_of(self._config).token == "piv"  # noqa: S105 - a kind of token
        word = self._keeper.reader[0] if piv else "unused"
        self._words.say(word, self._keeper.attendant.hangs, time.monotonic())

    def _connect(self) -> None:
        if (
            self._keeper.vision.source is not None
            or time.monotonic() < self._connect_at
        ):
            return
        self._connect_at = time.monotonic() + RECONNECT_S
        try:
            self._keeper.vision.source = CropSource(self._config.face_socket)
        except UntrustedError as error:
            log.debug("%s", error)

    def _follow_policy(self) -> None:
        if not self._obedience.is_replaced():
            return
        self._obedience.renew()
        policy = store_of(self._config).load()
        if policy != self._rules.policy:
            self._rules.policy = policy
            self._keeper.rebind(policy, binding_of(self._config, self._rules))

    def _answer(self, request: Request) -> None:
        handle = None
        try:
            if request.word == "status":
                reply = self._keeper.status()
                reply["policy"] = self._rules.policy.digest
                reply["watchdog"] = self.signs.watchdog.says
                reply["late_pulses"] = self.signs.watchdog.late
            elif request.word == "export":
                reply, handle = self._keeper.export(self._device)
            else:
                name = self._keeper.blank_on_order().name
                verified = self._keeper.vault.verified_blank
                reply = {"certificate": name, "verified_blank": verified}
        except DoorsillError as error:
            reply = {"refused": str(error)}
        request.answer(reply, handle)
        if handle is not None:
            os.close(handle)
