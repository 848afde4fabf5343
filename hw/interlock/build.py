"""Make all that comes from the board, into one folder, and judge it on the way.

rules.md  bill.md  connectors.md  schematic.svg  interlock.kicad_sch
doorsill-interlock-overlay.dts  eeprom.eep  scenarios.md  spread.md
waves/*.svg  decks/*.cir  coverage-*.svg  kicad/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from interlock import bill, coverage, lamp
from interlock.drawing import kicad, kicad_check, spread, svg, waves
from interlock.drawing.sheet import lay_out
from interlock.errors import BoardError
from interlock.netlist import Board
from interlock.rules.book import RULES, judge
from interlock.rules.mutants import MUTANTS, caught, without_mutant
from interlock.spice.deck import deck
from interlock.spice.scenarios import (
    CONTROL,
    SCENARIOS,
    TOKEN_MS,
    WATCHDOG_MS,
    Scenario,
)
from interlock.spice.study import Result, Sample, play, sample
from interlock.tree import eeprom, overlay

PLANNED_M, PLANNED_DEGREES = 3.0, 45.0  # a camera's place, as the README advises it
AT_ONCE = 2  # runs of ngspice


@dataclass(frozen=True, slots=True)
class Order:
    """What to make."""

    out: Path
    boards: int  # of the series
    trees: Sequence[Path] = ()  # device trees of real boards, for the overlay
    kicad: bool = False  # it must judge the schematic; otherwise where it is installed
    say: Callable[[str], object] = print


def make(board: Board, order: Order) -> list[str]:
    """Make everything; gives what does not hold. Raises BoardError."""
    order.out.mkdir(parents=True, exist_ok=True)
    broken = [*documents(board, order)]
    if order.kicad or kicad_check.is_there():
        kicad_check.check(board, order.out / "interlock.kicad_sch", order.out)
        order.say("KiCad: no fault, and the same pins joined")
    broken += mutants(order.out)
    order.say(f"{len(RULES)} rules, {len(MUTANTS)} mutants: {len(broken)} faults")
    broken += scenarios(board, order)
    broken += series(board, order)
    return broken


def documents(board: Board, order: Order) -> list[str]:
    """Rules, drawing, bill and connectors."""
    found, out = judge(board), order.out
    sheet = lay_out(board)
    write(out / "schematic.svg", svg.draw(board, sheet))
    write(out / "interlock.kicad_sch", kicad.draw(board, sheet))
    write(
        out / "bill.md", f"{bill.bill_table(board)}\nPower lamp: {lamp.words(board)}\n"
    )
    write(out / "connectors.md", bill.connector_table(board))
    linux(board, order)
    for lens in coverage.LENSES:
        drawn = coverage.draw(PLANNED_M, lens, PLANNED_DEGREES)
        write(out / f"coverage-{lens}.svg", drawn)
    return [f"{rule}: {each}" for rule, faults in found.items() for each in faults]


def linux(board: Board, order: Order) -> None:
    """The overlay, checked and applied, and the EEPROM, made and read again."""
    source, out = overlay.overlay(board), order.out
    write(out / f"{overlay.NAME}-overlay.dts", source)
    for name, tree in overlay.check_all(source, order.trees).items():
        write(out / f"applied-{name}.dts", tree)
    image = eeprom.build()
    write(out / "eeprom.txt", eeprom.text())
    (out / "eeprom.eep").write_bytes(image)
    if eeprom.dump(image) != eeprom.OURS:
        raise BoardError("the EEPROM's image does not say what went into it")


def mutants(out: Path) -> list[str]:
    """Hold every rule to its mutants, and write the table."""
    broken = [f"the rule {each} has no mutant" for each in without_mutant()]
    rows = ["| mutant | rule that must trip | tripped |", "|---|---|---|"]
    for each in MUTANTS:
        tripped = caught(each)
        rows.append(f"| {each.says} | {each.rule} | {', '.join(tripped)} |")
        if each.rule not in tripped:
            broken.append(f"{each.rule} does not trip on: {each.says}")
    write(out / "rules.md", "\n".join([*rows, ""]))
    return broken


def scenarios(board: Board, order: Order) -> list[str]:
    """Play every scenario, and the control that must fail."""
    broken, rows = [], ["| scenario | check | found | limit |", "|---|---|---|---|"]
    notes = [
        "",
        "| scenario | what it does not show | which measurement would |",
        "|---|---|---|",
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda each: play(board, each), (*SCENARIOS, CONTROL)))
    for result in results:
        draw_result(board, result, order.out)
        rows += table_rows(result)
        if result.scenario is CONTROL:
            if not result.broken:
                broken.append("the control without a buffer passes: the check is blind")
            continue
        broken += [f"{result.scenario.name}: {each}" for each in result.broken]
        notes.append(
            f"| {result.scenario.name} | {result.scenario.not_shown} | "
            f"{result.scenario.bench} |"
        )
    write(order.out / "scenarios.md", "\n".join([*rows, *notes, ""]))
    order.say(f"{len(SCENARIOS)} scenarios and a control: {len(broken)} faults")
    return broken


def draw_result(board: Board, result: Result, out: Path) -> None:
    """The waveform and the deck of one run."""
    name = result.scenario.name
    write(out / "waves" / f"{name}.svg", waves.draw(result))
    write(out / "decks" / f"{name}.cir", deck_of(board, result.scenario))


def deck_of(board: Board, scenario: Scenario) -> str:
    """The deck of a scenario, as it was played."""
    for ref, pin, net in scenario.moved:
        board = board.rewired(ref, pin, net)
    measures = tuple(each.measure for each in scenario.checks)
    return deck(board, scenario.world, measures, waves=scenario.waves)


def table_rows(result: Result) -> Iterator[str]:
    """One row for each check."""
    for check in result.scenario.checks:
        found = check.value(result.run.figures)
        said = "never" if found is None else waves.spelt(check, found)
        broken = "" if check.holds(result.run.figures) else " **broken**"
        limit = f"{check.sign} {waves.spelt(check, check.limit)}"
        name = f"{result.scenario.name} | {check.measure.name}"
        yield f"| {name} | {said}{broken} | {limit} |"


def series(board: Board, order: Order) -> list[str]:
    """A series of boards within their tolerances."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(
            pool.map(lambda number: sample(board, number), range(order.boards))
        )
    broken = [
        f"board {each.number}: {', '.join(each.broken)}"
        for each in found
        if each.broken
    ]
    token, lost = [each.token_s for each in found], [each.watchdog_s for each in found]
    worst = [
        one_spread(order.out, "token", "From the card's contact", token, TOKEN_MS),
        one_spread(order.out, "watchdog", "From the last edge", lost, WATCHDOG_MS),
    ]
    write(order.out / "spread.md", "\n".join([*worst, "", *map(row_of, found), ""]))
    order.say(f"{len(found)} boards: {len(broken)} outside; " + "; ".join(worst))
    return broken


def one_spread(
    out: Path, name: str, says: str, times: Sequence[float | None], limit: float
) -> str:
    """The histogram of one time; gives a sentence on it."""
    reached = [each * 1e3 for each in times if each is not None]
    if not reached:
        raise BoardError(f"no board of the series came to {name}")
    drawn = spread.draw(f"{says} to a dead rail", reached, limit)
    write(out / "waves" / f"spread-{name}.svg", drawn)
    return f"{name}: {min(reached):.3f} to {max(reached):.3f} ms, limit {limit:g} ms"


def row_of(each: Sample) -> str:
    """One board of the series, as a line."""
    return (
        f"board {each.number}: {each.celsius:.1f} C {each.volts:.3f} V "
        f"token {each.token_s} s watchdog {each.watchdog_s} s {','.join(each.broken)}"
    )


def write(path: Path, text: str) -> None:
    """Write a file, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
