"""The bridge that we ship, from our broker to one that wants user and password."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from broker import FAST, SITE, Device, Site, device
from limits import END_S, wait_until
from messages import LIVE
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from places import ROOT

from doorsill.config import BrokerSection
from doorsill.uplink.paho_client import close, end_loop
from doorsill.wire.codec import encode
from doorsill.wire.discovery import describe, described_at
from doorsill.wire.guard import DISCOVERY, EgressGuard
from doorsill.wire.messages import State, topic
from doorsill_fleet.broker.mosquitto import free_port

FILE = ROOT / "provisioning" / "home-assistant" / "bridge.conf"
USER, PASSWORD = "doorsill", "correct horse"
DESCRIPTION = describe(SITE, "cam-01", "0.1.0", ["door"])


class Theirs:
    """Home Assistant's broker, and one who listens there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.port, self._folder = free_port(), folder
        passwords = folder / "passwords"
        passwords.touch(0o600)
        command = ["mosquitto_passwd", "-b", str(passwords), USER, PASSWORD]
        subprocess.run(command, check=True, timeout=END_S, capture_output=True)
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\n"
            f"password_file {passwords}\nuser root\n"
        )
        self.start()

    def start(self) -> None:
        command = ["mosquitto", "-c", str(self._folder / "mosquitto.conf")]
        self._child = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        self._child.terminate()
        self._child.wait(END_S)

    def listen(self) -> Ear:
        return Ear(self.port)


class Ear:
    """Hears everything: topic, payload, retained."""

    def __init__(self, port: int) -> None:
        self.heard: dict[str, tuple[bytes, bool]] = {}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.on_message = self._hear
        wait_until(lambda: self._connect(port))
        self._client.loop_start()

    def _connect(self, port: int) -> bool:
        try:
            return self._client.connect("127.0.0.1", port) == mqtt.MQTT_ERR_SUCCESS
        except OSError:
            return False

    def _hear(self, client: object, data: object, message: mqtt.MQTTMessage) -> None:
        self.heard[message.topic] = (message.payload, message.retain)

    def close(self) -> None:
        self._client.disconnect()
        end_loop(self._client, END_S)
        close(self._client)


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Theirs]:
    found = Theirs(tmp_path / "theirs")
    yield found
    found.stop()


def bridged(
    site: Site, port: int, password: str = PASSWORD, *, first: bool = False
) -> None:
    """Our broker with the shipped file, the two values set that a person sets."""
    text = FILE.read_text()
    assert text.count("homeassistant.local:1883") == text.count("CHANGE-ME") == 1
    text = text.replace("homeassistant.local:1883", f"127.0.0.1:{port}")
    conf = site.broker.folder / "mosquitto.conf"
    parts = [conf.read_text(), text.replace("CHANGE-ME", password)]
    conf.write_text("\n".join(reversed(parts) if first else parts))
    site.broker.restart()


def say(camera: Device) -> dict[str, bytes]:
    """The three messages that are kept; by their topics."""
    guard = EgressGuard(SITE, "cam-01", DESCRIPTION)
    said = {
        "state": encode(State(state="ready")),
        "live": encode(replace(LIVE, quality=())),
        DISCOVERY: DESCRIPTION,
    }
    for stream, payload in said.items():
        camera.publisher.send(guard.check(stream, payload, 0.0))
    camera.wait(lambda: not camera.publisher.unanswered)
    wanted = {topic(SITE, "cam-01", name): said[name] for name in ("state", "live")}
    return wanted | {described_at(SITE, "cam-01"): DESCRIPTION}


@pytest.fixture
def camera(own_site: Site) -> Iterator[Device]:
    found = device(own_site.address("cam-01"), FAST)
    yield found
    found.publisher.stop()


@pytest.mark.parametrize("first", [True, False], ids=["before ours", "behind ours"])
def test_what_a_camera_says_is_there_and_is_kept_there(
    own_site: Site, theirs: Theirs, camera: Device, first: bool
) -> None:
    bridged(own_site, theirs.port, first=first)
    wanted = say(camera.connect())
    with closing(theirs.listen()) as ear:
        wait_until(lambda: set(wanted) <= set(ear.heard))
        assert {name: ear.heard[name][0] for name in wanted} == wanted
    with closing(theirs.listen()) as late:  # as Home Assistant after its restart
        wait_until(
            lambda: (
                {name: (said, True) for name, said in wanted.items()}
                == {name: late.heard.get(name) for name in wanted}
            )
        )


def test_a_broker_that_forgot_everything_is_told_again(
    own_site: Site, theirs: Theirs, camera: Device
) -> None:
    bridged(own_site, theirs.port)
    wanted = say(camera.connect())
    with closing(theirs.listen()) as ear:
        wait_until(lambda: set(wanted) <= set(ear.heard))
    theirs.stop()
    theirs.start()  # which keeps nothing on disk
    with closing(theirs.listen()) as ear:
        wait_until(lambda: set(wanted) <= set(ear.heard), within_s=40.0)


def test_a_wrong_password_lets_nothing_through(
    own_site: Site, theirs: Theirs, camera: Device
) -> None:
    bridged(own_site, theirs.port, "wrong")
    wanted = say(camera.connect())
    log = own_site.broker.folder / "log"
    wait_until(lambda: "Connection Refused: Not authorized" in log.read_text())
    with closing(theirs.listen()) as ear:
        assert not set(wanted) & set(ear.heard)


def test_a_camera_has_no_place_for_a_password() -> None:
    """And the file that has one is short enough to be read."""
    options = set(BrokerSection.__dataclass_fields__)
    assert not {each for each in options if "pass" in each or "user" in each}
    lines = [each for each in FILE.read_text().splitlines() if each[:1] not in "#"]
    assert len(lines) <= 12
