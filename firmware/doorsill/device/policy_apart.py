"""The policy in force, verified in a child process.

Who sees pixels needs to know what the policy says and never verifies anything else;
the cryptography library would cost it 12 MB for good. So a child verifies, hands the
policy over, and ends; to be called before a process confines itself.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import time

from doorsill.config import Config
from doorsill.errors import ConfigError, DoorsillError
from doorsill.policy import Policy

VERIFIED_WITHIN_S = 60.0  # far above the 22 s of an emulated camera under load
ENDED_WITHIN_S, POLL_S = 5.0, 0.002


def policy_in_force(config: Config) -> Policy:
    """The verified policy; raises what the verification raised."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _verify_and_end(config, writer)
    os.close(writer)
    try:
        said = _said(reader)
    finally:
        os.close(reader)
        _end(child)
    if not said:
        raise ConfigError("the policy in force could not be verified")
    found = pickle.loads(said)  # noqa: S301 - from our own child
    if isinstance(found, DoorsillError):
        raise found
    if not isinstance(found, Policy):
        raise ConfigError("the policy in force could not be verified")
    return found


def _said(reader: int) -> bytes:
    """All that the child wrote until it closed its end."""
    said, ends = b"", time.monotonic() + VERIFIED_WITHIN_S
    while select.select([reader], [], [], max(0.0, ends - time.monotonic()))[0]:
        piece = os.read(reader, 1 << 16)
        if not piece:
            return said
        said += piece
    raise ConfigError(
        f"the policy in force was not verified within {VERIFIED_WITHIN_S:g} s"
    )


def _end(child: int) -> None:
    """It has nothing left to do; one that is stuck in the kernel is left behind."""
    os.kill(child, signal.SIGKILL)
    ends = time.monotonic() + ENDED_WITHIN_S
    while os.waitpid(child, os.WNOHANG)[0] == 0 and time.monotonic() < ends:
        time.sleep(POLL_S)


def _verify_and_end(config: Config, writer: int) -> None:
    """In the child: never returns."""
    found: Policy | DoorsillError
    try:
        from doorsill.device.policy_store import store_of

        found = store_of(config).load()
    except DoorsillError as error:
        found = error
    try:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(pickle.dumps(found))
    finally:
        os._exit(0)
