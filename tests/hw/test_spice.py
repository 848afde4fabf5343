"""The decks follow the board; ngspice's silence is never a pass; a smoke of scenarios.

``make hw`` plays all of them, and a series of boards.
"""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from interlock.build import deck_of
from interlock.errors import BoardError
from interlock.netlist import Board, load_board
from interlock.spice import ngspice
from interlock.spice.deck import deck
from interlock.spice.models import Drawn, lines
from interlock.spice.ngspice import require_end, simulate
from interlock.spice.scenarios import CONTROL, SCENARIOS, Scenario
from interlock.spice.study import CELSIUS, SERIES, SUPPLY_V, play, sample
from interlock.spice.world import HIGH_MS, World, beats, course

BY_NAME = {each.name: each for each in SCENARIOS}
SMOKE = ("token-pulled", "watchdog-stuck-high", "all-lines-high")


@pytest.fixture(scope="module")
def board() -> Board:
    return load_board()


@pytest.mark.parametrize("name", SMOKE)
def test_the_rail_dies_as_promised(board: Board, name: str) -> None:
    result = play(board, BY_NAME[name])
    assert result.broken == []
    assert result.run.waves["time"][-1] >= BY_NAME[name].world.stop_ms * 0.999e-3


def test_negative_control_without_the_buffer_the_lines_feed_the_rail(
    board: Board,
) -> None:
    result = play(board, CONTROL)
    assert set(result.broken) == {"dead_after", "then_at_most"}
    assert result.run.figures["then_at_most"] > 2


def test_a_board_of_the_series_keeps_both_limits(board: Board) -> None:
    found = sample(board, 2)
    assert found.broken == ()
    assert found.celsius in CELSIUS and found.volts in SUPPLY_V
    assert found.token_s and found.token_s < 0.010
    assert found.watchdog_s and 0.02 < found.watchdog_s < 0.050


def test_negative_control_a_watchdog_of_too_long_a_time_breaks_the_series(
    board: Board,
) -> None:
    slow = Drawn({"C7": 2.0}, {})
    measures = tuple(each.measure for each in SERIES.checks)
    from interlock.spice.deck import Setting

    run = simulate(deck(board, SERIES.world, measures, Setting(25, slow)), 0.135)
    assert not SERIES.checks[4].holds(run.figures)


@pytest.mark.parametrize("scenario", [*SCENARIOS, CONTROL], ids=lambda each: each.name)
def test_every_scenario_says_what_it_does_not_show(scenario: Scenario) -> None:
    assert scenario.checks and scenario.says and scenario.not_shown and scenario.bench
    assert "none" not in deck_of(load_board(), scenario)


def test_a_check_that_was_never_measured_does_not_hold() -> None:
    for each in BY_NAME["token-pulled"].checks:
        assert not each.holds({})


@pytest.mark.parametrize(
    ("said", "figures", "says"),
    [
        pytest.param("", {}, "nothing was simulated", id="silence"),
        pytest.param("", {"ended_at": 0.01}, "did not converge", id="stopped early"),
        pytest.param(
            "doAnalyses: TRAN:  Timestep too small; time = 0.01",
            {"ended_at": 0.07},
            "Timestep too small",
            id="timestep",
        ),
        pytest.param(
            "Error: unknown model type", {"ended_at": 0.07}, "unknown model", id="model"
        ),
    ],
)
def test_a_run_that_did_not_converge_is_an_error(
    said: str, figures: dict[str, float], says: str
) -> None:
    with pytest.raises(BoardError, match=says):
        require_end(said, figures, 0.07)


def test_a_deck_that_cannot_converge_is_an_error() -> None:
    text = (
        "* two sources fight\nV1 a 0 1\nV2 a 0 2\n.tran 1u 1m uic\n"
        ".control\nrun\nlet ended_at = time[length(time)-1]\nprint ended_at\nquit\n"
        ".endc\n.end\n"
    )
    with pytest.raises(BoardError, match="ngspice"):
        simulate(text, 1e-3)


def test_no_ngspice_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", missing)
    with pytest.raises(BoardError, match="apt-get install ngspice"):
        simulate("*", 1.0)


def test_a_run_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngspice, "LIMIT_S", 0.0)
    with pytest.raises(BoardError, match="did not end within 0 s"):
        simulate("* nothing\n.end\n", 1.0)


def test_a_part_without_a_model_is_an_error(board: Board) -> None:
    placed = replace(board["R1"], part=replace(board["R1"].part, kind="coil"))
    with pytest.raises(BoardError, match="no model for a coil"):
        lines(placed, Drawn({}, {}))


def test_the_watchdog_beats_until_it_is_lost() -> None:
    found = beats(World(40, period_ms=10, alive=(5, 22), stuck=1))
    low = [pytest.approx(each + HIGH_MS) for each in (5, 15)]
    assert found == [(0, 0), (5, 1), (low[0], 0), (15, 1), (low[1], 0), (22, 1)]
    assert course(found[:2], 3.3) == "PWL(0 0 0.005 0 0.005005 3.3)"


def test_the_series_is_the_same_every_time_and_no_two_boards_are(board: Board) -> None:
    import random

    from interlock.spice.study import draw

    one, again, other = (draw(board, random.Random(seed)) for seed in (1, 1, 2))
    assert one == again and one != other
    assert abs(one.of("R1") - 1) <= 0.01 and abs(one.of("U3") - 1) <= 0.15
