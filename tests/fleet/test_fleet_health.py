"""Green, amber or red: each cause has its word and its next step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from messages import HEALTH

from doorsill.wire.messages import PROBLEMS, STATES
from doorsill_fleet.store import health
from doorsill_fleet.store.health import AMBER, GREEN, RED, Seen, judge

NOW = HEALTH.time
FINE = replace(HEALTH, problems=(), dropped=0, certificate_days=300, waiting=0)
WELL = Seen(heard=NOW - 30, newest=NOW - 60, state="ready", health=FINE)


@pytest.mark.parametrize(
    ("seen", "colour", "word"),
    [
        pytest.param(WELL, GREEN, "counting", id="well"),
        pytest.param(replace(WELL, state="sleeping"), GREEN, "closed", id="closed"),
        pytest.param(None, RED, "never heard", id="unknown"),
        pytest.param(Seen(heard=0), RED, "never heard", id="never heard"),
        pytest.param(
            replace(WELL, heard=NOW - 7200), RED, "silent for 2 h", id="silent"
        ),
        pytest.param(replace(WELL, heard=NOW - 300), GREEN, "counting", id="not yet"),
        pytest.param(replace(WELL, state="lost"), RED, "lost", id="lost"),
        pytest.param(
            replace(WELL, state="disconnected", heard=0), RED, "never", id="no word"
        ),
        pytest.param(
            replace(WELL, state="disconnected"), AMBER, "stopped", id="stopped"
        ),
        pytest.param(replace(WELL, missing=12), RED, "12 people", id="a gap"),
        pytest.param(replace(WELL, refused=3), AMBER, "3 of its", id="garbage"),
        pytest.param(
            replace(WELL, clock_off_s=-400 * 86_400),
            AMBER,
            "its clock is 400 days behind",
            id="its clock",
        ),
        pytest.param(
            replace(WELL, health=replace(FINE, certificate_days=9)),
            AMBER,
            "ends in 9 days",
            id="its certificate",
        ),
        pytest.param(
            replace(WELL, health=replace(FINE, dropped=5)), RED, "gave up 5", id="full"
        ),
        pytest.param(
            replace(WELL, health=replace(FINE, waiting=500)),
            AMBER,
            "500 windows are still on it",
            id="catching up",
        ),
    ],
)
def test_what_is_known_decides(seen: Seen | None, colour: str, word: str) -> None:
    said = judge(seen, NOW)
    assert said.colour == colour and word in said.word
    assert said.step or colour != RED


def test_the_worst_decides() -> None:
    bad = replace(WELL, refused=1, health=replace(FINE, problems=("reader", "camera")))
    assert judge(bad, NOW) == health.Verdict(*health.PROBLEMS["camera"])


@pytest.mark.parametrize("problem", PROBLEMS)
def test_each_problem_has_a_word_and_a_step(problem: str) -> None:
    said = judge(replace(WELL, health=replace(FINE, problems=(problem,))), NOW)
    assert said.colour in (AMBER, RED) and said.word and said.step


def test_each_state_has_a_word() -> None:
    assert set(health.STATES) == set(STATES)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(5, "5 s"), (60, "1 min"), (3600, "1 h"), (100_000, "27 h"), (200_000, "2 days")],
)
def test_a_span_is_in_one_unit(seconds: int, said: str) -> None:
    found: Any = health.span(seconds)
    assert found == said
