"""The office at the broker: it publishes policies, and hears what devices say of them.

One connection for one command, in the caller's thread: what is written is acknowledged
before the call returns, or raises UplinkError in the words of `doorsill check`.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from doorsill.errors import ConfigError, UplinkError
from doorsill.uplink.causes import Files, explain
from doorsill.uplink.paho_client import close
from doorsill.uplink.reasons import FAILURE, refusal, words
from doorsill_fleet.broker.mosquitto import client_context
from doorsill_fleet.ca.authority import OFFICE
from doorsill_fleet.office.chain import Chain

KEEPALIVE_S = 30  # longest silence on the connection
ANSWER_S = 10.0  # for the broker to answer one thing
STEP_S = 0.1  # longest wait for the network in one turn
LARGEST_BYTES = 32_768  # of a packet that we take

Heard = Callable[[str, bytes], None]


@dataclass(slots=True)
class OfficeClient:
    """Use as a context; UplinkError if the broker is not there or refuses us."""

    files: Files
    host: str
    port: int
    context: ssl.SSLContext
    heard: Heard = lambda *_: None
    _client: mqtt.Client = field(init=False, repr=False)
    _connected: ReasonCode | None = None
    _lost: str = ""
    _answers: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, chain: Chain, heard: Heard = lambda *_: None) -> OfficeClient:
        """The office of ``chain``; ``heard`` gets topic and payload of each message.

        Raises ConfigError if its certificate was never made.
        """
        folder, places = chain.folder, chain.places
        ca, own = folder / "ca.pem", folder / "office.pem"
        if not own.is_file():
            raise ConfigError(
                f"{own} is not there, with which the office comes to the broker; make "
                "it: doorsill-fleet broker write"
            )
        context = client_context(ca, own, folder / "office.key")
        where = f"{places.broker}:{places.broker_port}"
        return cls(
            Files(where, ca, own), places.broker, places.broker_port, context, heard
        )

    def __enter__(self) -> OfficeClient:
        self._client = self._make()
        try:
            self._reach()
        except BaseException:
            close(self._client)
            raise
        return self

    def _reach(self) -> None:
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = 0
        session.MaximumPacketSize = LARGEST_BYTES
        try:
            self._client.connect(
                self.host, self.port, KEEPALIVE_S, clean_start=True, properties=session
            )
        except OSError as error:
            raise UplinkError(explain(error, self.files)) from None
        self._until(lambda: self._connected is not None, "takes us and says nothing")
        if self._connected is not None and self._connected.is_failure:
            raise UplinkError(refusal(self.files.where, self._connected.value))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        for _ in range(2):
            self._client.loop(STEP_S)
        close(self._client)

    def listen(self, filters: Sequence[str]) -> None:
        """Subscribe; UplinkError if the broker refuses one."""
        for each in filters:
            code, number = self._client.subscribe(each, qos=1)
            self._require_sent(code)
            if self._answer_to(number or 0) >= FAILURE:
                raise UplinkError(f"the broker does not let the office read {each}")

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish, retained; UplinkError unless the broker has taken it."""
        code = self._write(topic, payload, retain=True)
        if code >= FAILURE:
            raise UplinkError(
                f"the broker at {self.files.where} refuses {topic}: {words(code)}; "
                "write its access list again: doorsill-fleet broker write"
            )

    def try_to_write(self, topic: str) -> int:
        """The broker's code for an empty message on ``topic``; for a check."""
        return self._write(topic, b"", retain=False)

    def turn(self, seconds: float) -> None:
        """Take what comes, for at most ``seconds``."""
        if self._client.loop(max(0.0, seconds)) != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise UplinkError(self._lost or f"{self.files.where} ended the connection")

    def _write(self, topic: str, payload: bytes, *, retain: bool) -> int:
        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        self._require_sent(sent.rc)
        return self._answer_to(sent.mid)

    def _answer_to(self, number: int) -> int:
        self._until(lambda: number in self._answers, "gives no answer")
        return self._answers.pop(number)

    def _until(self, done: Callable[[], bool], what: str) -> None:
        ends = time.monotonic() + ANSWER_S
        while not done():
            if self._lost or time.monotonic() > ends:
                raise UplinkError(self._lost or f"{self.files.where} {what}")
            self._client.loop(STEP_S)

    def _require_sent(self, code: MQTTErrorCode) -> None:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise UplinkError(self._lost or f"no connection to {self.files.where}")

    def _make(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=OFFICE, protocol=mqtt.MQTTv5
        )
        client.tls_set_context(self.context)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _on_connect(self, *said: Any) -> None:
        self._connected = said[3]

    def _on_disconnect(self, *said: Any) -> None:
        code = said[3].value
        why = f"{self.files.where} ended the connection: {words(code)}"
        self._lost = self._lost or why

    def _on_publish(self, *said: Any) -> None:
        self._answers[said[2]] = said[3].value

    def _on_subscribe(self, *said: Any) -> None:
        self._answers[said[2]] = max(each.value for each in said[3])

    def _on_message(self, *said: Any) -> None:
        self.heard(said[2].topic, bytes(said[2].payload))
