"""Is a device well? Green, amber or red, a word for it, and the next step; pure.

The worst thing that is known decides. Green says that it was heard within SILENT_S and
that nothing is known to be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from doorsill.privacy.floors import DAY_S
from doorsill.wire.messages import Health

GREEN, AMBER, RED = "green", "amber", "red"
SILENT_S = 300  # a device says something every minute
CLOCK_OFF_S = 300  # by which a device's clock may differ from ours
CERTIFICATE_DAYS = 30  # left, below which somebody should look
WAITING_MANY = 120  # windows in its outbox, two hours of one line


@dataclass(frozen=True, slots=True)
class Seen:
    """What the store knows of one device."""

    heard: int  # last, by our own clock, UTC s; 0: never
    newest: int = 0  # end of its newest window that is of a time that can be, UTC s
    refused: int = 0  # of its messages, set aside
    missing: int = 0  # people in windows that are not here
    clock_off_s: int = 0  # its clock minus ours, at its last word
    state: str = ""  # its own word
    health: Health | None = None  # its own report


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a device is; ``step`` is empty where nobody has to do anything."""

    colour: str
    word: str
    step: str = ""


# What a device says of itself: colour, word, next step.
PROBLEMS = {
    "vision": (RED, "nothing watches", "on the device: doorsill check"),
    "camera": (RED, "no picture", "look at the camera's cable; then doorsill check"),
    "frozen": (RED, "the same picture again and again", "take its power and give it"),
    "locks": (RED, "a lock of its kernel is missing", "on the device: doorsill check"),
    "policy": (AMBER, "obeys another policy", "push the policy again, or restart it"),
    "expired": (AMBER, "its policy has expired", "sign and push a newer policy"),
    "clock": (AMBER, "its clock is wrong", "let it reach a time server"),
    "certificate": (AMBER, "its certificate ends soon", "renew its certificate"),
    "access": (RED, "the broker refuses its messages", "write the access list again"),
    "takeover": (RED, "another came with its certificate", "revoke and replace it"),
    "reader": (AMBER, "no card reader", "plug the card reader in"),
    "vault": (AMBER, "its vault does not run", "on the device: doorsill check"),
    "disk": (AMBER, "its disk is full or failing", "replace its card"),
    "power": (
        AMBER,
        "too little power, or too hot",
        "use its own power supply",
    ),
}
STATES = {
    "init": Verdict(AMBER, "starting"),
    "ready": Verdict(GREEN, "counting"),
    "alert": Verdict(AMBER, "something is wrong", "on the device: doorsill status"),
    "sleeping": Verdict(GREEN, "closed, sleeping"),
    "disconnected": Verdict(AMBER, "stopped", "start it, if nobody wanted that"),
    "lost": Verdict(RED, "lost", "look at its power and its network"),
}
NEVER = Verdict(RED, "never heard", "give it power and network, and enrol it")


def judge(seen: Seen | None, now: int) -> Verdict:
    """How it is at ``now`` (UTC s); None is a device that the store does not know."""
    if seen is None or seen.heard == 0:
        return NEVER
    found = list(_verdicts(seen, now))
    worst = [each for each in found if each.colour == RED] or [
        each for each in found if each.colour == AMBER
    ]
    return (worst or found)[0]


def _verdicts(seen: Seen, now: int) -> Iterator[Verdict]:
    """All that is known, what matters most first."""
    if seen.state in ("lost", "disconnected"):
        yield STATES[seen.state]
    elif now - seen.heard > SILENT_S:
        step = "look at its power and its network"
        yield Verdict(RED, f"silent for {span(now - seen.heard)}", step)
    if seen.missing:
        yield Verdict(
            RED,
            f"{seen.missing} people are in windows that are not here",
            "start every worker that ever received (doorsill-fleet receive)",
        )
    if abs(seen.clock_off_s) > CLOCK_OFF_S:
        way = "ahead" if seen.clock_off_s > 0 else "behind"
        word = f"its clock is {span(abs(seen.clock_off_s))} {way}"
        yield Verdict(AMBER, word, "let it reach a time server")
    if seen.health is not None:
        yield from _of_health(seen.health)
    if seen.refused:
        word = f"{seen.refused} of its messages were set aside"
        yield Verdict(AMBER, word, "read them in the store's table quarantine")
    yield STATES.get(seen.state, Verdict(GREEN, "heard"))


def _of_health(health: Health) -> Iterator[Verdict]:
    """What it says of itself."""
    for each in health.problems:
        yield Verdict(*PROBLEMS[each])
    if health.policy_refused is not None:
        word = f"refused the policy {health.policy_refused[:16]}"
        yield Verdict(AMBER, f"{word}: {health.policy_why}", "push it a valid one")
    if health.dropped:
        word = f"gave up {health.dropped} windows, its memory was full"
        yield Verdict(RED, word, "find out why it was away for so long")
    if health.certificate_days < CERTIFICATE_DAYS:
        word = f"its certificate ends in {health.certificate_days} days"
        yield Verdict(AMBER, word, "renew its certificate")
    if health.waiting > WAITING_MANY:
        yield Verdict(AMBER, f"{health.waiting} windows are still on it", "wait")


def span(seconds: int) -> str:
    """``seconds`` for a person, in one unit."""
    for unit, size in (("days", DAY_S), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or (seconds >= size and unit != "days"):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
