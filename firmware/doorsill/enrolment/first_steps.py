"""The next step of a camera on its way into service: decided, not done.

    doorsill.txt right? ─► network ─► clock ─► enrol ─► voucher wiped ─► counts
          │ no                └──────────┴────────┴── not now: try again, for ever
          └─► say the line, what is wrong and what to do; look at the file again

Nothing is remembered but what is on the disk, so a power cut at any place is a start.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from doorsill.documents.boot.file import BootFile
from doorsill.documents.boot.steps import (
    CLOCK,
    COUNTS,
    FLEET,
    MEND,
    NETWORK,
    POLICY,
    STARTS,
    Step,
)
from doorsill.enrolment.joining import PolicyWait, Wait
from doorsill.errors import DoorsillError, UplinkError
from doorsill.process.backoff import wait_after

CLOCK_WAIT_S = 180.0  # for the network to set the clock; a shop may let no time in
IDLE_S = 300.0  # for the processes to run after they were started
REFUSED_S = 600.0  # until what the fleet refused is asked again: the office may mend it


class Act(Enum):
    """What is to be done."""

    LOOK = "look again"
    WIPE = "wipe the used voucher"
    ENROL = "ask the fleet"
    START = "start counting"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a try ended with, and when the next one is due (s, monotonic)."""

    step: Step
    words: str
    again_at: float


@dataclass(frozen=True, slots=True)
class Seen:
    """How things are."""

    file: BootFile | None  # None: there are problems
    problems: tuple[str, ...]
    enrolled: bool  # the camera has all that it needs, in place
    underway: bool  # an enrolment was begun; its voucher is kept beside it
    ready: bool  # all is made, and is only to be put in place
    used: bool  # the file has a voucher that this camera has used
    wiped_not: bool  # it could not be overwritten
    routed: bool  # there is a way out of this machine
    clock_set: bool  # by the network, since the start
    clock_waited_s: float
    counts: bool  # the processes run
    idle_s: float  # since they were started and did not run yet
    trouble: Trouble | None
    site: str = ""  # whose camera it is; "" if it is nobody's yet


@dataclass(frozen=True, slots=True)
class Plan:
    """What to show, and what to do next."""

    step: Step
    words: tuple[str, ...]
    act: Act


def decide(seen: Seen, now: float) -> Plan:
    """The next step; ``now`` is s, monotonic."""
    if seen.used and not seen.wiped_not:
        return Plan(COUNTS if seen.counts else FLEET, (), Act.WIPE)
    if seen.ready:
        return Plan(FLEET, (), Act.ENROL)
    given = seen.file is not None and seen.file.voucher is not None and not seen.used
    if given or seen.underway:
        return _enrolling(seen, now)
    if seen.enrolled:
        return _running(seen)
    return Plan(MEND, seen.problems or NO_VOUCHER, Act.LOOK)


NO_VOUCHER = (
    "voucher is missing; add a line: voucher = … as on the label. Where it was used "
    "already, ask the office for another: doorsill-fleet device replace SERIAL",
)

NOT_COUNTING = (
    "the camera has all that it needs, and does not count: is its ribbon in place? "
    "More says its console: doorsill status"
)


def trouble_of(error: DoorsillError, seen: Seen, failures: int, now: float) -> Trouble:
    """What a try that ended with ``error`` means, after so many in a row."""
    words = str(error)
    if isinstance(error, UplinkError):
        asked = error.after_s if isinstance(error, Wait) else None
        pause = min(asked, REFUSED_S) if asked else wait_after(failures + 2)
        return Trouble(_step_of(error, seen), words, now + pause)
    if not seen.clock_set:  # a wrong clock makes good certificates look bad
        words += "; the clock was not set by the network, which may be why"
    return Trouble(MEND, words, now + REFUSED_S)


def _step_of(error: UplinkError, seen: Seen) -> Step:
    """What is waited for; where the fleet itself has answered, there is a network."""
    if isinstance(error, PolicyWait):
        return POLICY
    return FLEET if seen.routed or isinstance(error, Wait) else NETWORK


def _enrolling(seen: Seen, now: float) -> Plan:
    """An enrolled camera counts meanwhile: another voucher lies in its file."""
    wait = Act.START if seen.enrolled and not seen.counts else Act.LOOK
    if seen.problems:
        return Plan(MEND, seen.problems, wait)
    trouble = seen.trouble
    if trouble is not None and now < trouble.again_at:
        return Plan(trouble.step, (trouble.words,), wait)
    if seen.routed and not seen.clock_set and seen.clock_waited_s < CLOCK_WAIT_S:
        return Plan(CLOCK, (), wait)
    if trouble is None:
        return Plan(FLEET, (), Act.ENROL)
    return Plan(trouble.step, (trouble.words,), Act.ENROL)


def _running(seen: Seen) -> Plan:
    """It is enrolled; what is wrong in the file is said beside that."""
    words = seen.problems + _elsewhere(seen)
    if seen.counts:
        return Plan(COUNTS, words, Act.LOOK)
    if seen.idle_s > IDLE_S:
        return Plan(MEND, (NOT_COUNTING, *words), Act.START)
    return Plan(STARTS, words, Act.START)


def _elsewhere(seen: Seen) -> tuple[str, ...]:
    """A camera that was carried to another shop goes on counting for the first one."""
    if seen.file is None or seen.site in ("", seen.file.site):
        return ()
    return (
        f"site = {seen.file.site}, and this is a camera of {seen.site}, for which it "
        "counts. To move it: doorsill-fleet device move SERIAL, and its new voucher "
        f"here; else write site = {seen.site}",
    )
