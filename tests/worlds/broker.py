"""A real mosquitto with a real CA, for every test and bench that speaks MQTT.

The fixtures ``site`` (one for the whole run) and ``own_site`` are in ``conftest.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from select import select
from typing import Any

from limits import END_S, WITHIN_S, wait_until
from messages import line
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from doorsill.uplink.answers import Answered, Event
from doorsill.uplink.paho_client import close, end_loop
from doorsill.uplink.patience import Timing
from doorsill.uplink.publisher import Publisher
from doorsill.uplink.tls import Address
from doorsill.wire.codec import encode
from doorsill.wire.guard import EgressGuard
from doorsill.wire.messages import State
from doorsill_fleet.broker.mosquitto import HOST, Broker, client_context, running_broker
from doorsill_fleet.ca.authority import Authority, Issued
from doorsill_fleet.ingest.subscriber import Reader

SITE = "shop-1"
FAST = Timing(
    connect_s=2.0,
    keepalive_s=5,
    ack_s=10.0,
    least_wait_s=0.05,
    most_wait_s=0.2,
    steady_s=0.0,
    farewell_s=2.0,
)


@dataclass
class Site:
    """A broker, its CA, and who got a certificate from it."""

    broker: Broker
    authority: Authority
    folder: Path
    issued: dict[str, Issued] = field(default_factory=dict)

    def address(self, name: str, authority: Authority | None = None) -> Address:
        """Certificate and key for ``name``, made once, of our CA or another."""
        folder = self.folder / ("ours" if authority is None else "theirs")
        folder.mkdir(exist_ok=True)
        if not (folder / f"{name}.pem").exists():
            issuer = authority or self.authority
            now = datetime.now(UTC)
            if name in self.broker.readers:
                issued = issuer.issue_reader(name, now)
            else:
                issued = issuer.issue_device(SITE, name, now)
                self.broker.admit(name)
            issued.write(folder, name)
            self.issued[name] = issued
        ca = self.broker.folder / "ca.pem"
        pem, key = folder / f"{name}.pem", folder / f"{name}.key"
        site = "" if name in self.broker.readers else SITE
        return Address(name, HOST, self.broker.port, ca, pem, key, site)


def make_site(folder: Path, readers: Sequence[str] = ("store",)) -> Iterator[Site]:
    authority = Authority.create("doorsill test", datetime.now(UTC))
    broker = Broker(folder / "broker", authority, SITE, readers)
    with running_broker(broker):
        yield Site(broker, authority, folder)


@dataclass
class Device:
    """A publisher with its guard, and all that it heard."""

    publisher: Publisher
    guard: EgressGuard
    events: list[Event] = field(default_factory=list)

    def wait(self, done: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
        """Take events until ``done``; the publisher wakes us."""
        return wait_until(done, self._said, within_s, between=self._listen)

    def _listen(self) -> None:
        select([self.publisher], [], [], 0.05)
        self.events += self.publisher.poll()

    def _said(self) -> str:
        return f"heard {self.events}"

    def heard(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def answers(self) -> list[int]:
        """Tags of what the broker accepted, in the order of its answers."""
        return [event.tag for event in self.heard(Answered) if event.accepted]

    def send_interval(self, number: int) -> None:
        payload = encode(line(60 * number))
        outgoing = self.guard.check("interval", payload, 0.0)
        self.publisher.send(outgoing, tag=number)

    def connect(self) -> Device:
        self.publisher.start()
        self.wait(lambda: self.publisher.connected)
        return self


def device(address: Address, timing: Timing = FAST) -> Device:
    guard = EgressGuard(SITE, address.device)
    return Device(
        Publisher(address, guard.will(encode(State(state="lost"))), timing), guard
    )


def reader(site: Site, name: str = "store") -> Reader:
    own = site.address(name)
    return Reader(name, own.host, own.port, own.ca, own.certificate, own.key)


def publish(camera: Device, numbers: range) -> None:
    for number in numbers:
        camera.wait(lambda: camera.publisher.room > 0)  # less than none after a restart
        camera.send_interval(number)
    last = numbers[-1]
    camera.wait(lambda: any(getattr(e, "tag", None) == last for e in camera.events))


class Listener:
    """Reads what the broker gives it, with its own rights: topic, payload, retained."""

    def __init__(self, address: Address, topic: str = "#", heard: Any = None) -> None:
        """``heard`` is called as paho calls on_message, in its thread."""
        self.messages: list[tuple[str, bytes, bool]] = []
        self.granted: list[Any] = []
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=address.client,
            protocol=mqtt.MQTTv5,
        )
        context = client_context(address.ca, address.certificate, address.key)
        client.tls_set_context(context)
        client.on_message = heard or self._keep
        client.on_connect = lambda c, *_: c.subscribe(topic, qos=1)
        client.on_subscribe = lambda _c, _d, _m, codes, _p: self.granted.extend(codes)
        expiry = Properties(PacketTypes.CONNECT)
        expiry.SessionExpiryInterval = 0
        client.connect(address.host, address.port, 5, properties=expiry)
        client.loop_start()
        self.client = client
        wait_until(lambda: self.granted)

    def _keep(self, _: object, __: object, message: Any) -> None:
        self.messages.append((message.topic, message.payload, message.retain))

    def on(self, stream: str) -> list[bytes]:
        return [
            payload for topic, payload, _ in self.messages if topic.endswith(stream)
        ]

    def close(self) -> None:
        self.client.disconnect()
        end_loop(self.client, END_S)
        close(self.client)
