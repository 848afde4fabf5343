"""Which policy may be in force: the newest of the site's controller, for this device.

    weigh(current bytes, bytes, controller key, place, now) -> Policy | Refusal
    accept(the same)                                        -> Policy, or it raises

Both are pure; what is refused leaves the current policy in force. A current policy of
another site or device, or one that cannot be verified any more, counts as none, so that
it cannot keep out a valid one for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from doorsill.documents import canonical
from doorsill.documents.canonical import PublicKey
from doorsill.errors import ConfigError, UntrustedError
from doorsill.policy.document import Place, Policy, has_expired, parse


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a document may not be in force: a word of wire.messages.REFUSALS."""

    word: str
    error: ConfigError | UntrustedError  # the same for a person


def accept(
    current: bytes | None,
    candidate: bytes,
    controller_key: PublicKey,
    place: Place,
    utc: float,
) -> Policy:
    """The policy in ``candidate`` if it may replace the document ``current``.

    Raises UntrustedError if it is altered, of another signer, for another site or
    device, not newer, or over at ``utc`` (s); ConfigError if it is signed, but
    incomplete or below the floors. The shape is that of python-tuf.
    """
    found = weigh(current, candidate, controller_key, place, utc)
    if isinstance(found, Refusal):
        raise found.error
    return found


def weigh(
    current: bytes | None,
    candidate: bytes,
    controller_key: PublicKey,
    place: Place,
    utc: float,
) -> Policy | Refusal:
    """As :func:`accept`, but the first thing that is wrong is a value and its word."""
    word = "signature"
    try:
        body = canonical.unseal(candidate, controller_key)
        word = "incomplete"
        policy = parse(body)
        word = "other_site"
        _require_site(policy, place)
        word = "other_device"
        _require_device(policy, place)
        word = "expired"
        _require_time(policy, utc)
        word = "rollback"
        _require_newer(policy, current, controller_key, place)
    except (ConfigError, UntrustedError) as error:
        return Refusal(word, error)
    return policy


def verify(document: bytes, controller_key: PublicKey) -> Policy:
    """The policy in a signed document, of any version, site and device.

    Raises UntrustedError or ConfigError, as :func:`accept` does.
    """
    return parse(canonical.unseal(document, controller_key))


def require_place(policy: Policy, place: Place) -> Policy:
    """Return ``policy`` if it is for ``place``; else UntrustedError."""
    _require_site(policy, place)
    _require_device(policy, place)
    return policy


def _require_site(policy: Policy, place: Place) -> None:
    if policy.site != place.site:
        raise UntrustedError(
            f"the policy is for site {policy.site}, but device.site = {place.site}"
        )


def _require_device(policy: Policy, place: Place) -> None:
    if policy.devices and place.device not in policy.devices:
        raise UntrustedError(
            f"the policy is for {', '.join(policy.devices)}, "
            f"but device.id = {place.device}"
        )


def _require_time(policy: Policy, utc: float) -> None:
    if has_expired(policy, utc):
        raise UntrustedError(
            f"policy.expires = {policy.expires}: that day is over; sign a newer version"
        )


def _require_newer(
    policy: Policy, current: bytes | None, controller_key: PublicKey, place: Place
) -> None:
    least = 0 if current is None else version_of(current, controller_key, place)
    if policy.version <= least:
        raise UntrustedError(
            f"policy version {policy.version} is not newer than {least}, "
            "which is in force"
        )


def version_of(document: bytes, controller_key: PublicKey, place: Place) -> int:
    """The version that a newer policy must be above; 0 if ``document`` is no policy.

    It checks only signature, version and place. So a valid policy can replace one that
    has a time zone which this machine no longer knows, or a value below today's floor.
    """
    try:
        body = canonical.unseal(document, controller_key)
    except UntrustedError:
        return 0
    version, devices = body.get("version"), body.get("devices", [])
    named = isinstance(devices, list) and (not devices or place.device in devices)
    if body.get("site") != place.site or not named:
        return 0
    return version if type(version) is int else 0
