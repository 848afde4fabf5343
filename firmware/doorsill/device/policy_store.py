"""The policy that is in force, on disk: a thin shell around ``policy.accept``.

Writes to a temporary file, syncs, and replaces: after a power cut the old or the new
policy is there, whole. A candidate that is refused leaves the last good one alone.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from doorsill.canonical import PublicKey
from doorsill.errors import ConfigError
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
        log.info("policy %s in force: %s", policy.version, policy.digest)
        return policy

    def apply(self, candidate: bytes) -> Policy:
        """Put ``candidate`` in force, or raise and keep what is."""
        current = self.load() if self._path.exists() else None
        policy = accept(current, candidate, self._key)
        replace(self._path, candidate)
        log.info("policy %s applied: %s", policy.version, policy.digest)
        return policy


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
