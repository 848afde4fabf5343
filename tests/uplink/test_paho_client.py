"""What we have of paho's own parts: the end of its thread, in bounded time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from limits import END_S
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from doorsill.process.in_time import in_time
from doorsill.uplink.paho_client import close, end_loop


class Client(mqtt.Client):
    """Its thread ends by itself while it is looked at for the ``last``-th time."""

    last = 0  # looks that are left; 0: nobody counts

    def __init__(self) -> None:
        super().__init__(CallbackAPIVersion.VERSION2)
        self.over = threading.Event()

    def loop_forever(self, *_: Any, **__: Any) -> MQTTErrorCode:
        self.over.wait(END_S)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if isinstance(found, threading.Thread) and self.last:
            self.last -= 1
            if not self.last:
                self.over.set()
                found.join(END_S)
        return found


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client()
    made.loop_start()
    yield made
    made.over.set()
    end_loop(made, END_S)
    close(made)


def test_a_thread_that_ends_while_it_is_looked_at_is_no_fault(client: Client) -> None:
    client.last = 1
    end_loop(client, END_S)


def test_control_paho_s_own_end_fails_there(client: Client) -> None:
    client.last = 2
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute"):
        in_time(END_S, "it hangs", client.loop_stop)


def test_a_thread_that_goes_on_is_said(client: Client) -> None:
    with pytest.raises(TimeoutError, match=r"did not end within 0\.01 s"):
        end_loop(client, 0.01)
