"""The policy in force, verified in a child process.

Vision needs to know what the policy says, and never verifies anything else; the
cryptography library would cost it 12 MB for as long as it runs. So a child process
verifies the policy, hands it over, and ends. To be called before a process confines
itself.
"""

from __future__ import annotations

import os
import pickle

from doorsill.config import Config
from doorsill.errors import ConfigError, DoorsillError
from doorsill.policy.document import Policy
from doorsill.process.child import end, read_answer

VERIFIED_WITHIN_S = 60.0  # limit; a loaded, emulated camera takes 22 s


def policy_in_force(config: Config) -> Policy:
    """The verified policy; raises what the verification raised, or ConfigError."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _verify_and_end(config, writer)
    os.close(writer)
    try:
        said = read_answer(reader, VERIFIED_WITHIN_S)
    except TimeoutError as error:
        raise ConfigError(f"the policy in force was not verified: {error}") from None
    finally:
        os.close(reader)
        end(child)
    if not said:
        raise ConfigError("the policy in force could not be verified")
    found = pickle.loads(said)  # noqa: S301 - from our own child
    if isinstance(found, DoorsillError):
        raise found
    if not isinstance(found, Policy):
        raise ConfigError("the policy in force could not be verified")
    return found


def _verify_and_end(config: Config, writer: int) -> None:
    """In the child: never returns."""
    found: Policy | DoorsillError
    try:
        from doorsill.services.policies import store_of

        found = store_of(config).load()
    except DoorsillError as error:
        found = error
    try:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(pickle.dumps(found))
    finally:
        os._exit(0)
