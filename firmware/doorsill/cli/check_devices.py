"""What ``doorsill check`` says of camera, model, consent and card reader."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime
from itertools import combinations
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from doorsill.cli.check_papers import policy_of
from doorsill.config import Config, ConsentSection, refuse_network_camera
from doorsill.device import users, validity
from doorsill.device.fault import Fault
from doorsill.documents import pem
from doorsill.drivers.camera.opening import open_camera
from doorsill.drivers.nodes import camera_node, is_device
from doorsill.errors import ConfigError, DoorsillError, UntrustedError
from doorsill.models.allowed import allowed_models
from doorsill.process.holder import holder_of
from doorsill.process.in_time import in_time
from doorsill.services.detectors import open_detector, with_probed_delegate

FIT = 320, 256  # pixels: the size that the test picture is scaled to
CAMERA_S = 20.0  # limit for a camera to open and give a picture
READER_S = 5.0  # limit for pcscd to answer


def camera(config: Config, now: datetime) -> Iterator[Fault]:
    """The camera's driver and one picture, unless vision has the camera open."""
    section = config.camera
    if section.driver == "picamera":
        # A large import.
        from doorsill.drivers.camera.picamera_library import find_library

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
    named = {
        name: line
        for name in ("gpio_line", "lamp_line", "watchdog_line")
        if (line := getattr(section, name))
    }
    for name, line in named.items():
        try:
            from doorsill.drivers.gpio.line import parse_place  # needs gpiod

            parse_place(name, line)
        except ConfigError as error:
            yield Fault(str(error))
    for one, other in combinations(named, 2):
        if named[one] == named[other]:
            yield Fault(f"consent.{one} and consent.{other} are the same line")
    if section.watchdog_line and not section.medium.startswith("spi:"):
        says = f"consent.watchdog_line powers an SPI memory, not {section.medium!r}"
        yield Fault(says, 'medium = "spi:/dev/spidev0.0", as hw/README.md says')


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
