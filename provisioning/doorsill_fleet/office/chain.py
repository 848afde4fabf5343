"""The folder of a chain of shops: its authorities, its broker, its register.

    fleet/safe/root.key, consent-ca.key, controller.key     a person's: into the safe;
                                       .key.pub where the key is on a PIV card
    fleet/issuing.key, issuing.pem     signs cameras' certificates; `serve` needs it
    fleet/root.pem                     what every camera trusts
    fleet/charter.json                 the root's word: the controller, the consent CA
    fleet/fleet.toml                   where cameras find the fleet and the broker
    fleet/server.pem, .key             of `serve`
    fleet/reader-store.pem, .key       of `receive`; reader-store-2 of a second worker
    fleet/office.pem, .key             of `policy push`
    fleet/policies/porto-1.json        signed, for each shop
    fleet/broker/                      all files for the broker's machine

The online machine can make cameras, and nothing else: what cameras may do is signed by
the controller's key, and that this key is the controller's is signed by the root.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from doorsill.documents import canonical, charter, pem
from doorsill.documents.canonical import PrivateKey
from doorsill.documents.durable import put
from doorsill.documents.fields import HOST, PORT_MOST, Fields, place_text
from doorsill.documents.reading import parse_toml, read_file
from doorsill.errors import ConfigError
from doorsill.office import cards
from doorsill.office.card_key import CardKey
from doorsill_fleet.broker.mosquitto import configuration, listener
from doorsill_fleet.ca.authority import Authority, pem_of
from doorsill_fleet.office.camera_folder import AT_THE_BROKER, READER
from doorsill_fleet.office.new_folder import (
    make_private,
    require_host,
    require_new,
    require_own,
    whole,
)
from doorsill_fleet.office.own_certificates import Own, of_fleet, renew
from doorsill_fleet.office.person_keys import (
    CONSENT,
    CONTROLLER,
    ROOT,
    Ask,
    PersonKeys,
    public_pem,
)

HOSTS_MOST = 64  # names and addresses of one server
CONSENT_DAYS = 3650  # validity of the consent CA, in days
READERS = (READER, f"{READER}-2")  # one for each worker that fills the store
SERVER = "server"  # in a broker's folder: where `serve` is, for `broker follow`
SECRETS = (ROOT, "issuing", CONSENT, CONTROLLER)  # keys that a person guards


@dataclass(frozen=True, slots=True)
class Places:
    """Under which names and ports cameras reach the fleet and the broker."""

    hosts: tuple[str, ...]
    port: int
    broker: str  # host name; the first of ``hosts`` where it runs on this machine
    broker_port: int
    local: bool = False  # whether `serve` runs the broker


@dataclass(frozen=True, slots=True)
class Chain:
    """The folder, after :func:`make_chain` has made it."""

    folder: Path
    places: Places

    @property
    def broker(self) -> Path:
        """The files for the broker's machine."""
        return self.folder / "broker"

    @property
    def root(self) -> x509.Certificate:
        """The certificate that every camera trusts."""
        return pem.read_certificate(self.folder / "root.pem")

    @property
    def issuing(self) -> x509.Certificate:
        """The certificate of the CA that signs cameras' certificates."""
        return pem.read_certificate(self.folder / "issuing.pem")

    def policy_of(self, site: str) -> bytes | None:
        """The signed policy of ``site``, or None if there is none yet."""
        path = self.folder / "policies" / f"{site}.json"
        return read_file(path) if path.exists() else None


def make_chain(
    folder: Path,
    places: Places,
    now: datetime,
    ask: Ask,
    on_cards: Mapping[str, CardKey] | None = None,
) -> Chain:
    """Make the folder; ConfigError if it exists, or a name cannot be one.

    ``ask`` gives a new passphrase for each of SECRETS but those in ``on_cards``.
    """
    require_new(folder)
    for host in (*places.hosts, places.broker):
        require_host(host)
    keys = PersonKeys(ask, on_cards or {})
    words = keys.passphrases(SECRETS)
    with whole(folder) as part:
        _fill(Chain(part, places), keys, words, now)
        # The broker's settings name the folder in which they will lie.
        for path, text in settings(Chain(folder, places)).items():
            put(part / path.relative_to(folder), text)
    return Chain(folder, places)


def _fill(
    made: Chain, keys: PersonKeys, words: Mapping[str, bytes], now: datetime
) -> None:
    """All but the broker's settings, in the folder of ``made``.

    The root signs last, so that a person with one reader puts each card in once.
    """
    part, safe = made.folder, made.folder / "safe"
    for each in (safe, made.broker, part / "policies"):
        make_private(each)
    public = public_pem(keys.take(CONTROLLER, safe, words).public_key())
    consent = _make_consent(keys.take(CONSENT, safe, words), safe, now)
    key = keys.take(ROOT, safe, words)
    root = Authority.create("doorsill root", now, below=1, key=key)
    issuing = root.delegate("doorsill issuing", now)
    pem.write_key(part / "issuing.key", issuing.key, words["issuing"])
    put(part / "issuing.pem", pem_of(issuing.certificate))
    for each in (part, safe):
        put(each / "root.pem", pem_of(root.certificate))
    put(part / "controller.key.pub", public)
    put(part / "consent-ca.pem", consent)
    said = charter.Charter(public, consent)
    put(part / "charter.json", canonical.seal(charter.body_of(said), root.key))
    _make_servers(made, issuing, now)
    put(part / "fleet.toml", _settings(made.places).encode())


def open_chain(folder: Path) -> Chain:
    """The chain in ``folder``; ConfigError if there is none, or another user has it."""
    require_own(folder)
    return Chain(folder, places_in(folder))


def places_in(folder: Path) -> Places:
    """What ``folder`` says of server and broker; ConfigError if it is no fleet's."""
    path = folder / "fleet.toml"
    if not path.is_file():
        raise ConfigError(
            f"{folder} is no fleet; make one: doorsill-fleet init --folder {folder}"
        )
    try:
        return _places(parse_toml(read_file(path)))
    except ConfigError as error:
        raise error.of(path) from None


def _places(found: dict[str, Any]) -> Places:
    """What a person may have changed since init wrote it."""
    problems: list[str] = []
    fleet = Fields("fleet", found.get("fleet"), problems)
    broker = Fields("broker", found.get("broker"), problems)
    places = Places(
        fleet.texts("hosts", HOST, HOSTS_MOST),
        fleet.whole("port", 1, PORT_MOST),
        broker.text("host", HOST, 253),
        broker.whole("port", 1, PORT_MOST),
        broker.flag("local", default=False),
    )
    fleet.end()
    broker.end()
    if problems:
        raise ConfigError(*problems)
    return places


def _settings(places: Places) -> str:
    return (
        "[fleet]                      # where cameras enrol: `doorsill-fleet serve`\n"
        f"hosts = {json.dumps(list(places.hosts))}\n"
        f"port = {places.port}\n\n"
        "[broker]                     # where their counts go\n"
        f"host = {json.dumps(places.broker)}\n"
        f"port = {places.broker_port}\n"
        f"local = {json.dumps(places.local)}                # `serve` runs it\n"
    )


def _make_consent(key: PrivateKey, safe: Path, now: datetime) -> bytes:
    ca = cards.authority(key, "doorsill consent", now.timestamp(), CONSENT_DAYS)
    put(safe / "consent-ca.pem", pem_of(ca))
    return pem_of(ca)


def _make_servers(made: Chain, issuing: Authority, now: datetime) -> None:
    """The fleet's own certificates, and the broker's two lists."""
    both = pem_of(issuing.certificate) + pem_of(made.root)
    for each in (made.folder, made.broker):
        put(each / "ca.pem", both)
    renew(own(made), issuing, now)
    put(made.broker / "access", b"")
    valid = issuing.certificate.not_valid_after_utc - now
    put(made.broker / "revoked.pem", issuing.revocation_list(now, valid))


def own(chain: Chain) -> list[Own]:
    """The certificates of the fleet itself."""
    return of_fleet(chain.folder, chain.places.hosts, chain.places.broker, READERS)


def settings(chain: Chain) -> dict[Path, bytes]:
    """The broker's settings by their files: as a child here, and as Debian's."""
    port = chain.places.broker_port
    conf = listener(AT_THE_BROKER, port)
    conf.append(f"crlfile {AT_THE_BROKER / 'revoked.pem'}")
    own = configuration(chain.broker.absolute(), port, host="")
    return {
        chain.broker / "doorsill.conf": ("\n".join(conf) + "\n").encode(),
        chain.broker / "mosquitto.conf": own.encode(),
        chain.broker / SERVER: server_of(chain.places),
    }


def server_of(places: Places) -> bytes:
    """A line with host and port of `serve`."""
    return f"{place_text(places.hosts[0], places.port)}\n".encode()


def complete(chain: Chain, issuing: Authority, now: datetime) -> list[Path]:
    """Make what an older doorsill did not make, or what ends soon; and the settings.

    Returns the certificates that are new.
    """
    made = renew(own(chain), issuing, now)
    write_settings(chain)
    return made


def write_settings(chain: Chain) -> None:
    """Write the broker's settings where they differ."""
    for path, text in settings(chain).items():
        if not path.exists() or path.read_bytes() != text:
            put(path, text)
