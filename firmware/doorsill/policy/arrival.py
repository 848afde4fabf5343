"""What the policy process does with a policy that came by air: in force, or refused.

    the uplink's file ─► weigh ─┬─► the policy in force
                                └─► the verdict, which the uplink reports

The bytes came from a broker that nobody trusts, by a process that anybody may have
taken over; so they are read up to a bound and only then verified. Whatever is wrong
with them, the last good policy stays.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

from doorsill.documents.reading import read_if_there
from doorsill.errors import ConfigError
from doorsill.policy.acceptance import Refusal
from doorsill.policy.store import PolicyStore, replace
from doorsill.policy.verdict import IN_FORCE, Verdict, digest_of, read_verdict
from doorsill.wire.messages import POLICY_LARGEST_BYTES

log = logging.getLogger(__name__)
TURNS_MOST = 5  # documents that may follow one another while one is decided


def decide(store: PolicyStore, arrived: Path, verdict: Path) -> None:
    """Decide on what came by air, until nothing newer has come meanwhile.

    Raises ConfigError if the answer cannot be written: then nobody has answered, and
    the uplink asks again.
    """
    decided = None
    for _ in range(TURNS_MOST):
        document = _read(arrived)
        if not document or document == decided:
            return
        _answer(document, store, verdict)
        decided = document


def _read(arrived: Path) -> bytes | None:
    """At most one byte more than may come; None if there is nothing to decide on."""
    try:
        return read_if_there(arrived, POLICY_LARGEST_BYTES)
    except ConfigError as error:
        log.error("what came by air is left alone: %s", error)
        return None


def _answer(document: bytes, store: PolicyStore, verdict: Path) -> None:
    digest = digest_of(document)
    found = store.consider(document)
    if isinstance(found, Refusal) and not store.holds(document):
        word = found.word
        log.error(
            "policy %s by air is refused, the last good one stays: %s",
            digest[:16],
            found.error,
        )
    else:
        word = IN_FORCE
    before = read_verdict(verdict)
    if before is None or (before.word, before.digest) != (word, digest):
        replace(verdict, Verdict(word, digest, int(time.time())).spell())
