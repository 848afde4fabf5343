"""The folder with which an office brings cameras into service by hand.

    stores/ca.pem, ca.key               the authority; its key stays here
    stores/controller.key, .key.pub     the key that signs policies
    stores/reader-store.pem, .key       for the program that receives the numbers
    stores/broker/                      all files for the broker's machine
    stores/cameras/porto-1_cam-01/      all files for one camera's /etc/doorsill

Only the broker's access list is ever overwritten. A camera whose folder was removed has
no right at the broker any more, once the broker has the new list.
"""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from doorsill.config import Config, read_config
from doorsill.documents import pem
from doorsill.documents.durable import put
from doorsill.documents.reading import read_file
from doorsill.documents.toml_text import replace_value
from doorsill.errors import ConfigError, DoorsillError
from doorsill.policy.acceptance import accept
from doorsill.policy.document import Place
from doorsill.policy.store import read_public_key
from doorsill.wire.messages import client
from doorsill_fleet.broker.mosquitto import access_list, listener
from doorsill_fleet.ca.authority import Authority, Issued, require_name
from doorsill_fleet.office.new_folder import (
    make_private,
    require_host,
    require_new,
    whole,
)

READER = "store"  # name of the reader that is made
AT_THE_BROKER = Path("/etc/mosquitto/doorsill")  # the folder on the broker's machine
# The example configuration: in the installed package, and in a source tree.
EXAMPLES = (
    Path(__file__).parents[1] / "doorsill.toml",
    Path(__file__).parents[3] / "firmware" / "systemd" / "doorsill.toml",
)


@dataclass(frozen=True, slots=True)
class Office:
    """The folder, after :func:`found` has made it."""

    folder: Path

    @property
    def broker(self) -> Path:
        """The files for the broker's machine."""
        return self.folder / "broker"

    @property
    def cameras(self) -> Path:
        """The folder that holds one folder for each camera."""
        return self.folder / "cameras"

    def admitted_cameras(self) -> list[tuple[str, str]]:
        """Site and id of each camera, in order."""
        found = []
        for each in sorted(self.cameras.iterdir()):
            site, joined, device = each.name.partition("_")
            half_made = each.name.startswith(".")  # left by a power cut
            if joined and each.is_dir() and not half_made:
                found.append((site, device))
        return found

    def write_access(self) -> None:
        """Write the broker's access list: all of ``cameras``, and the reader."""
        sites: dict[str, list[str]] = {}
        for site, device in self.admitted_cameras():
            sites.setdefault(site, []).append(device)
        text = "\n".join(
            access_list(site, ids, [READER]) for site, ids in sites.items()
        )
        put(self.broker / "access", text.encode())


@dataclass(frozen=True, slots=True)
class Camera:
    """Which camera is to be admitted."""

    site: str
    device: str
    policy: Path  # a signed policy for it
    driver: str = "picamera"  # camera.driver of its configuration
    source: str = ""  # camera.source of its configuration


def found(
    folder: Path, hosts: list[str], port: int, now: datetime, passphrase: bytes = b""
) -> Office:
    """Make the folder: authority, controller's key, broker and reader.

    ``hosts`` are the names of the broker; cameras use the first. Raises ConfigError if
    the folder exists, or a name cannot be one.
    """
    require_new(folder)
    for host in hosts:
        require_host(host)
    authority = Authority.create("doorsill", now)
    server = authority.issue_server(hosts, now)
    with whole(folder) as part:
        made = Office(part)
        for each in (made.broker, made.cameras):
            make_private(each)
        authority.write_root(part)
        authority.write_root(made.broker)
        pem.write_key(part / "ca.key", authority.key, passphrase)
        _make_controller(part / "controller.key", passphrase)
        server.write(made.broker, "broker")
        authority.issue_reader(READER, now).write(part, f"reader-{READER}")
        conf = "\n".join(listener(AT_THE_BROKER, port)) + "\n"
        put(made.broker / "doorsill.conf", conf.encode())
        made.write_access()
        address = f'broker = "{hosts[0]}"\nport = {port}\n'
        put(part / "office.toml", address.encode())
    return Office(folder)


def open_office(folder: Path) -> Office:
    """The office in ``folder``; ConfigError if there is none."""
    if not (folder / "office.toml").is_file():
        raise ConfigError(
            f"{folder} is no office; make one: doorsill-fleet ca {folder}"
        )
    return Office(folder)


def admit(
    office: Office, camera: Camera, now: datetime, ask: Callable[[], bytes]
) -> Path:
    """Make all that ``camera`` needs, and give it its rights; returns its folder.

    ``ask`` gives the passphrase of the authority's key, if it has one. Raises
    ConfigError or UntrustedError if the policy is not for this camera, or there is a
    camera of this name already.
    """
    name = client(require_name(camera.site), require_name(camera.device))
    folder = office.cameras / name
    if folder.exists():
        raise ConfigError(f"{folder} exists; to make a camera again, remove it first")
    _require_policy(office, camera)
    issued = _issue(office, camera, now, ask)
    with whole(folder) as part:
        for made, source in (
            ("ca.pem", office.folder / "ca.pem"),
            ("controller.key.pub", office.folder / "controller.key.pub"),
            ("policy.json", camera.policy),
        ):
            put(part / made, read_file(source))
        pem.write_key(part / pem.KEY_NAME, issued.key)
        certificate = issued.certificate.public_bytes(serialization.Encoding.PEM)
        put(part / pem.CERTIFICATE_NAME, certificate)
        text = _configuration(office, camera)
        put(part / "doorsill.toml", text.encode())
        _require_whole(part / "doorsill.toml")
    office.write_access()
    return folder


def _make_controller(path: Path, passphrase: bytes) -> None:
    key = pem.create_key(path, passphrase)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    put(path.with_name(f"{path.name}.pub"), public)


def _require_policy(office: Office, camera: Camera) -> None:
    key = read_public_key(office.folder / "controller.key.pub")
    place = Place(camera.site, camera.device)
    try:
        accept(None, read_file(camera.policy), key, place, time.time())
    except DoorsillError as error:
        raise error.of(camera.policy) from None


def _issue(
    office: Office, camera: Camera, now: datetime, ask: Callable[[], bytes]
) -> Issued:
    root: ec.EllipticCurvePrivateKey = pem.read_key(office.folder / "ca.key", ask)
    certificate = pem.read_certificate(office.folder / "ca.pem")
    return Authority(certificate, root).issue_device(camera.site, camera.device, now)


def _configuration(office: Office, camera: Camera) -> str:
    """The shipped example with this camera's values."""
    address = tomllib.loads((office.folder / "office.toml").read_text("utf-8"))
    text = next(each for each in EXAMPLES if each.is_file()).read_text("utf-8")
    source = f"\nsource = {json.dumps(camera.source)}" if camera.source else ""
    values = {
        "id": json.dumps(camera.device),
        "site": json.dumps(camera.site),
        "driver": json.dumps(camera.driver) + source,
        "host": json.dumps(address["broker"]),
        "port": str(address["port"]),
    }
    for key, value in values.items():
        text = replace_value(text, key, f"{key} = {value}")
    return text


def _require_whole(path: Path) -> Config:
    config, problems = read_config(path)
    if config is None:
        raise ConfigError(*problems)
    return config
