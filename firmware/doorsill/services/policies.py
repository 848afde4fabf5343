"""The policy store that a configuration names."""

from __future__ import annotations

from doorsill.config import Config
from doorsill.policy.document import Place
from doorsill.policy.store import PolicyStore, read_public_key


def store_of(config: Config) -> PolicyStore:
    """Where this device keeps the policy in force, and whose signature counts."""
    place = Place(config.device.site, config.device.id)
    key = read_public_key(config.controller_key)
    return PolicyStore(config.policy_in_force, key, place)
