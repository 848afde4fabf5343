"""``doorsill-fleet init`` and ``serve``."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from doorsill.documents.fields import place_text
from doorsill.errors import ConfigError
from doorsill.office import controller
from doorsill.process.holder import hold_alone
from doorsill_fleet.ca.authority import Authority
from doorsill_fleet.ca.keys import WORDS
from doorsill_fleet.office.chain import (
    Chain,
    Places,
    complete,
    make_chain,
    open_chain,
)
from doorsill_fleet.office.person_keys import Ask, on_cards

log = logging.getLogger(__name__)

STORE = "/etc/credstore.encrypted"  # where systemd looks for a unit's credentials
LOCK = "serve.lock"  # in the folder of a chain: one `serve` at a time


def init(args: argparse.Namespace) -> int:
    """Make the folder; say what goes into the safe, and what `serve` needs."""
    hosts = tuple(dict.fromkeys(args.host or [socket.gethostname(), "localhost"]))
    broker, local = args.broker or hosts[0], args.broker is None
    places = Places(hosts, args.port, broker, args.broker_port, local)
    cards = on_cards(args.card, args.reader, _say)
    made = make_chain(args.folder, places, datetime.now(UTC), _passphrase(args), cards)
    for line in _words(made, sorted(cards), open_keys=args.no_passphrase):
        sys.stdout.write(line + "\n")
    return 0


def serve(args: argparse.Namespace) -> int:
    """Enrol cameras until a signal comes."""
    from doorsill_fleet.ca.keys import open_issuing
    from doorsill_fleet.enrolment.app import Desk
    from doorsill_fleet.enrolment.service import Enrolment
    from doorsill_fleet.enrolment.serving import server
    from doorsill_fleet.registry.register import open_register

    chain = open_chain(args.folder)
    hold_alone(chain.folder / LOCK)
    authority = open_issuing(
        chain, lambda words: sys.stderr.write(f"warning: {words}\n")
    )
    register = open_register(chain.folder)
    desk = Desk(Enrolment(chain, register, authority))
    port = args.port or chain.places.port
    upkeep = partial(_renew, chain, authority)
    upkeep()  # the broker starts with what is new
    made = server(desk.app(), chain.folder, args.listen, port, upkeep)
    # For a signal before uvicorn listens for it; it raises it again at its end.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: setattr(made, "should_exit", True))
    try:
        with _own_broker(chain, args.listen):
            hosts = ", ".join(chain.places.hosts)
            sys.stdout.write(f"cameras enrol at {hosts}, port {port}\n")
            sys.stdout.flush()
            made.run()
    finally:
        made.gate.close()
        register.dispose()
    return 0


def _renew(chain: Chain, authority: Authority) -> None:
    """Renew the fleet's own certificates where they end soon, and say so."""
    for path in complete(chain, authority, datetime.now(UTC)):
        log.info("renewed %s; a copy of it elsewhere wants the new one", path)


@contextmanager
def _own_broker(chain: Chain, listen: str) -> Iterator[None]:
    """The broker beside the server, if this chain has it run here."""
    from doorsill_fleet.broker.local import running

    if not chain.places.local:
        yield
        return
    port = chain.places.broker_port
    _require_free(listen, port)
    with running(chain.broker.absolute(), port):
        sys.stdout.write(f"the broker listens at port {port}\n")
        yield


def _passphrase(args: argparse.Namespace) -> Ask:
    def ask(name: str) -> bytes:
        if args.no_passphrase:
            return b""
        sys.stderr.write(f"for {name}.key: ")
        return controller.new_passphrase()

    return ask


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _words(made: Chain, cards: list[str], *, open_keys: bool) -> list[str]:
    folder, places = made.folder, made.places
    keys = f"{folder / 'safe'}: root, consent CA and controller's key"
    lines = [
        f"made {folder}: cameras enrol at {place_text(places.hosts[0], places.port)}",
        f"  into the safe, twice: {keys}",
        "    take that folder off this machine; sign policies where it is",
        *(f"    the key of {each} is on its card, and nowhere else" for each in cards),
        f"  {folder / 'issuing.key'} stays: `serve` makes cameras with it",
    ]
    if not open_keys:
        lines += [
            "    after a reboot it asks for the passphrase, or systemd hands it over:",
            f"      mkdir -p {STORE}",
            "      systemd-ask-password -n | systemd-creds encrypt "
            f"--name={WORDS} - {STORE}/{WORDS}",
            "      systemctl enable --now doorsill-fleet",
        ]
    if places.local:
        lines.append("  `serve` runs the broker as well; elsewhere: init --broker HOST")
    else:
        install = f"doorsill-fleet broker install {made.broker}"
        lines.append(f"  {made.broker}  is for the broker: {install}")
    if open_keys:
        lines.append("  no file has a passphrase: for a trial, and for nothing else")
    return lines


def _require_free(host: str, port: int) -> None:
    """ConfigError if the port cannot be listened on."""
    try:
        family = socket.getaddrinfo(host, port, flags=socket.AI_PASSIVE)[0][0]
        with socket.create_server((host, port), family=family):
            return
    except OSError as error:
        why = f"cannot listen on {place_text(host, port)}: {error.strerror}"
        raise ConfigError(why) from None
