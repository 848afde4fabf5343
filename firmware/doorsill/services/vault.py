"""The vault process: it owns reader and medium, and has neither network nor camera.

    open the medium ─► blank it ─► confine ─► serve until a signal ─► blank it

If anything fails on the way, the key is destroyed and the process ends. The medium then
holds ciphertext without a key, and the next start blanks it first.
"""

from __future__ import annotations

import gc
import logging
import os
import time
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from doorsill.channels.control import Counter
from doorsill.channels.note import Note
from doorsill.channels.tray import Tray
from doorsill.config import Config
from doorsill.consent.events import Inserted
from doorsill.consent.time_floor import floor_s, require_clock
from doorsill.documents import pem
from doorsill.documents.folders import make_folder
from doorsill.errors import UntrustedError
from doorsill.policy.obedience import Obedience
from doorsill.process.confine import Confinement, confine
from doorsill.process.hardening import forbid_core_dumps
from doorsill.process.stopping import listen
from doorsill.process.supervisor import Supervisor
from doorsill.services.policies import store_of
from doorsill.services.vault_cards import PolicyInForce, binding_of, judge_card, now
from doorsill.services.vault_hardware import (
    open_consent_lamp,
    open_key_switch,
    open_token,
    open_watchdog_line,
)
from doorsill.services.vault_loop import Loop, SignsOfLife, Words, serve
from doorsill.services.vault_opening import consent_of, only_one, open_vault
from doorsill.vault import surroundings
from doorsill.vault.keeper import Keeper
from doorsill.vault.outlet import Outlet
from doorsill.vault.token_threads import Attendant
from doorsill.vault.vault import Vault
from doorsill.vault.watchdog import Watchdog

log = logging.getLogger(__name__)


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
        lamp, pin = open_consent_lamp(consent), open_watchdog_line(consent)
        make_folder(config.vault_socket.parent, 0o750)
        counter = Counter(config.vault_socket)
        words = Words(Note(config.reader_note), Note(config.pcscd_note))
        outlet = Outlet(vault.chain, Tray(config.tray))
        supervisor = Supervisor(os.environ)
        keep = Confinement("vault", _writable(config), visible=_visible(config))
        confine(keep)

        def judge(card: bytes, sealing: bytes) -> Inserted:
            require_clock(time.time(), max(floor, vault.known_s))
            return judge_card(rules, authority, card, sealing)

        attendant = Attendant(token, judge, switch)
        keeper = Keeper(vault, attendant, binding_of(config, rules), now, lamp, floor)
        signs = SignsOfLife(supervisor, Watchdog(pin, attendant.sever))
        attendant.start()
        _say_how_it_is(vault, rules, floor)
        supervisor.ready("at work")
        loop = Loop(
            config, keeper, rules, device, counter, obedience, words, outlet, signs
        )
        gc.freeze()  # a collector that walks all of it would hold up the pulses
        try:
            serve(loop, keeper, bell)
        finally:
            outlet.catch_up()
        counter.close()


def _say_how_it_is(vault: Vault, rules: PolicyInForce, floor: float) -> None:
    try:
        require_clock(time.time(), floor)
    except UntrustedError as error:
        log.error("%s", error)
    shut = "without power" if vault.silent else "blank (verified)"
    log.info("vault at work, %s, policy %d", shut, rules.policy.version)


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
