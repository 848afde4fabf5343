"""The policy that is in force, on disk: a thin shell around ``acceptance.accept``.

It writes a temporary file, syncs it, and replaces the old file. So after a power cut
either the old or the new policy is there, and whole. If a candidate is refused, the
last good policy stays. A file that is no policy of this device, or cannot be read any
more, does not keep out a valid one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from doorsill.documents import recognise
from doorsill.documents.canonical import PublicKey, require_p256
from doorsill.documents.durable import put
from doorsill.documents.reading import read_file, read_if_there
from doorsill.errors import ConfigError, UntrustedError
from doorsill.policy.acceptance import (
    Refusal,
    require_place,
    verify,
    version_of,
    weigh,
)
from doorsill.policy.document import Place, Policy

log = logging.getLogger(__name__)


class PolicyStore:
    """One file that only ever holds a policy that was accepted for ``place``."""

    def __init__(
        self,
        path: Path,
        controller_key: PublicKey,
        place: Place,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._key = controller_key
        self._place = place
        self._utc = utc

    def load(self) -> Policy:
        """The policy in force, verified again.

        Raises ConfigError if there is none yet, or it is incomplete; UntrustedError if
        it is not signed by the controller, or not for this site and device.
        """
        document = read_if_there(self._path)
        if document is None:
            raise ConfigError(
                f"no policy is in force: there is no {self._path}; "
                "apply one with `doorsill policy apply`"
            )
        try:
            policy = require_place(verify(document, self._key), self._place)
        except (ConfigError, UntrustedError) as error:
            raise error.of(f"the policy in force, {self._path}") from None
        log.debug("policy %s in force: %s", policy.version, policy.digest)
        return policy

    def apply(self, candidate: bytes) -> Policy:
        """Put ``candidate`` in force; if it raises, the present policy stays.

        Raises UntrustedError if the candidate is altered, of another signer, for
        another site or device, or not newer; ConfigError if it is incomplete, below the
        floors, or cannot be written.
        """
        found = self.consider(candidate)
        if isinstance(found, Refusal):
            raise found.error
        return found

    def consider(self, candidate: bytes) -> Policy | Refusal:
        """As :meth:`apply`, but a refusal is a value."""
        current = self._current()
        policy = weigh(current, candidate, self._key, self._place, self._utc())
        if isinstance(policy, Refusal):
            return policy
        if current and not version_of(current, self._key, self._place):
            log.warning("what was in force is no policy of this device: replaced")
        put(self._path, candidate)
        log.info("policy %s applied: %s", policy.version, policy.digest)
        return policy

    def holds(self, candidate: bytes) -> bool:
        """Whether the policy in force says the same, by whichever signature."""
        try:
            return self.load().digest == verify(candidate, self._key).digest
        except (ConfigError, UntrustedError):
            return False

    def take_over(self, candidate: Path) -> Policy:
        """At start: put ``candidate`` in force if it is newer; else the old one stays.

        A candidate that is refused is logged, as an error unless it is only older, as
        it is once a newer one came by air. Raises ConfigError or UntrustedError if no
        policy is in force, or the one in force is bad and stays.
        """
        current = self._current()
        refusal = self._try(candidate, current)
        if refusal is not None:
            if current is None:
                raise refusal.error.of(candidate)
            level = logging.INFO if refusal.word == "rollback" else logging.ERROR
            error = refusal.error
            log.log(level, "%s: the last good one stays: %s", candidate, error)
        return self.load()

    def _try(self, candidate: Path, current: bytes | None) -> Refusal | None:
        """Put the file ``candidate`` in force if it is another one; else why not."""
        try:
            document = read_if_there(candidate)
            if document is None:
                log.warning("no policy to take over: there is no %s", candidate)
            if document is None or document == current:
                return None
            found = self.consider(document)
        except ConfigError as error:  # it cannot be read, or not be kept
            return Refusal("incomplete", error)
        return found if isinstance(found, Refusal) else None

    def _current(self) -> bytes | None:
        """The file of the policy in force; None if there is none that can be read."""
        try:
            return read_if_there(self._path)
        except ConfigError as error:
            log.warning("the policy in force: %s", error)
            return None


def read_public_key(path: Path) -> PublicKey:
    """A P-256 public key in PEM.

    Raises ConfigError if the file is no public key, UntrustedError for another kind.
    """
    data = read_file(path)
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise recognise.instead(path, data, recognise.PUBLIC) from None
    try:
        require_p256(key)
    except UntrustedError:
        raise recognise.of_another_kind(path, key) from None
    return cast(PublicKey, key)
