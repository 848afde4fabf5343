"""One TOML file becomes one frozen Config; all errors are reported at once.

An option exists only if a store would set it. A key that is unknown, missing,
mistyped or out of bounds is an error at start that names section, option, value and
bound. What the device may do stands in the signed policy, not here.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from doorsill.documents.fields import HOST, PORT_MOST, Fields, unknown
from doorsill.documents.reading import parse_toml, read_if_there
from doorsill.documents.sections import option, read_section, without_none
from doorsill.errors import ConfigError
from doorsill.privacy.floors import EPSILON_CEILING_PER_DAY, K_FLOOR

PROCESSES = {
    "vision": "doorsill.services.vision",
    "uplink": "doorsill.services.uplink_start",
    "vault": "doorsill.services.vault",
    "policy": "doorsill.services.policy",
}
LASTING = ("vision", "uplink", "vault")  # the others do one thing and end
INSTALLED = Path("/etc/doorsill/doorsill.toml")  # where the systemd units expect it
ID_PATTERN = r"[a-z0-9-]{1,16}"
NETWORK_SOURCES = ("rtsp:", "rtsps:", "rtmp:", "http:", "https:", "udp:", "tcp:")


@dataclass(frozen=True, slots=True)
class DeviceSection:
    """Who this device is, and where it keeps what must survive a power cut."""

    id: str = option(pattern=ID_PATTERN)
    site: str = option(pattern=ID_PATTERN)
    state: Path = option(Path("/var/lib/doorsill"))
    run: Path = option(Path("/run/doorsill"))


@dataclass(frozen=True, slots=True)
class CameraSection:
    """Which camera looks at the door."""

    driver: str = option(choices=("street", "video", "picamera"))
    source: str = option("")
    frame_rate: float = option(12.5, least=3.0, most=60.0)


@dataclass(frozen=True, slots=True)
class ModelSection:
    """Which models run, and on what."""

    detector: str = option("detector")
    attributes: str = option("attributes")
    runtime: str = option("litert", choices=("litert", "tflite-runtime"))
    threads: int = option(1, least=1, most=8)
    delegate: str = option("")
    delegate_fallback: bool = option(False)


@dataclass(frozen=True, slots=True)
class PolicySection:
    """Where the signed policy is, and the key that must have signed it."""

    file: Path = option()
    controller_key: Path = option()


@dataclass(frozen=True, slots=True)
class BrokerSection:
    """Where the counts go: MQTT 5 over mutual TLS 1.3, nothing else."""

    host: str = option(pattern=HOST)
    ca: Path = option()
    certificate: Path = option()
    key: Path = option()
    port: int = option(8883, least=1, most=PORT_MOST)
    discovery: bool = option(True)
    revoked: Path | None = option(None)  # revocation list for the broker's certificate


@dataclass(frozen=True, slots=True)
class PrivacySection:
    """The store's own, stricter bounds; the stricter of this and the policy holds."""

    k: int = option(K_FLOOR, least=K_FLOOR, most=1000)
    epsilon_per_day: float = option(
        EPSILON_CEILING_PER_DAY, least=0.01, most=EPSILON_CEILING_PER_DAY
    )


@dataclass(frozen=True, slots=True)
class ConsentSection:
    """The consent vault; a file without this section means: always blank."""

    ca: Path = option()
    token: str = option("piv", choices=("piv", "fido2"))
    reader: str = option("")
    medium: str = option("memory")
    medium_bytes: int = option(4 << 20, least=64 << 10, most=1 << 30)
    gpio_line: str = option("")  # a key switch that must be on as well
    lamp_line: str = option("")  # the lamp that is lit while faces may be stored
    watchdog_line: str = option("")  # the interlock board's, with an SPI memory


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that ``doorsill run`` needs to know before it starts."""

    device: DeviceSection
    camera: CameraSection
    policy: PolicySection
    broker: BrokerSection
    model: ModelSection = field(default_factory=ModelSection)
    privacy: PrivacySection = field(default_factory=PrivacySection)
    consent: ConsentSection | None = None

    @property
    def controller_key(self) -> Path:
        """The controller's public key, PEM: it must have signed the policy."""
        return self.policy.controller_key

    @property
    def policy_in_force(self) -> Path:
        """The last policy that was accepted."""
        return self.device.state / "policy" / "policy.json"

    @property
    def verdict(self) -> Path:
        """What became of the policy that came by air last."""
        return self.policy_in_force.parent / "verdict"

    @property
    def arrived(self) -> Path:
        """Where the uplink puts a policy that came by air, for the policy process."""
        return self.device.state / "arrived" / "policy.json"

    @property
    def outbox(self) -> Path:
        """What waits for the broker, and the totals that survive a power cut."""
        return self.device.state / "outbox" / "outbox.db"

    @property
    def uplink_socket(self) -> Path:
        """Where the uplink answers questions of a person: in its own folder."""
        return self.outbox.parent / "uplink.sock"

    @property
    def reader_note(self) -> Path:
        """Where the vault leaves a word on its reader, which the uplink reports."""
        return self.device.run / "vault" / "reader"

    @property
    def pcscd_note(self) -> Path:
        """Where the vault asks for another pcscd; doorsill-pcscd.path watches it."""
        return self.device.run / "vault" / "pcscd"

    @property
    def tray(self) -> Path:
        """Where the vault lays out certificates, which the uplink sends."""
        return self.device.run / "vault" / "certificates"

    @property
    def vault_folder(self) -> Path:
        """Where certificates, marker and lock are; the vault may write nowhere else."""
        return self.device.state / "vault"

    @property
    def certificates(self) -> Path:
        """The chain of blanking certificates."""
        return self.vault_folder / "certificates"

    @property
    def vault_socket(self) -> Path:
        """Where the vault answers questions of a person."""
        return self.device.run / "vault" / "vault.sock"

    def declaration(self, process: str) -> Path:
        """Where vision or uplink declares which policy it obeys; the vault is asked."""
        folder = self.device.run if process == "vision" else self.outbox.parent
        return folder / f"{process}.policy"

    @property
    def cell_socket(self) -> Path:
        """Where vision listens for the uplink."""
        return self.device.run / "cells.sock"

    @property
    def face_socket(self) -> Path:
        """Where vision listens for the vault."""
        return self.device.run / "faces.sock"


def load_config(path: Path) -> Config:
    """Read and check ``path``; raises one ConfigError that lists every problem."""
    config, problems = read_config(path)
    if config is None:
        raise ConfigError(*problems).of(path)
    return config


def read_config(path: Path) -> tuple[Config | None, list[str]]:
    """Read ``path``; a Config and no problems, or None and all of them."""
    try:
        data = read_if_there(path)
        if data is None:
            return None, ["there is no such file"]
        document = parse_toml(data)
    except ConfigError as error:
        return None, [str(error)]
    return parse_config(document, path.parent)


def parse_config(
    document: dict[str, Any], folder: Path
) -> tuple[Config | None, list[str]]:
    """Check a parsed document; relative paths are taken from ``folder``."""
    problems: list[str] = []
    sections: dict[str, Any] = {}
    known = typing.get_type_hints(Config)
    for name in document:
        if name not in known:
            problems.append(unknown(f"[{name}]", name, known, "a section"))
    for section in fields(Config):
        kind = without_none(known[section.name])
        if section.name in document:
            given = Fields(section.name, document[section.name], [])
            sections[section.name] = read_section(given, kind, folder)
            problems += given.problems
        elif section.default is MISSING and section.default_factory is MISSING:
            problems.append(f"section [{section.name}] is missing")
    if problems:
        return None, problems
    config = Config(**sections)
    problems = list(_across(config))
    return (None if problems else config), problems


def _across(config: Config) -> Iterator[str]:
    """Problems between two sections that are right by themselves."""
    consent, camera = config.consent, config.camera
    real = camera.driver == "picamera" or camera.source.startswith("/dev/")
    if consent is not None and consent.token == "piv" and real and not consent.reader:  # noqa: S105
        yield (
            "consent.reader is missing: at a real camera the reader is named, a part "
            "of its name as `doorsill consent readers` shows it; without it a card in "
            "any reader opens the vault, also in one that a program makes up"
        )


def refuse_network_camera(source: str) -> None:
    """ConfigError for a camera on the network, which vision cannot reach."""
    if source.lower().startswith(NETWORK_SOURCES):
        raise ConfigError(
            f"camera.source = {source} is a network address, and the process that sees "
            "pixels has no network; attach a camera, or use `doorsill count` to "
            "evaluate a stream"
        )
