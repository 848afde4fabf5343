"""What ``doorsill check`` says of the broker: whether its name can be looked up.

``--connect`` also tries TLS, MQTT and the access list, as the uplink does: one message
that must pass (an ``interval`` of no bytes, which no reader takes for one) and one that
must be refused, under a topic that no device has. Where the uplink runs, it is asked,
because a second connection with its certificate ends its own.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from paho.mqtt.enums import LogLevel
from paho.mqtt.reasoncodes import ReasonCode

from doorsill.channels.control import ask
from doorsill.config import Config
from doorsill.device.fault import Fault
from doorsill.errors import ConfigError, UntrustedError
from doorsill.process.in_time import in_time
from doorsill.services.policies import store_of
from doorsill.services.uplink_opening import address_of, description_of
from doorsill.uplink.answers import Answered
from doorsill.uplink.causes import explain
from doorsill.uplink.limits import Limits, limits_of, packet_bytes, remarks
from doorsill.uplink.paho_client import Client, close, make_client, session
from doorsill.uplink.reasons import REASONS, TAKEN_OVER, refusal, words
from doorsill.uplink.tls import Address
from doorsill.wire.discovery import described_at
from doorsill.wire.messages import topic

RESOLVE_S = 10.0  # limit for the broker's name to be looked up
WITHIN_S = 10.0  # limit for the connection, and again for the answers
LEAVE_S = 1.0  # limit for the broker to end what we leave
STEP_S = 0.1  # between two checks
FORBIDDEN = "check"  # no stream of ours, so no access list allows it
LOOK = "look at the broker's access list: its own streams below the device's own name"
REACH = "is the broker on, its port open, and its address right?"


def broker(config: Config, now: datetime) -> Iterator[Fault]:
    """Whether the broker's name can be looked up; ``--connect`` also connects."""
    host, port = config.broker.host, config.broker.port
    try:
        in_time(
            RESOLVE_S,
            "no answer of a name server",
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM),
        )
    except (OSError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or str(error)
        step = "is broker.host spelt right, and does the name server know it?"
        yield Fault(f"broker.host = {host} cannot be resolved: {why}", step)


def connect(config: Config) -> list[Fault]:
    """The faults that keep the uplink from the broker; empty if there is none."""
    try:
        return _as_uplink_says(ask(config.uplink_socket, "status", "uplink")[0])
    except ConfigError:
        pass  # no uplink runs, so we take over nobody's connection
    try:
        visit = Visit(address_of(config))
    except ConfigError as error:
        return [Fault(str(error))]
    return visit.faults(config.device.site, _describe(config))


def _describe(config: Config) -> bytes | None:
    """The description for Home Assistant; None if it is off or the policy is bad."""
    try:
        return description_of(config, store_of(config).load())
    except (ConfigError, UntrustedError):
        return None


def _as_uplink_says(answer: dict[str, Any]) -> list[Fault]:
    line, found = answer["broker"], []
    if not line["connected"]:
        why = line["away"] or "it is not connected yet"
        found.append(Fault(f"the uplink runs, and has no connection: {why}", REACH))
    if "access" in answer["problems"]:
        found.append(Fault(f"the broker refused us: {line['refusal']}", LOOK))
    if "takeover" in answer["problems"]:
        found.append(Fault(*REASONS[TAKEN_OVER]))
    return found


@dataclass(slots=True)
class Visit:
    """One connection to the broker, with the device's certificate."""

    address: Address
    _client: Client = field(init=False, repr=False)
    _limits: Limits = field(default_factory=Limits)
    _properties: Any = None
    _connected: ReasonCode | None = None
    _lost: str = ""
    _answers: dict[int, ReasonCode] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._client = make_client(self.address, WITHIN_S)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_log = self._on_log

    def faults(self, site: str, described: bytes | None = None) -> list[Fault]:
        """Connect, publish two messages, leave; ``described`` is for Home Assistant."""
        try:
            return self._faults(site, described)
        finally:
            self._client.disconnect()
            self._turn(lambda: self._client.socket() is None, LEAVE_S)
            close(self._client)

    def _faults(self, site: str, described: bytes | None) -> list[Fault]:
        where = self.address.where
        try:
            self._reach()
        except OSError as error:
            return [Fault(explain(error, self.address.files))]
        if self._connected is None:
            why = self._lost or f"{where} takes the connection and says nothing"
            return [
                Fault(why, "is it an MQTT 5 broker with TLS 1.3, and does it work?")
            ]
        if self._connected.is_failure:
            return [Fault(refusal(where, self._connected.value, self._properties))]
        limited = _limited(self._limits, site, self.address, described)
        return self._try_access(site) + limited

    def _reach(self) -> None:
        self._client.connect(
            self.address.host,
            self.address.port,
            keepalive=30,
            clean_start=True,
            properties=session(self.address.policy_topic),
        )
        self._turn(lambda: self._connected is not None, WITHIN_S)

    def _try_access(self, site: str) -> list[Fault]:
        """Publish an empty interval, and to a topic that is no stream of ours."""
        if self._limits.qos < 1:
            return []  # it never answers, and that is reported
        found = []
        ours, forbidden = (
            topic(site, self.address.device, each) for each in ("interval", FORBIDDEN)
        )
        good = self._ask(ours)
        bad = self._ask(forbidden)
        if good is None:
            why = self._lost or "it answers no message"
            return [Fault(f"the broker at {self.address.where}: {why}", LOOK)]
        answer = Answered(None, good.value, ours)
        if not answer.accepted:
            found.append(Fault(f"the broker refuses {answer.words}", LOOK))
        if bad is not None and not bad.is_failure:
            says = f"the broker lets this device write to {forbidden} as well"
            found.append(Fault(says, LOOK, warning=True))
        return found

    def _ask(self, name: str) -> ReasonCode | None:
        """The broker's answer to one message to ``name``; one message at a time."""
        number = self._client.publish(name, b"", 1).mid
        self._turn(lambda: number in self._answers, WITHIN_S)
        return self._answers.get(number)

    def _turn(self, done: Any, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not (done() or self._lost) and time.monotonic() < deadline:
            self._client.loop(STEP_S)

    def _on_connect(self, *passed: Any) -> None:
        self._connected, self._properties = passed[3], passed[4]
        self._limits = limits_of(passed[4])

    def _on_disconnect(self, *passed: Any) -> None:
        where, code = self.address.where, passed[3].value
        self._lost = self._lost or f"{where} ended the connection: {words(code)}"

    def _on_publish(self, *passed: Any) -> None:
        self._answers[passed[2]] = passed[3]

    def _on_log(self, *passed: Any) -> None:
        level, text = passed[2:4]
        if level == LogLevel.MQTT_LOG_ERR:
            self._lost = self._lost or explain(text, self.address.files)


def _limited(
    limits: Limits, site: str, address: Address, described: bytes | None
) -> list[Fault]:
    """Warnings on a working broker's limits; the uplink works in spite of them."""
    said = [Fault(each, warning=True) for each in remarks(limits)]
    name = described_at(site, address.device)
    if described is not None and not limits.fit(name, described):
        size = packet_bytes(name, described)
        says = (
            f"the broker at {address.where} takes packets of {limits.packet_bytes} "
            f"bytes: the description for Home Assistant ({size} bytes) is left out"
        )
        said.append(Fault(says, "raise its limit (max_packet_size)", warning=True))
    return said
