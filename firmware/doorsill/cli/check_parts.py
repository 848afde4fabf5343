"""The parts of ``doorsill check``: each function yields the faults of one subject."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from doorsill.config import Config, ConsentSection, refuse_network_camera
from doorsill.device import clock, identity, users, validity
from doorsill.device.fault import Fault
from doorsill.documents import pem
from doorsill.documents.reading import read_file, read_if_there
from doorsill.drivers.camera.opening import open_camera
from doorsill.drivers.nodes import camera_node, is_device
from doorsill.errors import ConfigError, DoorsillError, UntrustedError
from doorsill.models.allowed import allowed_models, require_allowed
from doorsill.models.manifest import shipped, verified_model
from doorsill.policy.acceptance import require_place, verify
from doorsill.policy.document import Place, Policy
from doorsill.policy.store import read_public_key
from doorsill.process import locks
from doorsill.process.holder import holder_of
from doorsill.process.in_time import in_time
from doorsill.services.detectors import open_detector, with_probed_delegate
from doorsill.services.policies import store_of

FIT = 320, 256  # pixels: the size that the test picture is scaled to
CAMERA_S = 20.0  # limit for a camera to open and give a picture
RESOLVE_S = 10.0  # limit for the broker's name to be looked up
READER_S = 5.0  # limit for pcscd to answer
MIB = 1 << 20  # bytes
DISK_LEAST_MIB = 16  # less free space is an error
DISK_SOON_MIB = 128  # less free space is a warning
CREDENTIAL = Path("/etc/doorsill/device.key")  # systemd gives the units a copy
UNIT_USERS = ("doorsill-vision", "doorsill-uplink", "doorsill-vault", "doorsill-policy")


def kernel(config: Config, now: datetime) -> Iterator[Fault]:
    """Whether this kernel can hold the processes."""
    offered = locks.probe_locks().held
    if locks.Lock.SECCOMP not in offered:
        says = "this kernel has no seccomp, so no process of doorsill starts"
        yield Fault(says, "use a kernel with CONFIG_SECCOMP_FILTER")
    if locks.Lock.LANDLOCK not in offered:
        yield Fault(
            "this kernel has no landlock: seccomp holds vision, and a mount namespace "
            "of the units or of `doorsill run` holds the others",
            "use a kernel with CONFIG_SECURITY_LANDLOCK and lsm=landlock",
            warning=True,
        )


def time(config: Config, now: datetime) -> Iterator[Fault]:
    """Whether the clock can be right."""
    known = clock.when_written(config.policy_in_force)
    with contextlib.suppress(ConfigError):  # another part reports it
        chain = pem.read_chain(config.broker.certificate)
        known += [each.not_valid_before_utc.timestamp() for each in chain]
    floor = datetime.fromtimestamp(clock.floor_of(known), UTC)
    if now < floor:
        yield Fault(
            f"the clock says {now:%Y-%m-%d %H:%M} UTC, and it is later than "
            f"{floor:%Y-%m-%d %H:%M} for sure",
            "set it: timedatectl; is a time server in reach?",
        )


def the_policy(config: Config, now: datetime) -> Iterator[Fault]:
    """The policy that a start would take."""
    read_public_key(config.controller_key)
    found = policy_of(config)
    if found is None:
        yield Fault(
            f"policy.file = {config.policy.file} does not exist, and none is in force",
            "sign one: doorsill policy new, then doorsill policy sign",
        )
        return
    try:
        require_place(found, Place(config.device.site, config.device.id))
    except UntrustedError as error:
        yield Fault(str(error), "sign one for this site and device")
    if found.consent is not None and config.consent is None:
        yield Fault("the policy allows consent, but there is no section [consent]")
    if found.attributes and config.model.attributes:
        manifest = shipped(config.model.attributes)
        require_allowed(manifest.sha256, allowed_models(found.models), manifest.name)
        verified_model(manifest)


def policy_of(config: Config) -> Policy | None:
    """The policy that a start would take, verified; None if there is none."""
    document = read_if_there(config.policy.file)
    if document is not None:
        return verify(document, read_public_key(config.controller_key))
    if config.policy_in_force.exists():
        return store_of(config).load()
    return None


def key(config: Config, now: datetime) -> Iterator[Fault]:
    """The device's key, read as the user that will use it."""
    try:
        _public_key(config)
    except DoorsillError as error:
        user = _key_user(config)
        step = f"keep it as {CREDENTIAL}, root's alone: systemd hands out a copy"
        yield Fault(f"{user}: {error}" if user else str(error), step if user else "")


def certificates(config: Config, now: datetime) -> Iterator[Fault]:
    """The device's chain of certificates: its dates, and its name."""
    broker = config.broker
    chain = pem.read_chain(broker.certificate)
    yield from validity.of_chain(broker.certificate, chain, now)
    site, device = identity.names_of(chain[0])
    if device != config.device.id:
        yield Fault(
            f"{broker.certificate} is for {device}, but device.id = {config.device.id}"
        )
    if site and site != config.device.site:
        yield Fault(
            f"{broker.certificate} is of {site}, but device.site = {config.device.site}"
        )
    with contextlib.suppress(DoorsillError):  # ``key`` reports it
        if _public_key(config) != pem.public_of_certificate(chain[0]):
            yield Fault(f"{broker.certificate} is not the certificate of {broker.key}")


def _key_user(config: Config) -> str | None:
    """The user that reads the key, if it is not ours."""
    path, user = config.broker.key, "doorsill-uplink"
    other = os.geteuid() == 0 and path != CREDENTIAL and users.is_there(user)
    return user if other else None


def _public_key(config: Config) -> bytes:
    path, user = config.broker.key, _key_user(config)
    if user is None:
        return pem.public_of(path)
    return users.run_apart(lambda: pem.public_of(path), READER_S, user)


def authorities(config: Config, now: datetime) -> Iterator[Fault]:
    """The CAs that may issue the broker's certificate."""
    broker = config.broker
    bundle = pem.read_chain(broker.ca)
    yield from validity.of_bundle(broker.ca, bundle, now)
    if broker.revoked is not None:
        yield from validity.of_list(
            broker.revoked, read_file(broker.revoked), bundle, now
        )
    try:
        chain = pem.read_chain(broker.certificate)
    except ConfigError:
        return  # ``certificates`` reports it
    yield from validity.of_issuer(broker.certificate, chain, bundle)


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


def camera(config: Config, now: datetime) -> Iterator[Fault]:
    """The camera's driver and one picture, unless vision has the camera open."""
    section = config.camera
    if section.driver == "picamera":
        from doorsill.drivers.camera.picamera_library import (
            find_library,
        )  # a large import

        find_library()
    if section.driver == "video":
        refuse_network_camera(section.source)
        if not section.source:
            says = "camera.source is missing: a file or a device such as /dev/video0"
            yield Fault(says)
            return
        if not Path(section.source).exists():
            step = "is it plugged in? `ls /dev/video*` shows what is"
            yield Fault(f"camera.source = {section.source} does not exist", step)
            return
        if not os.access(section.source, os.R_OK):
            says = f"camera.source = {section.source} cannot be read by this user"
            yield Fault(says, "let this user join the group video")
            return
        if is_device(section.source):
            camera_node(section.source)
    if holder_of(config.declaration("vision")) is None:
        yield from _picture(config)


def _picture(config: Config) -> Iterator[Fault]:
    """Open the camera for a moment, in a child, which may hang without harm."""
    section = config.camera

    def look() -> None:
        found = open_camera(section.driver, section.source, FIT, live=False)
        try:
            if found.read() is None:
                raise ConfigError("it holds no frame")
        finally:
            found.close()

    try:
        users.run_apart(look, CAMERA_S)
    except DoorsillError as error:
        step = "is it plugged in, and does no other program use it?"
        yield Fault(f"the camera gives no picture: {error}", step)


def model(config: Config, now: datetime) -> Iterator[Fault]:
    """The detector may run, can be loaded and has the right shape."""
    found = None
    with contextlib.suppress(DoorsillError):  # ``the_policy`` reports it
        found = policy_of(config)
    allowed = None if found is None else allowed_models(found.models)
    open_detector(with_probed_delegate(config.model, allowed), allowed)
    yield from ()


def consent(config: Config, now: datetime) -> Iterator[Fault]:
    """What would keep the vault shut for ever, as far as it shows without a card."""
    section = config.consent
    if section is None:
        return
    yield from _lines(section)
    ca = pem.read_certificate(section.ca)
    yield from validity.of_chain(section.ca, [ca], now)
    found = policy_of(config)
    if found is not None and found.consent is None:
        says = "there is a section [consent], but the policy allows no consent cards"
        yield Fault(says)
    elif found is not None and found.consent is not None:
        pin = ca.fingerprint(hashes.SHA256()).hex()
        if pin != found.consent.ca:
            yield Fault(f"{section.ca} is not the consent CA that the policy names")
        if found.consent.lamp and not section.lamp_line:
            says = "the policy wants a consent lamp, but consent.lamp_line is missing"
            yield Fault(says)


def _lines(section: ConsentSection) -> Iterator[Fault]:
    named = {"gpio_line": section.gpio_line, "lamp_line": section.lamp_line}
    for name, line in named.items():
        try:
            if line:
                from doorsill.drivers.gpio.line import parse_place  # needs gpiod

                parse_place(name, line)
        except ConfigError as error:
            yield Fault(str(error))
    if section.lamp_line and section.lamp_line == section.gpio_line:
        yield Fault("consent.lamp_line and consent.gpio_line are the same line")


def reader(config: Config, now: datetime) -> Iterator[Fault]:
    """Whether pcscd answers, and the configured reader is there."""
    section = config.consent
    if section is None:
        return
    if section.token != "piv":  # noqa: S105 - a kind of token
        yield from _keys()
        return
    from doorsill.drivers.token.pcsc import readers  # needs pyscard

    try:
        names = in_time(READER_S, "pcscd does not answer", readers)
    except (UntrustedError, TimeoutError) as error:
        yield Fault(str(error), "systemctl start pcscd.socket; journalctl -u pcscd")
        return
    if not [name for name in names if section.reader in name]:
        there = f"; there is {', '.join(names)}" if names else ""
        named = f" named {section.reader}" if section.reader else ""
        yield Fault(
            f"there is no card reader{named}{there}", "plug it in; `lsusb` shows it"
        )


def _keys() -> Iterator[Fault]:
    """Whether a FIDO2 key is plugged in that the vault's user may not open."""
    from doorsill.drivers.token.fido_ports import (  # needs fido2
        keys_refused,
        refusal_of,
    )

    for name in keys_refused():
        yield Fault(refusal_of(name))


def folders(config: Config, now: datetime) -> Iterator[Fault]:
    """Whether the folders for state and run can be written, and have room."""
    for name, folder in (("state", config.device.state), ("run", config.device.run)):
        nearest = next(each for each in (folder, *folder.parents) if each.exists())
        if not nearest.is_dir():
            yield Fault(f"device.{name} = {folder}: {nearest} is not a folder")
        elif not os.access(nearest, os.W_OK):
            says = f"device.{name} = {folder}: this user cannot write to {nearest}"
            yield Fault(says, f"chown or chmod {nearest}, or run as root")
        elif name == "state":
            yield from _room(nearest)


def _room(folder: Path) -> Iterator[Fault]:
    free = shutil.disk_usage(folder).free // MIB
    if free < DISK_SOON_MIB:
        says = f"{free} MiB are free under {folder}; it should be {DISK_SOON_MIB}"
        yield Fault(says, f"make room: df {folder}", warning=free >= DISK_LEAST_MIB)


def permissions(config: Config, now: datetime) -> Iterator[Fault]:
    """The files that each unit's user must read, tried as that user; only as root."""
    if os.geteuid() != 0:
        return
    common = (config.controller_key, config.policy_in_force)
    of_broker = (config.broker.certificate, config.broker.ca)
    of_consent = () if config.consent is None else (config.consent.ca,)
    wanted = {
        "doorsill-vision": common,
        "doorsill-uplink": (*common, *of_broker),
        "doorsill-vault": (*common, *of_consent) if of_consent else (),
        "doorsill-policy": (config.controller_key,),
    }
    for user, paths in wanted.items():
        for path in paths:
            if users.is_there(user) and path.exists():
                yield from _readable(user, path)


def _readable(user: str, path: Path) -> Iterator[Fault]:
    try:
        users.run_apart(lambda: read_file(path) and None, READER_S, user)
    except ConfigError as error:
        step = (
            f"chgrp doorsill {path}; chmod g+r {path}; the same for its folders (g+x)"
        )
        yield Fault(f"{user}: {error}", step)


def running(config: Config, now: datetime) -> Iterator[Fault]:
    """Whether doorsill runs here; a second `doorsill run` would be refused."""
    for name in ("vision", "uplink"):
        pid = holder_of(config.declaration(name))
        if pid is not None:
            yield Fault(
                f"doorsill runs here already (pid {pid}); the camera was not opened",
                "doorsill status says how it is; a second `doorsill run` is refused",
                warning=True,
            )
            return
