"""Has everything come home that a device owes at its end? Pure.

    last policy, without consent ─► the vault blanks ─► its certificate comes home

Enough is a chain without a gap whose newest certificate was made under that last policy
and found every byte blank. Anything else is named, with what to do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from doorsill.wire.certificate import Certificate
from doorsill_fleet.audit.chain import Audit

WAITS = (
    "it comes within an hour and a half of its last policy, if the camera has power "
    "and network, and `doorsill-fleet receive` runs; then say this again"
)


def owed(found: Audit, digests: Collection[str], where: str) -> list[str]:
    """What is missing, in words; empty: all of it is there.

    ``digests`` are those of the policies that ended its consent, the last one among
    them; ``where`` is the folder in which certificates are looked for.
    """
    return list(_owed(found, digests, where))


def _owed(found: Audit, digests: Collection[str], where: str) -> Iterator[str]:
    newest = found.newest
    if newest is None and not found.refused:
        yield f"no blanking certificate of it is in {where}: {WAITS}"
        return
    if not found.is_whole:
        yield from found.sentences()
    if newest is None:
        return
    body = newest.body
    if body["policy"] not in digests:
        yield (
            f"its newest certificate, number {newest.counter}, is from before its last "
            f"policy: {WAITS}"
        )
    elif not newest.read_back:
        yield (
            "its vault has no power and could not be read back: give it power, and "
            "wait for the certificate of that"
        )
    elif not body["read_back"]["blank"]:
        yield (
            f"its certificate {newest.counter} says that its vault is NOT blank: "
            "destroy the medium, and keep that in your own records"
        )


def without_consent(body: Mapping[str, object], version: int) -> dict[str, object]:
    """The last policy of a device: as ``body``, but no face may ever be stored.

    It does not expire: a camera that was off for long has to take it as well.
    """
    gone = ("consent", "expires")
    kept = {key: each for key, each in body.items() if key not in gone}
    return {**kept, "version": version}


def purposes_of(bodies: list[Mapping[str, object]]) -> list[str]:
    """The purposes that any of these policies allowed cards to have."""
    found: dict[str, None] = {}
    for body in bodies:
        consent = body.get("consent")
        if isinstance(consent, dict):
            found |= dict.fromkeys(consent["purposes"])
    return list(found)


def has_vault(bodies: list[Mapping[str, object]], came: list[Certificate]) -> bool:
    """Whether it may ever have stored a face, as far as the office knows."""
    return bool(came) or any(body.get("consent") for body in bodies)
