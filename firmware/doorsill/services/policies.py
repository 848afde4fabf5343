"""The policy store that a configuration names."""

from __future__ import annotations

from doorsill.config import Config
from doorsill.policy.document import Place
from doorsill.policy.store import PolicyStore, read_public_key


def store_of(config: Config) -> PolicyStore:
    """The store of the policy in force, with the controller's key.

    Raises ConfigError or UntrustedError if that key cannot be read.
    """
    place = Place(config.device.site, config.device.id)
    key = read_public_key(config.controller_key)
    return PolicyStore(config.policy_in_force, key, place)
