"""What is changed, and which tests ought to notice.

``strict`` targets decide what leaves the device, who is kept apart from whom, and what
it may do: there no change may survive. Of the others a sample is tried, and each
survivor has a sentence in ``SURVIVORS`` that says why it changes nothing that matters.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """One module of ``doorsill``, by its path below ``firmware/doorsill``."""

    area: str
    module: str
    tests: tuple[str, ...]
    functions: tuple[str, ...] = ()  # none named: all
    strict: bool = False
    sample: int | None = None  # how many changes are tried; None: all


VERIFIER = ("certificates/test_contradictions", "certificates/test_verify")

TARGETS = (
    Target("gate", "consent/gate.py", ("consent/test_gate",), strict=True),
    Target(
        "policy acceptance",
        "policy/acceptance.py",
        ("policy/test_policy", "policy/test_policy_store"),
        strict=True,
    ),
    Target("guard", "wire/guard.py", ("wire/test_guard",), strict=True),
    Target(
        "threshold", "privacy/threshold.py", ("privacy/test_threshold",), strict=True
    ),
    Target("noise", "privacy/noise.py", ("privacy/test_noise",), strict=True),
    Target("budget", "privacy/budget.py", ("privacy/test_budget",)),
    Target(
        "policy",
        "policy/document.py",
        ("policy/test_policy",),
        ("is_open", "parse"),
        sample=20,
    ),
    Target("verifier", "certificates/contradictions.py", VERIFIER, sample=30),
    Target(
        "verifier",
        "certificates/examine.py",
        ("certificates/test_examine", *VERIFIER),
        sample=30,
    ),
    Target("verifier", "certificates/verify.py", VERIFIER, sample=20),
    Target(
        "confinement",
        "process/seccomp.py",
        ("process/test_seccomp", "promises/test_confine"),
        sample=25,
    ),
    Target(
        "confinement",
        "process/landlock.py",
        ("process/test_landlock", "promises/test_ways"),
        sample=16,
    ),
    Target(
        "confinement",
        "process/confine.py",
        ("promises/test_confine", "promises/test_ways"),
    ),
    Target("intake", "uplink/tally.py", ("uplink/test_tally",), sample=40),
    Target(
        "intake",
        "uplink/pieces.py",
        ("uplink/test_pieces", "uplink/test_tally"),
        sample=30,
    ),
)

# (module, change as it is printed): why nothing that matters changes.
SURVIVORS: dict[tuple[str, str], str] = {}
