"""What is wrong is said in fixed words, and no word without its fault."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doorsill.cells import Picture, Quality
from doorsill.uplink.standing import (
    REMEMBER_S,
    SILENT_S,
    START_S,
    Device,
    Facts,
    flag_fault,
    problems_of,
)
from doorsill.wire.messages import PROBLEMS

GOOD = Facts(
    device=Device(),
    running_s=3600.0,
    vision_heard_s=1.0,
    picture=Picture.FRESH,
)


def with_device(**changes: Any) -> Facts:
    return replace(GOOD, device=replace(GOOD.device, **changes))


def test_a_device_that_is_well_has_no_problem() -> None:
    assert problems_of(GOOD) == ()


WRONG = [
    pytest.param(replace(GOOD, vision_heard_s=SILENT_S + 1), "vision", id="it hangs"),
    pytest.param(replace(GOOD, vision_heard_s=None), "vision", id="it never came"),
    pytest.param(replace(GOOD, picture=Picture.OLD), "camera", id="no more frames"),
    pytest.param(replace(GOOD, picture=Picture.NONE), "camera", id="no camera"),
    pytest.param(replace(GOOD, picture=Picture.FROZEN), "frozen", id="frozen"),
    pytest.param(with_device(locked=False), "locks", id="a lock is missing"),
    pytest.param(with_device(policy_obeyed=False), "policy", id="not obeyed"),
    pytest.param(with_device(policy_expired=True), "expired", id="has expired"),
    pytest.param(with_device(clock_good=False), "clock", id="below the floor"),
    pytest.param(with_device(certificate_days=29), "certificate", id="ends soon"),
    pytest.param(with_device(certificate_days=-1), "certificate", id="has ended"),
    pytest.param(replace(GOOD, refused_s=3.0), "access", id="refused"),
    pytest.param(replace(GOOD, taken_over_s=3.0), "takeover", id="second client"),
    pytest.param(with_device(reader="missing"), "reader", id="no reader"),
    pytest.param(with_device(reader="no_service"), "reader", id="no pcscd"),
    pytest.param(with_device(reader="unknown"), "vault", id="no vault"),
    pytest.param(with_device(disk_free_mib=15), "disk", id="nearly full"),
    pytest.param(replace(GOOD, disk_takes=False), "disk", id="takes nothing"),
    pytest.param(with_device(power="throttled"), "power", id="hot"),
    pytest.param(with_device(power="under_voltage"), "power", id="under-voltage"),
]


@pytest.mark.parametrize(("facts", "word"), WRONG)
def test_each_fault_has_its_word_and_no_other(facts: Facts, word: str) -> None:
    assert problems_of(facts) == (word,)


def test_every_word_can_be_said() -> None:
    assert {each.values[1] for each in WRONG} == set(PROBLEMS)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(
            replace(GOOD, running_s=START_S - 1, vision_heard_s=None), id="it starts"
        ),
        pytest.param(replace(GOOD, picture=Picture.CLOSED), id="the shop is shut"),
        pytest.param(replace(GOOD, picture=Picture.UNKNOWN), id="not known yet"),
        pytest.param(replace(GOOD, refused_s=REMEMBER_S + 1), id="long ago"),
        pytest.param(with_device(certificate_days=30), id="thirty days"),
        pytest.param(with_device(reader="ready"), id="a reader"),
    ],
)
def test_what_is_no_fault_has_no_word(facts: Facts) -> None:
    assert problems_of(facts) == ()


def test_vision_that_hangs_is_not_told_as_a_camera() -> None:
    """Its last word of the camera is old by then."""
    facts = replace(GOOD, vision_heard_s=SILENT_S + 1, picture=Picture.FROZEN)
    assert problems_of(facts) == ("vision",)


def test_the_flag_is_the_uplinks_alone() -> None:
    claimed = Quality.DARK | Quality.FAULT
    assert flag_fault(claimed, ()) == Quality.DARK
    assert flag_fault(Quality.DARK, ("disk",)) == claimed
