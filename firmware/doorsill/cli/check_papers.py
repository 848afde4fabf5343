"""What ``doorsill check`` says of what is signed: policy, key, certificates, CAs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from doorsill.config import Config
from doorsill.device import identity, users, validity
from doorsill.device.fault import Fault
from doorsill.documents import pem
from doorsill.documents.reading import read_file, read_if_there
from doorsill.errors import ConfigError, DoorsillError, UntrustedError
from doorsill.models.allowed import allowed_models, require_allowed
from doorsill.models.manifest import shipped, verified_model
from doorsill.policy.acceptance import require_place, verify
from doorsill.policy.document import Place, Policy
from doorsill.policy.store import read_public_key
from doorsill.services.policies import store_of

FILE_S = 5.0  # limit for another user to read a file
CREDENTIAL = Path("/etc/doorsill/device.key")  # systemd gives the units a copy


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
    return users.run_apart(lambda: pem.public_of(path), FILE_S, user)


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
