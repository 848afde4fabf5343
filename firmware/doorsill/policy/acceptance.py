"""Which policy may be in force: the newest of the site's controller, for this device.

    accept(current bytes, bytes, controller key, place) -> Policy

It is pure; if it raises, the current policy stays. A current policy of another site or
device, or one that cannot be verified any more, counts as none, so that it cannot keep
out a valid one for ever.
"""

from __future__ import annotations

from doorsill.documents import canonical
from doorsill.documents.canonical import PublicKey
from doorsill.errors import UntrustedError
from doorsill.policy.document import Place, Policy, parse


def accept(
    current: bytes | None, candidate: bytes, controller_key: PublicKey, place: Place
) -> Policy:
    """The policy in ``candidate`` if it may replace the document ``current``.

    Raises UntrustedError if it is altered, of another signer, for another site or
    device, or not newer; ConfigError if it is signed, but incomplete or below the
    floors. The shape of this function is that of python-tuf.
    """
    policy = require_place(verify(candidate, controller_key), place)
    least = 0 if current is None else version_of(current, controller_key, place)
    if policy.version <= least:
        raise UntrustedError(
            f"policy version {policy.version} is not newer than {least}, "
            "which is in force"
        )
    return policy


def verify(document: bytes, controller_key: PublicKey) -> Policy:
    """The policy in a signed document, of any version, site and device.

    Raises UntrustedError or ConfigError, as :func:`accept` does.
    """
    return parse(canonical.unseal(document, controller_key))


def require_place(policy: Policy, place: Place) -> Policy:
    """Return ``policy`` if it is for ``place``; else UntrustedError."""
    if policy.site != place.site:
        raise UntrustedError(
            f"the policy is for site {policy.site}, but device.site = {place.site}"
        )
    if policy.devices and place.device not in policy.devices:
        raise UntrustedError(
            f"the policy is for {', '.join(policy.devices)}, "
            f"but device.id = {place.device}"
        )
    return policy


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
