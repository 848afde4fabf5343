"""What is changed, and which tests ought to notice.

``strict`` targets decide what leaves the device, who is told from whom, and what it may
do: there no change may survive. Of the others a sample is tried, and each survivor has
a sentence in ``SURVIVORS`` that says why it changes nothing that matters.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """One module of ``doorsill``, by its path below ``firmware/doorsill``."""

    module: str
    tests: tuple[str, ...]
    functions: tuple[str, ...] = ()  # none named: all
    strict: bool = False
    sample: int | None = None  # how many changes are tried; None: all


TARGETS = (
    Target("consent/gate.py", ("test_gate", "test_fido", "test_keeper"), strict=True),
    Target("uplink/guard.py", ("test_guard",), strict=True),
    Target("privacy/threshold.py", ("test_threshold",), strict=True),
    Target("privacy/noise.py", ("test_noise",), strict=True),
    Target("privacy/budget.py", ("test_budget",)),
    Target(
        "policy.py",
        ("test_policy", "test_policy_store"),
        ("accept", "verify", "require_place", "version_of"),
        strict=True,
    ),
    Target("policy.py", ("test_policy",), ("is_open", "parse"), sample=40),
    Target("uplink/intake.py", ("test_intake", "test_uplink_service"), sample=60),
    Target("consent/examine.py", ("test_verify", "test_contradictions"), sample=60),
    Target("consent/verify.py", ("test_verify", "test_contradictions"), sample=40),
    Target("seccomp.py", ("test_confine", "test_ways"), sample=40),
    Target("landlock.py", ("test_confine", "test_ways"), sample=30),
    Target("confine.py", ("test_confine", "test_ways")),
)

# (module, change as it is printed): why nothing that matters changes.
SURVIVORS: dict[tuple[str, str], str] = {}
