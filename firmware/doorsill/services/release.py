"""What runs on this device, as it stands in every interval."""

from __future__ import annotations

import doorsill
from doorsill.config import Config
from doorsill.models.allowed import allowed_models, model_hash, require_allowed
from doorsill.policy.document import Policy
from doorsill.uplink.reports import Release

HASH_DIGITS = 32


def release_of(config: Config, policy: Policy) -> Release:
    """Firmware version, detector and policy; hashes to their first 32 digits.

    Raises UntrustedError where the policy does not let the detector run.
    """
    name = config.model.detector
    digest = require_allowed(model_hash(name), allowed_models(policy.models), name)
    return Release(
        firmware=doorsill.__version__,
        model=digest[:HASH_DIGITS],
        policy=policy.digest[:HASH_DIGITS],
    )
