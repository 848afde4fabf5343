"""Vision learns what the policy says without the library that verified it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from limits import PROGRAM_S

from doorsill.config import Config
from doorsill.errors import ConfigError, UntrustedError
from doorsill.services import policies, policy_apart
from doorsill.services.policies import store_of
from doorsill.services.policy_apart import policy_in_force
from doorsill_fleet.stage.shop import Stage

LINE = (((0.0, 0.6), (1.0, 0.6)),)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    found = Stage(tmp_path, LINE).set()
    found.policy_in_force.parent.mkdir(parents=True)
    return found


def test_it_is_the_policy_that_the_store_verifies(config: Config) -> None:
    store_of(config).take_over(config.policy.file)
    assert policy_in_force(config) == store_of(config).load()


def test_what_the_verification_raises_is_raised(config: Config) -> None:
    with pytest.raises(ConfigError, match="no policy is in force"):
        policy_in_force(config)
    store_of(config).take_over(config.policy.file)
    signed = config.policy_in_force.read_bytes()
    config.policy_in_force.write_bytes(signed.replace(b'"k":10', b'"k":11'))
    with pytest.raises(UntrustedError, match="the signature does not match"):
        policy_in_force(config)


def test_vision_does_not_load_what_verifies() -> None:
    code = (
        "import sys, doorsill.services.vision\n"
        "print([n for n in ('cryptography', 'paho', 'ssl') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=PROGRAM_S,
    )
    assert done.stdout.strip() == "[]"


def test_a_verification_that_hangs_is_given_up_and_its_child_is_gone(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that does not answer."""
    monkeypatch.setattr(policies, "store_of", lambda _: threading.Event().wait(60))
    monkeypatch.setattr(policy_apart, "VERIFIED_WITHIN_S", 0.2)
    children: list[int] = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: children.append(fork()) or children[-1])
    with pytest.raises(ConfigError, match=r"was not verified: nothing within 0\.2 s"):
        policy_in_force(config)
    (child,) = children
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)
