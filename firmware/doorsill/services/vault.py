"""The vault process: it owns reader and medium, and has neither network nor camera.

    open the medium ─► blank it ─► confine ─► serve until a signal ─► blank it

If anything fails on the way, the key is destroyed and the process ends. The medium then
holds ciphertext without a key, and the next start blanks it first.
"""

from __future__ import annotations

import logging
import os
import select
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from doorsill.channels.control import Counter, Request
from doorsill.channels.crops import CropSource
from doorsill.channels.note import Note
from doorsill.channels.tray import Tray
from doorsill.config import Config
from doorsill.consent import trust
from doorsill.consent.challenge import Binding
from doorsill.consent.events import Inserted, Moment
from doorsill.consent.reasons import Reason
from doorsill.consent.time_floor import floor_s, require_clock
from doorsill.device.identity import Identity
from doorsill.documents import pem
from doorsill.documents.folders import make_folder
from doorsill.errors import DoorsillError, UntrustedError
from doorsill.policy.document import ConsentRules, Policy
from doorsill.policy.obedience import Obedience
from doorsill.process.confine import Confinement, confine
from doorsill.process.hardening import forbid_core_dumps
from doorsill.process.stopping import listen
from doorsill.process.supervisor import Supervisor
from doorsill.services.policies import store_of
from doorsill.services.vault_hardware import (
    open_consent_lamp,
    open_key_switch,
    open_token,
)
from doorsill.services.vault_opening import (
    consent_of,
    only_one,
    open_vault,
)
from doorsill.vault import surroundings
from doorsill.vault.keeper import Keeper
from doorsill.vault.outlet import Outlet
from doorsill.vault.surroundings import boot_id
from doorsill.vault.token_threads import Attendant

log = logging.getLogger(__name__)

RECONNECT_S = 0.5  # between two attempts to connect to vision


@dataclass(slots=True)
class PolicyInForce:
    """The policy in force; the thread that judges cards reads it as well."""

    policy: Policy


def consent_of_policy(policy: Policy) -> ConsentRules:
    """Its consent part; UntrustedError if it has none: the vault then stays blank."""
    if policy.consent is None:
        raise UntrustedError("the policy in force allows no consent cards")
    return policy.consent


def main(config: Config) -> None:
    """Run until SIGTERM; raises DoorsillError if it must not go on."""
    bell = listen().bell()
    forbid_core_dumps()
    consent = consent_of(config)
    with only_one(config), open_vault(config) as (vault, device):
        obedience = Obedience(config.policy_in_force)
        rules = PolicyInForce(store_of(config).load())
        ca = pem.read_certificate(consent.ca)
        authority = ca.public_bytes(serialization.Encoding.DER)
        floor = floor_s(vault.known_s, config.policy_in_force, ca)
        token, switch = open_token(consent), open_key_switch(consent)
        lamp = open_consent_lamp(consent)
        make_folder(config.vault_socket.parent, 0o750)
        counter = Counter(config.vault_socket)
        note = Note(config.reader_note)
        outlet = Outlet(vault.chain, Tray(config.tray))
        supervisor = Supervisor(os.environ)
        keep = Confinement("vault", _writable(config), visible=_visible(config))
        confine(keep)

        def judge(card: bytes, sealing: bytes) -> Inserted:
            require_clock(time.time(), max(floor, vault.known_s))
            return judge_card(rules, authority, card, sealing)

        attendant = Attendant(token, judge, switch)
        keeper = Keeper(vault, attendant, binding_of(config, rules), now, lamp, floor)
        attendant.start()
        try:
            require_clock(time.time(), floor)
        except UntrustedError as error:
            log.error("%s", error)
        shut = "without power" if vault.silent else "blank (verified)"
        log.info("vault at work, %s, policy %d", shut, rules.policy.version)
        supervisor.ready("at work")
        loop = _Loop(config, keeper, rules, device, counter, obedience, note, outlet)
        try:
            _serve(loop, keeper, bell, supervisor)
        finally:
            outlet.catch_up()
        counter.close()


def _serve(loop: _Loop, keeper: Keeper, bell: int, supervisor: Supervisor) -> None:
    """Run ``loop`` until ``bell`` rings; the vault is blank when this is left."""
    try:
        loop.run(bell, supervisor)
        supervisor.stopping()
    except BaseException:
        with suppress(DoorsillError):
            keeper.end(Reason.SHUTDOWN)
        raise
    keeper.end(Reason.SHUTDOWN)


class _Loop:
    """Waits for the next event, crop or question, and hands it to the keeper."""

    def __init__(
        self,
        config: Config,
        keeper: Keeper,
        rules: PolicyInForce,
        device: Identity,
        counter: Counter,
        obedience: Obedience,
        note: Note,
        outlet: Outlet,
    ) -> None:
        self._config = config
        self._keeper = keeper
        self._rules = rules
        self._device = device
        self._counter = counter
        self._obedience = obedience
        self._note = note
        self._outlet = outlet
        self._connect_at = 0.0

    def run(self, bell: int, supervisor: Supervisor) -> None:
        """Until ``bell`` rings; each turn is a sign of life."""
        while True:
            supervisor.alive(time.monotonic())
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
        self._note.say(word, time.monotonic())

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


def _writable(config: Config) -> list[Path]:
    """Where the vault may write.

    A FIDO2 key is a device file that comes and goes below /dev; a card is behind pcscd.
    """
    keys = [Path("/dev")] if consent_of(config).token != "piv" else []  # noqa: S105
    return [config.vault_folder, *keys]


def _visible(config: Config) -> list[Path]:
    """What the vault may read: the policy, the machine, and its two sockets."""
    daemon = os.environ.get("PCSCLITE_CSOCK_NAME", "/run/pcscd/pcscd.comm")
    files = (config.policy_in_force, config.controller_key, Path(daemon))
    folders = [each.parent for each in files]
    return [config.device.run, *folders, *surroundings.READ]
