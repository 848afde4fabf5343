"""What runs on this device: the release that every interval names."""

from __future__ import annotations

import doorsill
from doorsill.config import Config
from doorsill.models.allowed import allowed_models
from doorsill.models.named import find
from doorsill.policy.document import Policy
from doorsill.uplink.reports import Release

HASH_DIGITS = 32  # of a SHA-256 that a message holds


def release_of(config: Config, policy: Policy) -> Release:
    """Firmware version, detector and policy; hashes to their first 32 digits.

    Raises UntrustedError if the policy does not allow the detector.
    """
    allowed = allowed_models(policy.models)
    digest = find(config.model.detector).require_allowed(allowed)
    return Release(
        firmware=doorsill.__version__,
        model=digest[:HASH_DIGITS],
        policy=policy.digest[:HASH_DIGITS],
    )
