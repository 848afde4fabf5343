"""Open the vault: its folder, its lock and its medium, which is blanked first.

The service and the command line both open it here.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from doorsill.config import Config, ConsentSection
from doorsill.device import identity
from doorsill.device.identity import Identity
from doorsill.drivers.media.medium import Medium, read_all
from doorsill.drivers.media.opening import open_medium
from doorsill.errors import ConfigError, DoorsillError
from doorsill.services.policies import store_of
from doorsill.vault.chain import CertificateChain
from doorsill.vault.surroundings import firmware_digest, observe
from doorsill.vault.vault import Ground, Vault

LOCK_NAME = "lock"


def consent_of(config: Config) -> ConsentSection:
    """The [consent] section; ConfigError if there is none: then there is no vault."""
    if config.consent is None:
        raise ConfigError("section [consent] is missing; without it there is no vault")
    return config.consent


@contextmanager
def only_one(config: Config) -> Iterator[IO[bytes]]:
    """Make the folder and hold its lock; ConfigError if another vault has it."""
    folder = config.vault_folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / LOCK_NAME).open("wb")
    except OSError as error:
        raise ConfigError(
            f"the vault cannot write in its folder {folder}: {error.strerror}"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(f"another vault is at work in {folder}") from None
        yield lock


@contextmanager
def open_vault(config: Config) -> Iterator[tuple[Vault, Identity]]:
    """The vault and who this device is; the key is destroyed when this is left.

    The medium is blanked before anything else is read. So old records are gone even if
    this device's key, certificate, chain or policy is bad. Raises UntrustedError or
    ConfigError if the vault cannot be opened.
    """
    consent = consent_of(config)
    name = consent.medium
    if name != "memory" and not name.startswith("spi:"):
        name = str(config.vault_folder / name)
    medium = open_medium(name, consent.medium_bytes)
    vault: Vault | None = None
    try:
        was_zero = blank_first(medium)
        vault, device = _vault_on(medium, config, was_zero)
        yield vault, device
    finally:
        if vault is not None:
            vault.revoke()
        medium.close()


def blank_first(medium: Medium) -> bool:
    """Write 0 to every byte of ``medium``; returns whether all were 0 before.

    A medium that fails, or has no power, raises nothing: the certificate says so.
    """
    was_zero = False
    with suppress(DoorsillError):
        try:
            was_zero = read_all(medium, b"")[1]
        finally:
            if not was_zero:
                medium.blank()
    return was_zero


def _vault_on(medium: Medium, config: Config, was_zero: bool) -> tuple[Vault, Identity]:
    device = identity.read(
        identity.key_at(config.broker.key), config.broker.certificate
    )
    chain = CertificateChain(config.certificates, device)
    firmware = firmware_digest()
    ground = Ground(
        medium,
        chain,
        config.vault_folder,
        lambda: observe(firmware),
        lambda: time.time_ns() // 1_000_000,
    )
    try:
        policy = store_of(config).load()
    except DoorsillError:
        policy = None  # main says so, after the blanking
    vault = Vault(ground, policy)
    vault.start(was_zero)
    return vault, device
