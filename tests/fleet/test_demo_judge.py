"""Whether a demo went well: a table of counts and of what the vault said in turn."""

from __future__ import annotations

import pytest

from doorsill_fleet.demo.judge import miscounts, tolerance, vault_faults


@pytest.mark.parametrize(
    ("true", "apart"), [(0, 2), (3, 2), (20, 2), (21, 3), (100, 10), (101, 11)]
)
def test_the_tolerance_is_two_or_a_tenth(true: int, apart: int) -> None:
    assert tolerance(true) == apart


@pytest.mark.parametrize(
    ("counted", "truth", "said"),
    [
        pytest.param([(19, 20)], [(19, 20)], [], id="exact"),
        pytest.param([(17, 22)], [(19, 20)], [], id="within"),
        pytest.param(
            [(16, 20)],
            [(19, 20)],
            ["line 1: 16 in were counted, 19 are true; they may differ by 2"],
            id="too-few-in",
        ),
        pytest.param(
            [(0, 0), (0, 3)],
            [(0, 0), (3, 0)],
            [
                "line 2: 0 in were counted, 3 are true; they may differ by 2",
                "line 2: 3 out were counted, 0 are true; they may differ by 2",
            ],
            id="the-wrong-direction-of-the-second-line",
        ),
        pytest.param([(5, 5)], None, [], id="a-recording-whose-truth-nobody-knows"),
    ],
)
def test_a_count_that_is_off_is_a_sentence(
    counted: list[tuple[int, int]],
    truth: list[tuple[int, int]] | None,
    said: list[str],
) -> None:
    found = miscounts(counted, truth)
    assert [each.split(". ")[0] for each in found] == said


@pytest.mark.parametrize(
    ("states", "said"),
    [
        pytest.param(["BLANK", "OPEN", "BLANK"], "", id="as-it-should"),
        pytest.param(["BLANK"], "never opened, though the card was in", id="blank"),
        pytest.param([], "never opened, though the card was in", id="no-vault"),
        pytest.param(["BLANK", "OPEN"], "was not blank again", id="still-open"),
    ],
)
def test_a_vault_that_does_not_follow_the_card_is_a_sentence(
    states: list[str], said: str
) -> None:
    found = vault_faults(states, 60.0)
    assert len(found) == bool(said)
    assert all(said in each for each in found)
    assert all("20 s to 40 s" in each for each in found if "never" in each)
