"""``doorsill check``: all that is wrong with a configuration, at once.

It looks at everything that a start would need, the policy, keys, certificates, models,
camera and folders, and changes nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes

from doorsill import policy
from doorsill.config import (
    Config,
    ConsentSection,
    add_config,
    read_config,
    refuse_network_camera,
)
from doorsill.device import identity
from doorsill.device.policy_store import read_public_key, store_of
from doorsill.drivers.nodes import camera_node, is_device
from doorsill.errors import ConfigError, DoorsillError, UntrustedError
from doorsill.models_allowed import allowed_models, require_allowed
from doorsill.reading import read_if_there
from doorsill.registry import shipped, verified_model
from doorsill.vision.detectors import open_detector, with_probed_delegate

EXPIRES_SOON = timedelta(days=30)
EPILOG = """\
examples:
  doorsill check
  doorsill check --config shop.toml && systemctl restart doorsill.target

Exit code: 0 when nothing is wrong, 2 otherwise.
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Join the command to the command line."""
    parser = subparsers.add_parser(
        "check",
        help="say all that is wrong with a configuration",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_config(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Print every problem on a line of its own; 0 if there is none, else 2."""
    config, problems = read_config(args.config)
    if config is not None:
        problems = list(problems_of(config, datetime.now(UTC)))
    for problem in problems:
        sys.stdout.write(f"{args.config}: {problem}\n")
    if not problems:
        sys.stdout.write(f"{args.config}: nothing is wrong\n")
    return 2 if problems else 0


def problems_of(config: Config, now: datetime) -> Iterator[str]:
    """Every reason for which ``doorsill run`` would not work with ``config``."""
    checks: tuple[Callable[[Config, datetime], Iterator[str]], ...] = (
        _policy_problems,
        _broker_problems,
        _camera_problems,
        _model_problems,
        _consent_problems,
        _folder_problems,
    )
    for check in checks:
        try:
            yield from check(config, now)
        except DoorsillError as error:
            yield str(error)


def _policy_of(config: Config) -> policy.Policy | None:
    """The policy that a start would take, verified; None where there is none."""
    document = read_if_there(config.policy.file)
    if document is not None:
        return policy.verify(document, read_public_key(config.controller_key))
    if config.policy_in_force.exists():
        return store_of(config).load()
    return None


def _policy_problems(config: Config, now: datetime) -> Iterator[str]:
    read_public_key(config.controller_key)
    found = _policy_of(config)
    if found is None:
        yield f"policy.file = {config.policy.file} does not exist, and none is in force"
        return
    try:
        policy.require_place(found, policy.Place(config.device.site, config.device.id))
    except UntrustedError as error:
        yield str(error)
    if found.consent is not None and config.consent is None:
        yield "the policy allows consent, but there is no section [consent]"
    if found.attributes and config.model.attributes:
        manifest = shipped(config.model.attributes)
        require_allowed(manifest.sha256, allowed_models(found), manifest.name)
        verified_model(manifest)


def _broker_problems(config: Config, now: datetime) -> Iterator[str]:
    broker = config.broker
    try:
        own = identity.read(broker.key, broker.certificate)
        if own.device != config.device.id:
            yield (
                f"{broker.certificate} is for {own.device}, "
                f"but device.id = {config.device.id}"
            )
        yield from _dates(broker.certificate, own.certificate, now)
    except DoorsillError as error:
        yield str(error)
    yield from _dates(broker.ca, identity.read_certificate(broker.ca), now)


def _dates(path: Path, certificate: Any, now: datetime) -> Iterator[str]:
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < starts:
        yield f"{path} is valid only from {starts:%Y-%m-%d}; is the clock right?"
    elif now > ends:
        yield f"{path} expired on {ends:%Y-%m-%d}"
    elif now > ends - EXPIRES_SOON:
        yield f"{path} expires on {ends:%Y-%m-%d}, in less than 30 days"


def _camera_problems(config: Config, now: datetime) -> Iterator[str]:
    camera = config.camera
    if camera.driver == "picamera":
        from doorsill.drivers.picamera_library import find_library  # loads a lot

        find_library()
    if camera.driver == "video":
        refuse_network_camera(camera.source)
        if not camera.source:
            yield "camera.source is missing: a file or a device such as /dev/video0"
        elif not Path(camera.source).exists():
            yield f"camera.source = {camera.source} does not exist"
        elif not os.access(camera.source, os.R_OK):
            yield f"camera.source = {camera.source} cannot be read by this user"
        elif is_device(camera.source):
            camera_node(camera.source)


def _model_problems(config: Config, now: datetime) -> Iterator[str]:
    found = _policy_of(config)
    allowed = None if found is None else allowed_models(found)
    open_detector(with_probed_delegate(config.model, allowed), allowed)
    yield from ()


def _consent_problems(config: Config, now: datetime) -> Iterator[str]:
    """What would keep the vault shut for good, of what can be seen without a card."""
    consent = config.consent
    if consent is None:
        return
    yield from _line_problems(consent)
    yield from _token_problems(consent)
    ca = identity.read_certificate(consent.ca)
    yield from _dates(consent.ca, ca, now)
    found = _policy_of(config)
    if found is not None and found.consent is None:
        yield "there is a section [consent], but the policy allows no consent cards"
    elif found is not None and found.consent is not None:
        pin = ca.fingerprint(hashes.SHA256()).hex()
        if pin != found.consent.ca:
            yield f"{consent.ca} is not the consent CA that the policy names"
        if found.consent.lamp and not consent.lamp_line:
            yield "the policy wants a consent lamp, but consent.lamp_line is missing"


def _token_problems(consent: ConsentSection) -> Iterator[str]:
    """A FIDO2 key that is plugged in, and that the vault may not open."""
    if consent.token == "fido2":  # noqa: S105 - a kind of token, no secret
        from doorsill.drivers.fido import keys_refused, may_not_open

        yield from (may_not_open(name) for name in keys_refused())


def _line_problems(consent: ConsentSection) -> Iterator[str]:
    named = {"gpio_line": consent.gpio_line, "lamp_line": consent.lamp_line}
    for name, line in named.items():
        try:
            if line:
                from doorsill.drivers.gpio_line import place_of  # needs gpiod

                place_of(name, line)
        except ConfigError as error:
            yield str(error)
    if consent.lamp_line and consent.lamp_line == consent.gpio_line:
        yield "consent.lamp_line and consent.gpio_line are the same line"


def _folder_problems(config: Config, now: datetime) -> Iterator[str]:
    for name, folder in (("state", config.device.state), ("run", config.device.run)):
        nearest = next(each for each in (folder, *folder.parents) if each.exists())
        if not nearest.is_dir():
            yield f"device.{name} = {folder}: {nearest} is not a folder"
        elif not os.access(nearest, os.W_OK):
            yield f"device.{name} = {folder}: this user cannot write to {nearest}"
