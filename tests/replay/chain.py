"""The whole of a chain on this machine: enrolment, broker, store, and its cameras.

Everything that a chain of shops has, made by what they would use: vouchers, keys made
in the camera's folder, certificates over EST, a real mosquitto with mutual TLS.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from broker import device
from cryptography.hazmat.primitives import hashes
from fleets import VALID, FleetWorld
from replay.plan import Door

from doorsill.config import load_config
from doorsill.documents import pem
from doorsill.policy.opening import DAYS
from doorsill.services.uplink_opening import address_of
from doorsill.uplink.answers import Disconnected
from doorsill.uplink.tls import Address
from doorsill_fleet.broker.members import write_access, write_revoked
from doorsill_fleet.broker.mosquitto import Broker, configuration, free_port
from doorsill_fleet.ca.authority import Authority
from doorsill_fleet.office.chain import Places, make_chain, open_chain
from doorsill_fleet.registry import devices
from doorsill_fleet.registry.devices import HandedOut
from doorsill_fleet.registry.register import open_register, transaction
from doorsill_fleet.stage import simulated


def found(folder: Path) -> FleetWorld:
    """The chain in ``folder``/fleet, made if there is none."""
    if not (folder / "fleet").exists():
        ports = free_port(), free_port()
        places = Places(("localhost", "127.0.0.1"), ports[0], "localhost", ports[1])
        make_chain(folder / "fleet", places, datetime.now(UTC), lambda _: b"")
    chain = open_chain(folder / "fleet")
    said = {"broker_port": chain.places.broker_port}
    (folder / "places.json").write_text(json.dumps(said))
    key = pem.read_key(chain.folder / "issuing.key")
    register = open_register(chain.folder)
    return FleetWorld(chain, register, Authority(chain.issuing, key))


def broker_of(world: FleetWorld) -> Broker:
    """mosquitto with the files that the chain made for it; not started."""
    folder, port = world.chain.broker, world.chain.places.broker_port
    (folder / "mosquitto.conf").write_text(configuration(folder, port))
    return Broker(folder, world.authority, "", port=port)


def open_shops(world: FleetWorld, count: int) -> None:
    """The first ``count`` shops with their signed policies."""
    for number in range(1, count + 1):
        site = f"shop-{number}"
        with transaction(world.register) as session:
            devices.add_site(session, site, datetime.now(UTC), approves=False)
        world.sign_policy(site, **policy(world))


def policy(world: FleetWorld) -> dict[str, Any]:
    """One line, looks of ten people or more, and a vault that no card has opened.

    It is always open: the plan says when people come, and the whole camera films today.
    """
    ca = pem.read_certificate(world.chain.folder / "consent-ca.pem")
    return {
        "version": 1,
        "attributes": True,
        "k": 10,
        "epsilon_per_day": 2.0,
        "timezone": "UTC",
        "zones": [],
        "hours": [{"days": list(DAYS), "opens": "00:00", "closes": "24:00"}],
        "consent": {
            "purposes": ["validation"],
            "ca": ca.fingerprint(hashes.SHA256()).hex(),
            "revoked": [],
            "max_seconds": 600,
            "max_bytes": 1 << 20,
            "max_crops": 100,
        },
    }


def add(world: FleetWorld, wanted: list[Door]) -> dict[tuple[str, str], HandedOut]:
    """A voucher for each door, by site and device; the access list names them."""
    made: list[HandedOut] = []
    for site in sorted({each.site for each in wanted}):
        made += world.add(sum(each.site == site for each in wanted), site)
    return {(each.site, each.device): each for each in made}


def enrol(world: FleetWorld, voucher: HandedOut, folder: Path) -> None:
    """As the camera does it; the server must run."""
    simulated.enrol(folder, world.voucher(voucher))


def replace(world: FleetWorld, broker: Broker, serial: str, folder: Path) -> None:
    """`device replace`, the broker's new lists, and another board in ``folder``."""
    now = datetime.now(UTC)
    with transaction(world.register) as session:
        voucher = devices.replace(session, serial, now, VALID)
        session.flush()
        write_access(world.chain, session)
        write_revoked(world.chain, session, world.authority, now)
    broker.restart()
    part = folder.with_name(f"{folder.name}.part")
    with world.serving():
        enrol(world, voucher, part)
    part.rename(folder)


def address(folder: Path) -> Address:
    """Broker, certificate and key of the camera in ``folder``."""
    return address_of(load_config(folder / "doorsill.toml"))


def knock(folder: Path) -> str:
    """What the broker says to the board in ``folder``, which was stolen."""
    board = device(address(folder))
    board.publisher.start()
    try:
        board.wait(lambda: board.heard(Disconnected))
        return str(board.heard(Disconnected)[0].reason)
    finally:
        board.publisher.stop()
