"""Where each camera stands with its policy: in force, pushed, refused, the next step.

Pure. A hash that a camera reports is looked up among what was ever signed for it.
"""

from __future__ import annotations

from dataclasses import dataclass

# Why a camera refused what came by air, in words, and what to do next.
REFUSED = {
    "too_large": ("too large", "make it smaller: doorsill-fleet policy edit"),
    "signature": (
        "not signed by its controller",
        "the camera has another controller's key: enrol it again",
    ),
    "incomplete": (
        "incomplete, or below the floors",
        "its doorsill is older than yours: update it",
    ),
    "other_site": ("for another site", "see that this camera is where the list says"),
    "other_device": ("for another camera", "see that no two have one name"),
    "expired": ("expired", "sign a newer one: doorsill-fleet policy edit"),
    "rollback": (
        "not newer than its own",
        "sign with a higher version: doorsill-fleet policy edit",
    ),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one camera."""

    device: str
    signed: int = 0  # the newest version; 0: none was ever signed
    pushed: int = 0  # the newest that the broker has
    reported: str = ""  # hash that it obeys, first half; empty: it never said
    in_force: int = 0  # the version with this hash; 0: none of ours
    refused: int = 0  # the version that it refused last; 0: none, or none of ours
    refusal: str = "none"  # its word for the reason


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of the table."""

    device: str
    in_force: str
    pushed: str
    refused: str
    step: str  # empty: nothing is to do

    @property
    def good(self) -> bool:
        """Whether nothing is to do."""
        return not self.step


def standing(facts: Facts, site: str) -> Standing:
    """The row of one camera of ``site``."""
    return Standing(
        facts.device,
        _in_force(facts),
        str(facts.pushed) if facts.pushed else "-",
        _refused(facts),
        _step(facts, site),
    )


def _in_force(facts: Facts) -> str:
    if facts.in_force:
        return str(facts.in_force)
    return f"another ({facts.reported[:8]})" if facts.reported else "-"


def _refused(facts: Facts) -> str:
    if facts.refusal == "none":
        return ""
    words = REFUSED.get(facts.refusal, (facts.refusal, ""))[0]
    return f"{facts.refused or 'another'}: {words}"


def _step(facts: Facts, site: str) -> str:
    if not facts.signed:
        return f"doorsill-fleet policy edit {site}, then sign"
    if facts.in_force == facts.signed:
        return ""
    if facts.pushed < facts.signed:
        return f"doorsill-fleet policy push {site}"
    if facts.refused == facts.signed and facts.refusal in REFUSED:
        return REFUSED[facts.refusal][1]
    if not facts.reported:
        return "it never said which; see doorsill-fleet devices"
    return "it has not said yet that it obeys it; give it power and network"
