"""Reads what the devices of a shop say and keeps it: acknowledged when it is on disk.

The session outlives the connection (``clean_start`` false), so what comes while this
process is away waits at the broker.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from doorsill.errors import UplinkError
from doorsill.in_time import in_time
from doorsill_fleet.broker import client_context
from doorsill_fleet.ca import reader_name
from doorsill_fleet.store import Kept, Store

log = logging.getLogger(__name__)

SESSION_S = 90 * 86_400
KEEPALIVE_S = 30
BATCH = 500
RETRY_S = 1.0
WAKE_S = 5.0  # between two looks of our thread; a message wakes it at once
STOP_WITHIN_S = 30.0  # for what came to be kept, and for the connection to end

Heard = Callable[[str, bytes], None]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, where: the name in the certificate, and three PEM files."""

    name: str
    host: str
    port: int
    ca: Path
    certificate: Path
    key: Path


@dataclass(slots=True)
class Subscriber:
    """Two threads: paho's reads, ours keeps and acknowledges.

    ``heard`` is called for each message after it was kept (topic, payload), in our
    thread; ``kept`` adds up what became of them.
    """

    reader: Reader
    store: Store
    heard: Heard | None = None
    kept: Kept = field(default_factory=Kept)
    ready: threading.Event = field(default_factory=threading.Event)
    _queue: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)
    _leaving: threading.Event = field(default_factory=threading.Event)
    _client: mqtt.Client = field(init=False, repr=False)
    _keeper: threading.Thread = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._client = self._make_client()
        self._keeper = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Connect and go on trying; ``ready`` is set when the broker took us in."""
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = SESSION_S
        self._keeper.start()
        self._client.connect_async(
            self.reader.host,
            self.reader.port,
            keepalive=KEEPALIVE_S,
            clean_start=False,
            properties=session,
        )
        self._client.loop_start()

    def stop(self) -> None:
        """Keep what has come, then leave; the session stays at the broker."""
        self._leaving.set()
        self._queue.put(None)
        self._keeper.join(STOP_WITHIN_S)
        if self._keeper.is_alive():
            log.error("what came is not on disk within %g s", STOP_WITHIN_S)
        self._client.disconnect()
        try:
            in_time(STOP_WITHIN_S, "the connection did not end", self._client.loop_stop)
        except TimeoutError as error:
            log.error("%s", error)

    def _make_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=reader_name(self.reader.name),
            protocol=mqtt.MQTTv5,
            manual_ack=True,
        )
        context = client_context(
            self.reader.ca, self.reader.certificate, self.reader.key
        )
        client.tls_set_context(context)
        # Set before the connection: a resumed session sends at once.
        client.on_message = self._on_message
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        return client

    def _on_connect(
        self, client: Any, data: Any, flags: Any, reason: ReasonCode, *_: Any
    ) -> None:
        if reason.is_failure:
            log.error("the broker refuses the subscriber: %s", reason)
            return
        client.subscribe(f"doorsill/{self.store.site}/#", qos=1)

    def _on_subscribe(self, *_: Any) -> None:
        self.ready.set()

    def _on_message(self, client: Any, data: Any, message: mqtt.MQTTMessage) -> None:
        self._queue.put(message)

    def _run(self) -> None:
        going = True
        while going:
            try:
                batch = [self._queue.get(timeout=WAKE_S)]
            except queue.Empty:
                continue
            with contextlib.suppress(queue.Empty):
                while len(batch) < BATCH:
                    batch.append(self._queue.get_nowait())
            going = None not in batch
            self._keep([message for message in batch if message is not None])

    def _keep(self, batch: list[mqtt.MQTTMessage]) -> None:
        pairs = [(message.topic, bytes(message.payload)) for message in batch]
        while True:
            try:
                kept = self.store.keep(pairs)
                break
            except UplinkError as error:
                log.error("%s; not acknowledged, tried again", error)
                if self._leaving.wait(RETRY_S):
                    return  # it comes again with the next connection
        self.kept = Kept(
            self.kept.new + kept.new,
            self.kept.repeated + kept.repeated,
            self.kept.rejected + kept.rejected,
        )
        for message in batch:
            self._client.ack(message.mid, message.qos)
        if self.heard is not None:
            for topic, payload in pairs:
                self.heard(topic, payload)
