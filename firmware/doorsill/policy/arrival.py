"""What the policy process does with a policy that came by air: in force, or refused.

    the uplink's file ─► weigh ─┬─► the policy in force
                                └─► the verdict, which the uplink reports

The bytes came from a broker that nobody trusts, by a process that anybody may have
taken over; so they are read up to a bound and only then verified. If anything is
wrong with them, the last good policy stays.
"""

from __future__ import annotations

import logging
from pathlib import Path

from doorsill.documents.durable import put
from doorsill.documents.reading import read_if_there
from doorsill.errors import ConfigError
from doorsill.policy.acceptance import Refusal
from doorsill.policy.document import Policy
from doorsill.policy.store import PolicyStore
from doorsill.policy.verdict import IN_FORCE, Verdict, digest_of, read_verdict
from doorsill.wire.messages import POLICY_LARGEST_BYTES

log = logging.getLogger(__name__)
TURNS_MOST = 5  # documents that may follow one another while one is decided


def decide(store: PolicyStore, arrived: Path, verdict: Path, utc: float) -> None:
    """Decide on what came by air, until nothing newer has come meanwhile.

    ``utc`` (s) stands in the verdict. Raises ConfigError if the answer cannot be
    written: then nobody has answered, and the uplink asks again.
    """
    decided = None
    for _ in range(TURNS_MOST):
        document = _read(arrived)
        if not document or document == decided:
            return
        word, digest = _answer(document, store), digest_of(document)
        before = read_verdict(verdict)
        if before is None or (before.word, before.digest) != (word, digest):
            put(verdict, Verdict(word, digest, int(utc)).spell())
        decided = document


def _read(arrived: Path) -> bytes | None:
    """What came; None if there is nothing to decide on."""
    try:
        return read_if_there(arrived)
    except ConfigError as error:
        log.error("what came by air is left alone: %s", error)
        return None


def _answer(document: bytes, store: PolicyStore) -> str:
    """Put ``document`` in force, or log why not; the word of the verdict."""
    if len(document) > POLICY_LARGEST_BYTES:
        large = f"it has {len(document)} bytes, and {POLICY_LARGEST_BYTES} may come"
        found: Policy | Refusal = Refusal("too_large", ConfigError(large))
    else:
        found = store.consider(document)
    if isinstance(found, Policy) or store.holds(document):
        return IN_FORCE
    log.error(
        "policy %s by air is refused, the last good one stays: %s",
        digest_of(document)[:16],
        found.error,
    )
    return found.word
