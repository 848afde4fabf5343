"""A shop's own broker, which hands everything on to the chain's.

    cameras ─► the shop's mosquitto ── bridge ──► the chain's ─► receive
                                    ◄── policies ──

While the line is down the shop's broker keeps what comes, on disk. At the chain's it is
a client of its own (``bridge:<site>``): it writes what its shop's cameras may write,
and reads their policies. Each stream is named, so nothing that came down goes up again.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from doorsill.documents.durable import put
from doorsill.wire.messages import POLICY, STREAMS, topic
from doorsill_fleet.broker.child import LOOPBACK
from doorsill_fleet.broker.mosquitto import access_list, configuration, listener
from doorsill_fleet.ca.authority import Authority, bridge_name, require_name
from doorsill_fleet.office.camera_folder import AT_THE_BROKER
from doorsill_fleet.office.chain import SERVER, Chain, server_of
from doorsill_fleet.office.new_folder import require_host, require_new, whole
from doorsill_fleet.office.own_certificates import Own, of_server, renew
from doorsill_fleet.registry.devices import devices, is_in_service
from doorsill_fleet.registry.tables import SiteBroker

QUEUED_MOST = (
    1_000_000  # messages that wait; 3 cameras with 2 lines make it in 115 days
)
KEEPALIVE_S = 30  # longest silence on the line
AGAIN_S = (1, 30)  # waits between two tries to reach the chain: the first, the longest
SHORTER = {"max_queued_messages"}  # settings of a chain's broker that are another here


def write_bridge(
    chain: Chain,
    session: Session,
    authority: Authority,
    site: str,
    place: tuple[list[str], int],
    out: Path,
    now: datetime,
) -> None:
    """Write all that the broker of ``site`` needs into ``out``.

    ``place`` is under which names, and at which port, cameras reach it. The register
    remembers the first name: cameras that enrol go there. If ``out`` is such a folder
    already, its keys stay, its lists are written again, and a certificate that ends
    soon is renewed. Raises ConfigError if it is another one, or a name cannot be one.
    """
    hosts, port = place
    for host in hosts:
        require_host(host)
    session.merge(SiteBroker(site=site, host=hosts[0], port=port))
    if (out / "bridge.pem").is_file():
        renew(own(out, site, hosts), authority, now)
        _write_lists(chain, session, site, port, out)
        return
    require_new(out)
    with whole(out) as part:
        renew(own(part, site, hosts), authority, now)
        _write_lists(chain, session, site, port, part)


def own(folder: Path, site: str, hosts: list[str]) -> list[Own]:
    """The certificates of a shop's own broker: for its cameras, and for the chain's."""
    bridge = Own(folder, "bridge", bridge_name(require_name(site)))
    return [of_server(folder, "broker", tuple(hosts)), bridge]


def _write_lists(
    chain: Chain, session: Session, site: str, port: int, folder: Path
) -> None:
    put(folder / SERVER, server_of(chain.places))
    for name in ("ca.pem", "revoked.pem"):
        put(folder / name, (chain.broker / name).read_bytes())
    put(folder / "access", access(session, site).encode())
    put(folder / "doorsill.conf", _debian(chain, site, port).encode())


def access(session: Session, site: str) -> str:
    """The shop's own access list: its cameras alone. A bridge needs no line in it."""
    names = [each.name for each in devices(session, site) if is_in_service(each)]
    return access_list(site, names, [])


def bridge(chain: Chain, site: str, folder: Path) -> list[str]:
    """The lines of the connection to the chain's broker; files are in ``folder``."""
    places, name = chain.places, bridge_name(site)
    least, most = AGAIN_S
    lines = [
        f"connection {site}",
        f"address {places.broker}:{places.broker_port}",
        f"bridge_cafile {folder / 'ca.pem'}",
        f"bridge_certfile {folder / 'bridge.pem'}",
        f"bridge_keyfile {folder / 'bridge.key'}",
        "bridge_tls_version tlsv1.3",
        "bridge_protocol_version mqttv50",
        f"remote_clientid {name}",
        f"local_clientid {name}",
        "cleansession false",
        "notifications false",
        f"keepalive_interval {KEEPALIVE_S}",
        f"restart_timeout {least} {most}",
    ]
    lines += [f"topic {topic(site, '+', each)} out 1" for each in STREAMS]
    lines += ["topic homeassistant/device/+/config out 1"]
    return [*lines, f"topic {topic(site, '+', POLICY)} in 1"]


def as_child(chain: Chain, site: str, folder: Path, port: int) -> str:
    """mosquitto.conf for the shop's broker on loopback; for a trial."""
    own = configuration(folder, port, LOOPBACK).splitlines()
    return _text([*_longer(own), *bridge(chain, site, folder)])


def _debian(chain: Chain, site: str, port: int) -> str:
    """The same for Debian's mosquitto, which `broker install` puts in place."""
    own = [*listener(AT_THE_BROKER, port), f"crlfile {AT_THE_BROKER / 'revoked.pem'}"]
    return _text([*_longer(own), *bridge(chain, site, AT_THE_BROKER)])


def _longer(lines: list[str]) -> list[str]:
    """As they are, with a queue that outlasts a line that is down for weeks."""
    kept = [each for each in lines if each.partition(" ")[0] not in SHORTER]
    return [*kept, f"max_queued_messages {QUEUED_MOST}"]


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
