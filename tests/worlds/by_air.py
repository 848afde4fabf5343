"""The office at a real broker: it may publish policies, and nothing else."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from limits import END_S, wait_until
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from doorsill.uplink.paho_client import close, end_loop
from doorsill.uplink.tls import Address
from doorsill.wire.messages import POLICY, topic
from doorsill_fleet.broker.child import RELOADING
from doorsill_fleet.broker.mosquitto import HOST, Broker, client_context
from doorsill_fleet.ca.authority import reader_name

NAME = "office"


@dataclass
class Office:
    """What it publishes is retained, at QoS 1, and acknowledged when this returns."""

    client: mqtt.Client
    site: str

    def push(self, device: str, document: bytes) -> None:
        """To the one topic of ``device``; no document clears what was retained."""
        name = topic(self.site, device, POLICY)
        self.client.publish(name, document, qos=1, retain=True).wait_for_publish(END_S)


@contextmanager
def office(broker: Broker, folder: Path) -> Iterator[Office]:
    """An office of its own at a running ``broker``, with its files in ``folder``."""
    issued = broker.authority.issue_reader(NAME, datetime.now(UTC))
    pem, key = issued.write(folder, NAME)
    _admit(broker)
    ca = broker.folder / "ca.pem"
    own = Address(reader_name(NAME), HOST, broker.port, ca, pem, key)
    with publishing(broker.site, own) as found:
        yield found


@contextmanager
def publishing(site: str, own: Address) -> Iterator[Office]:
    """Whoever has this certificate, as if it were the office."""
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2, client_id=own.client, protocol=mqtt.MQTTv5
    )
    client.tls_set_context(client_context(own.ca, own.certificate, own.key))
    client.connect(own.host, own.port, 30)
    client.loop_start()
    try:
        wait_until(client.is_connected)
        yield Office(client, site)
    finally:
        client.disconnect()
        end_loop(client, END_S)
        close(client)


def _admit(broker: Broker) -> None:
    """Its line in the access list, which the broker then reads again."""
    line = (
        f"\nuser {reader_name(NAME)}\ntopic write {topic(broker.site, '+', POLICY)}\n"
    )
    path, log = broker.folder / "access", broker.folder / "log"
    path.write_text(path.read_text() + line)
    before = log.read_text(errors="replace").count(RELOADING)
    broker.send_signal(signal.SIGHUP)
    wait_until(lambda: log.read_text(errors="replace").count(RELOADING) > before)
