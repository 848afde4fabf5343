"""A house with Home Assistant, its broker that wants a password, our broker, a bridge.

doorsill run ──TLS 1.3──► mosquitto (certificates) ──bridge──► mosquitto (password)
                                                                    │
                                                   Home Assistant ◄─┘
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limits import wait_until
from places import ROOT

from doorsill.documents import canonical
from doorsill_fleet.broker.mosquitto import Broker, access_list, free_port
from doorsill_fleet.stage.shop import DEVICE, SITE, Stage

BRIDGE = ROOT / "provisioning" / "home-assistant" / "bridge.conf"
USER, PASSWORD = "doorsill", "correct horse"
CLIENT = "http://127.0.0.1/"
LINES = (((0.0, 0.5), (1.0, 0.5)), ((0.0, 0.7), (1.0, 0.7)))
ZONE = [[0.0, 0.3], [1.0, 0.3], [1.0, 1.0], [0.0, 1.0]]
OTHER = "shop-2"  # another shop, with a camera of the same name
WITHIN_S, START_S, LOOK_S = 30.0, 120.0, 0.1
# What it says of this machine, and of its broker, which a test here starts again.
NOT_OURS = ("zlib_ng and isal are not available", "The connection was lost")
CONFIGURATION = """\
http:
  server_host: 127.0.0.1
  server_port: {port}
api:
config:
onboarding:
logger:
  default: info
"""


def until(done: Callable[[], Any], within_s: float = WITHIN_S, what: str = "") -> Any:
    """As wait_until, but Home Assistant is not asked 200 times a second."""
    return wait_until(done, what, within_s, between=lambda: time.sleep(LOOK_S))


@dataclass(slots=True)
class Shop(Stage):
    """As the demo's, with a zone; ``number`` of the lines are in the policy."""

    number: int = len(LINES)
    version: int = 1

    def policy_body(self) -> dict[str, Any]:
        body = Stage.policy_body(self)
        zone = {"id": "till", "kind": "count", "polygon": ZONE}
        return body | {
            "version": self.version,
            "lines": body["lines"][: self.number],
            "zones": [zone],
        }

    def sign_again(self) -> None:
        signed = canonical.seal(self.policy_body(), self.controller)
        (self.folder / "policy.json").write_bytes(signed)


@dataclass(slots=True)
class House:
    """Everything that runs in it."""

    root: Path  # of the Debian that holds Home Assistant
    folder: Path
    shop: Shop = field(init=False)
    theirs: Broker = field(init=False)  # started as our brokers are
    port: int = field(default_factory=free_port)
    their_port: int = field(default_factory=free_port)
    token: str = ""
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def open(self) -> None:
        """Both brokers, Home Assistant with its MQTT integration; no camera yet."""
        self.shop = Shop(self.folder / "shop", LINES)
        self.shop.set()
        self._bridge()
        self._their_broker()
        self.shop.broker.start()
        self._configure()
        self.start_home_assistant()
        self._onboard()
        self._integrate()

    def close(self) -> None:
        for name in list(self.children):
            self.stop(name)
        self.shop.broker.stop()

    # --- brokers

    def _bridge(self) -> None:
        """The shipped file, with this house's address and password, and shop 2."""
        text = BRIDGE.read_text()
        text = text.replace("homeassistant.local:1883", f"127.0.0.1:{self.their_port}")
        text = text.replace("CHANGE-ME", PASSWORD)
        folder = self.shop.broker.folder
        conf = folder / "mosquitto.conf"
        conf.write_text(f"{conf.read_text()}\n{text}")
        access = folder / "access"
        access.write_text(f"{access.read_text()}\n{access_list(OTHER, [DEVICE], [])}")

    def _their_broker(self) -> None:
        folder = self.folder / "theirs"
        folder.mkdir()
        passwords = folder / "passwords"
        passwords.touch(0o600)
        for user in (USER, "homeassistant"):
            command = ["mosquitto_passwd", "-b", str(passwords), user, PASSWORD]
            subprocess.run(command, check=True, timeout=WITHIN_S, capture_output=True)
        (folder / "mosquitto.conf").write_text(
            f"listener {self.their_port} 127.0.0.1\nallow_anonymous false\n"
            f"password_file {passwords}\nuser root\nlog_dest stderr\n"
        )
        self.start_their_broker()

    def start_their_broker(self) -> None:
        folder = self.folder / "theirs"
        self.start("theirs", "mosquitto", "-c", str(folder / "mosquitto.conf"))

    # --- the camera

    def start_camera(self) -> None:
        config = str(self.shop.configuration)
        self.start(
            "camera", sys.executable, "-m", "doorsill", "run", "--config", config
        )

    # --- Home Assistant

    def _configure(self) -> None:
        home = self.root / "root" / "config"
        home.mkdir(parents=True, exist_ok=True)
        (home / "configuration.yaml").write_text(CONFIGURATION.format(port=self.port))

    def start_home_assistant(self) -> None:
        """Until it answers."""
        before = self._births()
        self.start(
            "home-assistant", "chroot", str(self.root), "env", "-i", "HOME=/root",
            "LANG=C.UTF-8", "PATH=/opt/ha/bin:/usr/bin:/bin", "hass", "-c",
            "/root/config", "--log-rotate-days", "1",
        )  # fmt: skip
        until(self._answers, START_S, "Home Assistant answers")
        if self.token:  # else its integration is not there yet
            until(lambda: self._births() > before, START_S, "it greets its broker")

    def _births(self) -> int:
        """How often it announced itself to its broker."""
        log = self.log("home-assistant")
        return log.read_text().count("birth message sent") if log.exists() else 0

    def _answers(self) -> bool:
        try:
            return bool(self.ask("/api/config" if self.token else "/manifest.json"))
        except (OSError, ValueError):
            return False

    def ask(self, path: str, body: Any = None, form: bool = False) -> Any:
        """Its REST API; JSON, or the text of a template."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = None
        if body is not None:
            text = urllib.parse.urlencode(body) if form else json.dumps(body)
            data = text.encode()
            kind = "x-www-form-urlencoded" if form else "json"
            headers["Content-Type"] = f"application/{kind}"
        url = f"http://127.0.0.1:{self.port}{path}"
        asked = urllib.request.Request(url, data, headers)
        with urllib.request.urlopen(asked, timeout=WITHIN_S) as answer:  # noqa: S310
            said = answer.read().decode()
        return said if path == "/api/template" else json.loads(said)

    def _onboard(self) -> None:
        """As the first person who opens it in a browser."""
        person = {
            "client_id": CLIENT,
            "name": "Ana",
            "username": "ana",
            "password": PASSWORD,
            "language": "en",
        }
        code = until(lambda: self._onboarded(person), START_S)["auth_code"]
        grant = {
            "client_id": CLIENT,
            "grant_type": "authorization_code",
            "code": code,
        }
        self.token = self.ask("/auth/token", grant, form=True)["access_token"]

    def _onboarded(self, person: dict[str, str]) -> Any:
        try:
            return self.ask("/api/onboarding/users", person)
        except urllib.error.HTTPError as error:
            if error.code in (404, 503):  # it still starts
                return None
            raise

    def _integrate(self) -> None:
        """The MQTT integration, with user and password, as its form asks for them."""
        flows = "/api/config/config_entries/flow"
        flow = self.ask(flows, {"handler": "mqtt", "show_advanced_options": False})
        done = self.ask(
            f"{flows}/{flow['flow_id']}",
            {
                "broker": "127.0.0.1",
                "port": self.their_port,
                "username": "homeassistant",
                "password": PASSWORD,
            },
        )
        assert done["type"] == "create_entry", done
        until(self._births, START_S, "it greets its broker")

    def states(self) -> dict[str, str]:
        """Of our entities, by their ids."""
        ours = json.loads(self.template("{{ integration_entities('mqtt') | to_json }}"))
        found = {each["entity_id"]: each["state"] for each in self.ask("/api/states")}
        return {each: found[each] for each in ours if each in found}

    def template(self, text: str) -> str:
        return str(self.ask("/api/template", {"template": text}))

    def complaints(self) -> list[str]:
        """What its log says beside good news."""
        text = self.log("home-assistant").read_text(errors="replace")
        return [
            line
            for line in text.splitlines()
            if (" ERROR " in line or " WARNING " in line or "Traceback" in line)
            and not any(words in line for words in NOT_OURS)
        ]

    # --- children

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def start(self, name: str, *command: str) -> None:
        with self.log(name).open("ab") as log:
            self.children[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT
            )

    def stop(self, name: str) -> None:
        child = self.children.pop(name)
        child.terminate()
        try:
            child.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(WITHIN_S)


def known(states: dict[str, str]) -> bool:
    """Whether each has a value."""
    return bool(states) and not {"unknown", "unavailable"} & set(states.values())


NAMES = (SITE, DEVICE)
