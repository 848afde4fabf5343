"""The results of a count: for people, for programs, and as a table of crossings."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console, Group, RenderableType

from doorsill.cli.count_wanted import Places
from doorsill.commandline.tables import Rows
from doorsill.device.version import version_line
from doorsill.evaluation.counting import Counted
from doorsill.evaluation.sights import remarks
from doorsill.values import Direction


@dataclass(frozen=True, slots=True)
class Result:
    """One recording, and what was counted in it."""

    source: str
    length: float | None  # seconds of video, as its header states
    counted: Counted
    unheeded: tuple[str, ...] = ()  # what of the policy was not heeded, in words

    @property
    def until(self) -> str:
        """Why and where counting ended too soon; empty if it did not."""
        stopped = self.counted.stopped
        if stopped is None:
            return ""
        why = "interrupted" if isinstance(stopped, KeyboardInterrupt) else str(stopped)
        return f"{why}; what is counted here is the first {self.counted.reached:.1f} s"

    @property
    def remarks(self) -> list[str]:
        """What to change so that the next recording counts better."""
        return [*self.unheeded, *remarks(self.counted.sights)]


def totals(results: Sequence[Result]) -> list[list[int]]:
    """In and out of each line over all recordings."""
    lines = [each.counted.lines for each in results]
    return [
        [sum(pair[side] for pair in line) for side in (0, 1)]
        for line in zip(*lines, strict=True)
    ]


def as_json(
    results: Sequence[Result], places: Places, model: dict[str, str]
) -> dict[str, Any]:
    """The object that ``--json`` prints: one recording's, or all with their total."""
    if len(results) == 1:
        return _one(results[0], places) | {"model": model, "doorsill": version_line()}
    return {
        "lines": _lines(totals(results)),
        "files": [_one(each, places) for each in results],
        "model": model,
        "doorsill": version_line(),
    }


def as_csv(results: Sequence[Result], places: Places) -> str:
    """One row for each crossing: recording, seconds from its start, line, direction."""
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(("source", "seconds", "line", "direction"))
    for each in results:
        for crossing in _crossings(each.counted, places):
            rows.writerow((each.source, *crossing.values()))
    return file.getvalue()


def short(results: Sequence[Result], places: Places) -> str:
    """The totals in one sentence, for when nothing else can be printed."""
    return "; ".join(
        f"line {name}: in {into}, out {out}"
        for name, (into, out) in zip(places.line_names, totals(results), strict=True)
    )


def tables(results: Sequence[Result], places: Places) -> Group:
    """What a person reads: each recording, then the total of several."""
    parts: list[Any] = []
    for each in results:
        title = each.source if len(results) > 1 else None
        parts += [_line_table(each.counted.lines, places, title), *_notes(each, places)]
    if len(results) > 1:
        parts.append(_line_table(totals(results), places, "all together"))
    else:
        parts.insert(1, _stages(results[0].counted))
    return Group(*parts)


def _one(result: Result, places: Places) -> dict[str, Any]:
    counted = result.counted
    zones = zip(places.zone_names, counted.zones, strict=False)
    return {
        "source": result.source,
        "length_s": None if result.length is None else round(result.length, 3),
        "counted_s": round(counted.reached, 3),
        "stopped": result.until or None,
        "lines": _lines(counted.lines),
        "geometry": [
            {"id": name, "points": [list(point) for point in points]}
            for name, points in zip(places.line_names, places.lines, strict=True)
        ],
        "zones": [{"id": name, **asdict(each)} for name, each in zones],
        "people": counted.sights.people,
        "crossings": list(_crossings(counted, places)),
        "remarks": result.remarks,
        "frames": counted.frames,
        "closed": counted.closed,
        "gated": counted.gated,
        "fps": round(counted.fps, 2),
        "seconds": round(counted.seconds, 3),
        "stages_ms": {k: round(v, 4) for k, v in counted.stages_ms.items()},
    }


def _lines(lines: Sequence[Sequence[int]]) -> list[dict[str, int]]:
    return [{"in": each[Direction.IN], "out": each[Direction.OUT]} for each in lines]


def _crossings(counted: Counted, places: Places) -> Iterator[dict[str, Any]]:
    for each in sorted(counted.crossings, key=lambda one: one.time):
        yield {
            "seconds": round(each.time - counted.first, 2),
            "line": places.line_names[each.line],
            "direction": each.direction.name.lower(),
        }


def _line_table(
    lines: Sequence[Sequence[int]], places: Places, title: str | None
) -> Rows:
    table = Rows("line", "points", "in", "out", title=title)
    for name, points, counts in zip(
        places.line_names, places.lines, lines, strict=True
    ):
        shown = " → ".join(f"{x:g},{y:g}" for x, y in points)
        table.add_row(
            name, shown, str(counts[Direction.IN]), str(counts[Direction.OUT])
        )
    return table


def _stages(counted: Counted) -> Rows:
    table = Rows("stage", "ms a frame", "s in all")
    for name, milliseconds in counted.stages_ms.items():
        if milliseconds:
            in_all = milliseconds * counted.frames / 1000
            table.add_row(name, f"{milliseconds:.3f}", f"{in_all:.2f}")
    return table


def _notes(result: Result, places: Places) -> Iterator[str]:
    counted = result.counted
    for name, each in zip(places.zone_names, counted.zones, strict=False):
        yield (
            f"zone {name}: {each.visits} visits, {each.dwell_s} s in all, "
            f"at most {each.occupancy_max} at once"
        )
    yield (
        f"{counted.frames} frames in {counted.seconds:.1f} s: {counted.fps:.0f} "
        f"frames/s; nothing moved in {counted.gated} of them; "
        f"{counted.sights.people} people followed"
    )
    if counted.closed:
        yield f"{counted.closed} frames lie outside the opening hours"
    if result.until:
        yield f"! {result.until}"
    yield from (f"! {each}" for each in result.remarks)


def write_json(document: dict[str, Any]) -> str:
    """``document`` in one line of ASCII."""
    return json.dumps(document) + "\n"


class _Page(io.StringIO):
    """Text for standard output: rich asks a file for its encoding."""

    encoding = sys.stdout.encoding


def write_tables(results: Sequence[Result], places: Places) -> str:
    """The tables as text, as wide and coloured as standard output allows."""
    return on_page(tables(results, places))


def on_page(shown: RenderableType) -> str:
    """``shown`` as text, as wide and coloured as standard output allows."""
    page, output = _Page(), Console()
    console = Console(file=page, width=output.width, force_terminal=output.is_terminal)
    console.print(shown, markup=False, highlight=False, crop=False)
    return page.getvalue()
