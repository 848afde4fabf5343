"""Reads what the devices say and keeps it: acknowledged when it is on disk.

The session outlives the connection (``clean_start`` false), so messages that come while
this process is away wait at the broker. The broker hands over IN_FLIGHT messages at
most before they are acknowledged. It keeps that limit for QoS 1 alone, so the queue has
the same bound: where the disk is slow, nothing more is read from the connection.

Several workers may fill one store: each reads everything and keeps the devices of its
``part``, so what a device says stays in order, and what one has yet to keep waits in
its own session. A shared subscription would read less, but mosquitto 2.0 forgets it
at a restart, and what devices send until a worker is back would be lost.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, LogLevel
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from doorsill.errors import UplinkError
from doorsill.uplink.causes import Files, explain
from doorsill.uplink.paho_client import close, end_loop
from doorsill.uplink.reasons import refusal, words
from doorsill.wire.messages import POLICY
from doorsill_fleet.audit.shelf import Shelf
from doorsill_fleet.broker.mosquitto import client_context
from doorsill_fleet.ca.authority import reader_name
from doorsill_fleet.ingest.reading_client import ReadingClient
from doorsill_fleet.store.windows import Kept

log = logging.getLogger(__name__)

SESSION_S = 90 * 86_400  # how long the broker keeps our session without us
KEEPALIVE_S = 30  # longest silence on the connection
BATCH = 500  # messages in one transaction
IN_FLIGHT = 2 * BATCH  # messages that are read and not yet acknowledged
LARGEST_BYTES = 16_384  # of one packet; the broker sends us no larger one
RETRY_S = 1.0  # wait after the disk failed
WAKE_S = 5.0  # longest wait on the queue; a message or a free place ends it at once
STOP_WITHIN_S = 30.0  # for messages to be kept, and then for the connection to end

Heard = Callable[[str, bytes], None]


class Keeps(Protocol):
    """Where messages end up."""

    @property
    def site(self) -> str:
        """The one site that is kept; empty: every one."""

    def keep(self, messages: Iterable[tuple[str, bytes]]) -> Kept:
        """Keep (topic, payload) pairs, all or none; UplinkError if the disk fails."""


@dataclass(frozen=True, slots=True)
class Reader:
    """The broker, the name in our certificate, and three PEM files."""

    name: str
    host: str
    port: int
    ca: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Part:
    """Which devices a worker keeps: part ``number`` of ``of``, counted from 1."""

    number: int = 1
    of: int = 1

    def holds(self, topic: str) -> bool:
        """Is it this worker's? One device is always of one part."""
        if self.of == 1:
            return True
        sender = "/".join(topic.split("/")[1:3])
        return crc32(sender.encode()) % self.of == self.number - 1


def _of_the_office(topic: str) -> bool:
    """A policy is what the office says to a camera, and no message of that camera."""
    return topic.count("/") == 3 and topic.endswith(f"/{POLICY}")


@dataclass(slots=True)
class Subscriber:
    """Two threads: paho's reads, ours keeps and acknowledges.

    ``heard`` is called for each message after it was kept (topic, payload), in our
    thread; ``kept`` adds up what became of them.
    """

    reader: Reader
    store: Keeps
    heard: Heard | None = None
    part: Part = Part()
    shelf: Shelf | None = None  # where certificates are kept before they are answered
    kept: Kept = field(default_factory=Kept)
    ready: threading.Event = field(default_factory=threading.Event)
    away: str = ""  # why there is no broker, as last logged
    _queue: queue.Queue[Any] = field(default_factory=lambda: queue.Queue(IN_FLIGHT))
    _leaving: threading.Event = field(default_factory=threading.Event)
    _trouble: str = ""
    _client: ReadingClient = field(init=False, repr=False)
    _keeper: threading.Thread = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._client = self._make_client()
        self._keeper = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Connect, and go on trying; ``ready`` is set once the subscription holds."""
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = SESSION_S
        session.ReceiveMaximum = IN_FLIGHT
        session.MaximumPacketSize = LARGEST_BYTES
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
        with contextlib.suppress(queue.Full):  # the keeper is stuck; said below
            self._queue.put(None, timeout=STOP_WITHIN_S)
        self._keeper.join(STOP_WITHIN_S)
        if self._keeper.is_alive():
            log.error("what came is not on disk within %g s", STOP_WITHIN_S)
        self._client.disconnect()
        try:
            end_loop(self._client, STOP_WITHIN_S)
        except TimeoutError as error:
            log.error("%s", error)
        else:
            close(self._client)

    def _make_client(self) -> ReadingClient:
        client = ReadingClient(
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
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_log = self._on_log
        return client

    def _on_connect(
        self, client: Any, data: Any, flags: Any, reason: ReasonCode, *_: Any
    ) -> None:
        if reason.is_failure:
            self._trouble = refusal(self._files().where, reason.value)
            return
        self.away = self._trouble = ""
        site = self.store.site
        client.subscribe(f"doorsill/{site}/#" if site else "doorsill/#", qos=1)

    def _on_subscribe(
        self, client: Any, data: Any, mid: int, codes: Any, *_: Any
    ) -> None:
        for code in codes:
            if code.is_failure:
                self._lose(
                    f"the broker refuses what we want to read: {words(code.value)}"
                )
                return
        self.ready.set()
        log.info("connected to the broker at %s", self._files().where)

    def _on_connect_fail(self, *_: Any) -> None:
        self._lose(explain(sys.exc_info()[1], self._files()))

    def _on_disconnect(self, *said: Any) -> None:
        if self._leaving.is_set():
            return
        why = f"{self._files().where} ended the connection: {words(said[3].value)}"
        self._lose(self._trouble or why)
        self._trouble = ""

    def _on_log(self, *said: Any) -> None:
        if said[2] == LogLevel.MQTT_LOG_ERR:
            self._trouble = self._trouble or explain(said[3], self._files())

    def _lose(self, why: str) -> None:
        if why != self.away:  # once, not with every attempt
            self.away = why
            log.error("%s", why)

    def _files(self) -> Files:
        reader = self.reader
        where = f"{reader.host}:{reader.port}"
        return Files(where, reader.ca, reader.certificate)

    def _on_message(self, client: Any, data: Any, message: mqtt.MQTTMessage) -> None:
        """Wait for a place in the queue; in paho's thread, so it reads no more."""
        while not self._leaving.is_set():
            with contextlib.suppress(queue.Full):
                self._queue.put(message, timeout=WAKE_S)
                return

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
        pairs = [
            (message.topic, bytes(message.payload))
            for message in batch
            if self.part.holds(message.topic) and not _of_the_office(message.topic)
        ]
        while True:
            try:
                if self.shelf is not None:
                    self.shelf.keep(pairs)
                kept = self.store.keep(pairs)
                break
            except UplinkError as error:
                log.error("%s; not acknowledged, tried again", error)
                if self._leaving.wait(RETRY_S):
                    return  # it comes again with the next connection
        self.kept += kept
        self._client.acknowledge([message.mid for message in batch if message.qos])
        if self.heard is not None:
            for topic, payload in pairs:
                self.heard(topic, payload)
