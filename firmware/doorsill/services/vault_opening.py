"""Where the vault lives: its folder, its lock, its medium; and it is blanked on entry.

Whoever opens it, the service or a person at the command line, goes through here.
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
    """The [consent] section, or ConfigError: without it there is no vault."""
    if config.consent is None:
        raise ConfigError("section [consent] is missing; without it there is no vault")
    return config.consent


@contextmanager
def only_one(config: Config) -> Iterator[IO[bytes]]:
    """Make the folder and hold its lock; ConfigError where another vault has it."""
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
    """The vault; its key is gone when this is left.

    The medium is blanked before anything of this device is read: whatever is wrong with
    its key, its certificate, its chain or its policy, yesterday's records are gone.
    """
    consent = consent_of(config)
    name = consent.medium
    if name != "memory" and not name.startswith("spi:"):
        name = str(config.vault_folder / name)
    medium = open_medium(name, consent.medium_bytes)
    vault: Vault | None = None
    try:
        was_nought = _blank_first(medium)
        vault, device = _vault_on(medium, config, was_nought)
        yield vault, device
    finally:
        if vault is not None:
            vault.revoke()
        medium.close()


def _blank_first(medium: Medium) -> bool:
    """Nought in every byte; whether it was so before.

    A medium at fault, or without power, is for the certificate to tell.
    """
    was_nought = False
    with suppress(DoorsillError):
        try:
            was_nought = read_all(medium, b"")[1]
        finally:
            if not was_nought:
                medium.blank()
    return was_nought


def _vault_on(
    medium: Medium, config: Config, was_nought: bool
) -> tuple[Vault, Identity]:
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
    vault.start(was_nought)
    return vault, device
