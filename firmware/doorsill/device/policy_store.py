"""The policy that is in force, on disk: a thin shell around ``policy.accept``.

Writes to a temporary file, syncs, and replaces: after a power cut the old or the new
policy is there, whole. A candidate that is refused leaves the last good one alone.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives import serialization

from doorsill.canonical import PublicKey, require_p256
from doorsill.config import Config
from doorsill.errors import ConfigError, UntrustedError
from doorsill.policy import Policy, accept, verify

log = logging.getLogger(__name__)


class PolicyStore:
    """One file that only ever holds a policy that was accepted."""

    def __init__(self, path: Path, controller_key: PublicKey) -> None:
        self._path = path
        self._key = controller_key

    def load(self) -> Policy:
        """The policy in force, verified anew; ConfigError if there is none yet."""
        try:
            document = self._path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"no policy is in force, {self._path}: {error.strerror}; "
                "apply one with `doorsill policy apply`"
            ) from None
        policy = verify(document, self._key)
        log.debug("policy %s in force: %s", policy.version, policy.digest)
        return policy

    def apply(self, candidate: bytes) -> Policy:
        """Put ``candidate`` in force, or raise and keep what is."""
        current = self.load() if self._path.exists() else None
        policy = accept(current, candidate, self._key)
        replace(self._path, candidate)
        log.info("policy %s applied: %s", policy.version, policy.digest)
        return policy

    def take_over(self, candidate: Path) -> Policy:
        """At start: put ``candidate`` in force if it is newer, else keep what is.

        Whatever is wrong with the candidate is logged; only a device on which nothing
        is in force yet raises.
        """
        try:
            document = candidate.read_bytes()
        except OSError as error:
            log.warning("no policy to take over, %s: %s", candidate, error.strerror)
            return self.load()
        if not self._path.exists():
            return self.apply(document)
        if document == self._path.read_bytes():
            return self.load()
        try:
            return self.apply(document)
        except (ConfigError, UntrustedError) as error:
            log.error("%s is refused, the last good one stays: %s", candidate, error)
            return self.load()


def store_of(config: Config) -> PolicyStore:
    """Where this device keeps the policy in force, and whose signature counts."""
    return PolicyStore(config.policy_in_force, read_public_key(config.controller_key))


def read_public_key(path: Path) -> PublicKey:
    """A P-256 public key in PEM; ConfigError or UntrustedError otherwise."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{path} is not a public key in PEM") from None
    require_p256(key)
    return cast(PublicKey, key)


def replace(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a power cut leaves the old or the new."""
    temporary = path.with_name(path.name + ".new")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
