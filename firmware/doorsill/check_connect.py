"""``doorsill check --connect``: TLS, MQTT and the access list, as the uplink will.

One message that must pass (an ``interval`` of no bytes, which no reader takes for one)
and one that must be refused, under a topic that no device has. Where the uplink runs,
it is asked: who connects with its certificate throws it out.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, LogLevel
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from doorsill.config import Config
from doorsill.consent.control import ask
from doorsill.errors import ConfigError
from doorsill.fault import Fault
from doorsill.uplink.events import Answered
from doorsill.uplink.service import address_of
from doorsill.uplink.tls import Address, explain, tls_context
from doorsill.uplink.wire import topic

WITHIN_S = 10.0  # for the connection, and again for the answers
OBJECT_S = 1.0  # for the broker to object to our certificate
STEP_S = 0.1
FORBIDDEN = "check"  # no stream of ours, so no access list lets it pass
LOOK = "look at the broker's access list: five streams below the device's own name"
REACH = "is the broker on, its port open, and its address right?"


def connect(config: Config) -> list[Fault]:
    """What keeps the uplink from being heard at the broker; empty: nothing."""
    try:
        return _as_uplink_says(ask(config.uplink_socket, "status", "uplink")[0])
    except ConfigError:
        pass  # it does not run, so nobody is thrown out
    try:
        visit = Visit(address_of(config))
    except ConfigError as error:
        return [Fault(str(error))]
    return visit.faults(config.device.site)


def _as_uplink_says(told: dict[str, Any]) -> list[Fault]:
    line, found = told["broker"], []
    if not line["connected"]:
        why = line["away"] or "it is not connected yet"
        found.append(Fault(f"the uplink runs, and has no connection: {why}", REACH))
    if "access" in told["problems"]:
        found.append(Fault(f"the broker refused {line['refusal']}", LOOK))
    if "takeover" in told["problems"]:
        says = "another client came with our certificate"
        step = "find the other device with this certificate and id, and end it"
        found.append(Fault(says, step))
    return found


@dataclass(slots=True)
class Visit:
    """One connection, as the device."""

    address: Address
    _client: mqtt.Client = field(init=False, repr=False)
    _connected: ReasonCode | None = None
    _lost: str = ""
    _answers: dict[int, ReasonCode] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self.address.client,
            protocol=mqtt.MQTTv5,
        )
        self._client.tls_set_context(tls_context(self.address))
        self._client.connect_timeout = WITHIN_S
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_log = self._on_log

    def faults(self, site: str) -> list[Fault]:
        """Connect, publish two messages, leave."""
        where = self.address.where
        try:
            self._shake_hands()
            self._reach()
        except OSError as error:
            if isinstance(error, ssl.SSLError | TimeoutError | ConnectionError):
                return [Fault(explain(error, where), REACH)]
            return [Fault(f"{where}: {explain(error, where)}", REACH)]
        if self._connected is None:
            why = self._lost or f"{where} takes the connection and says nothing"
            return [
                Fault(why, "is it an MQTT 5 broker with TLS 1.3, and does it work?")
            ]
        if self._connected.is_failure:
            says = f"the broker at {where} refuses us: {self._connected}"
            return [Fault(says, "does its access list know this device?")]
        try:
            return self._try_access(site)
        finally:
            self._client.disconnect()
            self._turn(lambda: False, 1.0)

    def _shake_hands(self) -> None:
        """TLS alone. In 1.3 a broker looks at our certificate when we are through.

        It says then what it does not like, and hangs up; who has sent something by that
        time may hear nothing of it.
        """
        address = self.address
        line = socket.create_connection((address.host, address.port), WITHIN_S)
        with (
            line,
            tls_context(address).wrap_socket(line, server_hostname=address.host) as tls,
        ):
            tls.settimeout(OBJECT_S)
            with contextlib.suppress(TimeoutError):  # it has nothing to say
                tls.recv(1)

    def _reach(self) -> None:
        expiry = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        expiry.SessionExpiryInterval = 0
        self._client.connect(
            self.address.host,
            self.address.port,
            keepalive=30,
            clean_start=True,
            properties=expiry,
        )
        self._turn(lambda: self._connected is not None, WITHIN_S)

    def _try_access(self, site: str) -> list[Fault]:
        """An interval of no bytes, and what is no stream of ours."""
        found = []
        ours, forbidden = (
            topic(site, self.address.device, each) for each in ("interval", FORBIDDEN)
        )
        good = self._client.publish(ours, b"", 1).mid
        bad = self._client.publish(forbidden, b"", 1).mid
        self._turn(lambda: len(self._answers) == 2, WITHIN_S)
        if good not in self._answers:
            why = self._lost or "it answers no message"
            return [Fault(f"the broker at {self.address.where}: {why}", LOOK)]
        answer = Answered(None, self._answers[good].value, ours)
        if not answer.accepted:
            found.append(Fault(f"the broker refuses {answer.words}", LOOK))
        taken = self._answers.get(bad)
        if taken is not None and not taken.is_failure:
            says = f"the broker lets this device write to {forbidden} as well"
            found.append(Fault(says, LOOK, warning=True))
        return found

    def _turn(self, done: Any, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not (done() or self._lost) and time.monotonic() < deadline:
            self._client.loop(STEP_S)

    def _on_connect(self, *told: Any) -> None:
        self._connected = told[3]

    def _on_disconnect(self, *told: Any) -> None:
        self._lost = self._lost or str(told[3])

    def _on_publish(self, *told: Any) -> None:
        self._answers[told[2]] = told[3]

    def _on_log(self, *told: Any) -> None:
        level, text = told[2:4]
        if level == LogLevel.MQTT_LOG_ERR:
            self._lost = self._lost or explain(text, self.address.where)
