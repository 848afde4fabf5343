"""The next step of a camera on its way: a table of how things are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

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
from doorsill.documents.voucher import Voucher
from doorsill.enrolment.first_steps import (
    CLOCK_WAIT_S,
    IDLE_S,
    NO_VOUCHER,
    REFUSED_S,
    Act,
    Seen,
    Trouble,
    decide,
    trouble_of,
)
from doorsill.enrolment.joining import PolicyWait, Wait
from doorsill.errors import ConfigError, DoorsillError, UntrustedError, UplinkError

NOW = 1000.0
GIVEN = BootFile("porto-1", Voucher("h", 1, "ds-4k7q2m9x", "S", "R"))
WIPED = replace(GIVEN, voucher=None)
FRESH = Seen(
    file=GIVEN, problems=(), enrolled=False, underway=False, ready=False, used=False,
    wiped_not=False, routed=True, clock_set=True, clock_waited_s=0.0, counts=False,
    idle_s=0.0, trouble=None,
)  # fmt: skip
WRONG: dict[str, Any] = {"file": None, "problems": ("line 3: a typo",)}
LATER = Trouble(FLEET, "the fleet does not answer", NOW + 1)
DUE = replace(LATER, again_at=NOW)


@pytest.mark.parametrize(
    ("seen", "step", "act"),
    [
        pytest.param({}, FLEET, Act.ENROL, id="all is there: it asks the fleet"),
        pytest.param(WRONG, MEND, Act.LOOK, id="a typo: it says so and looks again"),
        pytest.param({"file": WIPED}, MEND, Act.LOOK, id="no voucher, never enrolled"),
        pytest.param(
            {"clock_set": False, "clock_waited_s": CLOCK_WAIT_S - 1},
            CLOCK,
            Act.LOOK,
            id="1970: it gives the clock its time",
        ),
        pytest.param(
            {"clock_set": False, "clock_waited_s": CLOCK_WAIT_S},
            FLEET,
            Act.ENROL,
            id="a shop that lets no time in: it goes on",
        ),
        pytest.param(
            {"clock_set": False, "routed": False},
            FLEET,
            Act.ENROL,
            id="no way out: the try itself will say what is wrong",
        ),
        pytest.param({"trouble": LATER}, FLEET, Act.LOOK, id="the next try is not due"),
        pytest.param({"trouble": DUE}, FLEET, Act.ENROL, id="the next try is due"),
        pytest.param(
            {"file": WIPED, "underway": True},
            FLEET,
            Act.ENROL,
            id="cut after the certificate: it goes on with what it keeps",
        ),
        pytest.param(
            {**WRONG, "underway": True}, MEND, Act.LOOK, id="a typo on the way"
        ),
        pytest.param(
            {**WRONG, "ready": True, "underway": True, "enrolled": True},
            FLEET,
            Act.ENROL,
            id="all is made: a typo and a half pair stop nothing",
        ),
        pytest.param({"used": True}, FLEET, Act.WIPE, id="used: it is wiped first"),
        pytest.param(
            {"used": True, "enrolled": True, "counts": True},
            COUNTS,
            Act.WIPE,
            id="used, and a cut before the wipe",
        ),
        pytest.param(
            {"used": True, "wiped_not": True, "enrolled": True},
            STARTS,
            Act.START,
            id="a card that cannot be written stops no count",
        ),
        pytest.param(
            {"used": True, "wiped_not": True, "underway": True},
            FLEET,
            Act.ENROL,
            id="nor an enrolment that is under way",
        ),
        pytest.param(
            {"file": WIPED, "enrolled": True}, STARTS, Act.START, id="it is started"
        ),
        pytest.param(
            {"file": WIPED, "enrolled": True, "counts": True},
            COUNTS,
            Act.LOOK,
            id="it counts",
        ),
        pytest.param(
            {"file": WIPED, "enrolled": True, "idle_s": IDLE_S + 1},
            MEND,
            Act.START,
            id="without a camera it does not count, and a person is called",
        ),
        pytest.param(
            {**WRONG, "enrolled": True, "counts": True},
            COUNTS,
            Act.LOOK,
            id="a typo later stops no count",
        ),
        pytest.param(
            {"enrolled": True, "counts": True, "trouble": LATER},
            FLEET,
            Act.LOOK,
            id="another voucher: it counts meanwhile",
        ),
        pytest.param(
            {"enrolled": True, "trouble": LATER},
            FLEET,
            Act.START,
            id="another voucher after a start: it is started all the same",
        ),
    ],
)
def test_the_next_step(seen: dict[str, Any], step: Step, act: Act) -> None:
    plan = decide(replace(FRESH, **seen), NOW)
    assert (plan.step, plan.act) == (step, act)


@pytest.mark.parametrize("counts", [True, False])
def test_a_state_of_another_shops_camera_is_named_and_it_counts(counts: bool) -> None:
    """A card that was carried elsewhere; another voucher would bring it there."""
    seen = replace(FRESH, file=WIPED, enrolled=True, counts=counts, site="lisbon-9")
    plan = decide(seen, NOW)
    assert plan.step == (COUNTS if counts else STARTS)
    assert "this is a camera of lisbon-9, for which it counts" in plan.words[0]
    assert "device move" in plan.words[0]
    assert decide(replace(seen, site=WIPED.site), NOW).words == ()
    assert decide(replace(seen, file=FRESH.file), NOW).words == ()


def test_what_is_wrong_is_said() -> None:
    assert decide(replace(FRESH, **WRONG), NOW).words == ("line 3: a typo",)
    assert decide(replace(FRESH, file=WIPED), NOW).words == NO_VOUCHER
    assert decide(replace(FRESH, trouble=LATER), NOW).words == (LATER.words,)


@pytest.mark.parametrize(
    ("error", "seen", "step", "after_s"),
    [
        pytest.param(UplinkError("x"), {}, FLEET, 2.0, id="a dead server"),
        pytest.param(
            UplinkError("x"), {"routed": False}, NETWORK, 2.0, id="no network"
        ),
        pytest.param(Wait("x", 30.0), {}, FLEET, 30.0, id="when the fleet says so"),
        pytest.param(Wait("x", 1e9), {}, FLEET, REFUSED_S, id="and never in years"),
        pytest.param(PolicyWait("x"), {}, POLICY, 2.0, id="no policy yet"),
        pytest.param(UntrustedError("x"), {}, MEND, REFUSED_S, id="a used voucher"),
        pytest.param(ConfigError("x"), {}, MEND, REFUSED_S, id="another shop"),
    ],
)
def test_what_a_try_ends_with_is_tried_again(
    error: DoorsillError, seen: dict[str, Any], step: Step, after_s: float
) -> None:
    trouble = trouble_of(error, replace(FRESH, **seen), 1, NOW)
    assert (trouble.step, trouble.again_at - NOW) == (step, after_s)


def test_a_day_without_network_is_tried_each_minute_to_its_end() -> None:
    waits = [
        trouble_of(UplinkError("x"), FRESH, failures, 0.0).again_at
        for failures in range(1, 2000)
    ]
    assert waits == sorted(waits) and waits[0] >= 1.0 and waits[-1] == 60.0


def test_a_clock_that_nobody_set_is_named_where_trust_fails() -> None:
    words = trouble_of(UntrustedError("x"), replace(FRESH, clock_set=False), 1, 0).words
    assert "the clock was not set by the network" in words
