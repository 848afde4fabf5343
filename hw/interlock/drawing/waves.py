"""Waveforms as SVG: each net on a strip of its own, what is asserted marked on it."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from interlock.spice.scenarios import Check
from interlock.spice.study import Result

WIDE, STRIP, LEFT, TOP = 900, 120, 145, 66  # pixels
VOLTS = 5.5  # that a strip shows at most
POINTS = 1500  # of a curve
LINE, LIMIT, BAD = "#1d4e89", "#1f6f43", "#b3261e"


def draw(result: Result) -> str:
    """The curves of one run, with every check that lies on them."""
    scenario, stop = result.scenario, result.scenario.world.stop_ms
    tall = TOP + STRIP * len(scenario.waves) + 30 + 16 * len(scenario.checks)
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDE + 30}" '
        f'height="{tall}">',
        "<style>text{font-family:DejaVu Sans,sans-serif;font-size:11px}</style>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="16" y="24" font-size="15" font-weight="bold">{scenario.name}</text>',
        f'<text x="16" y="44" fill="#555">{escape(scenario.says)}</text>',
    ]
    for row, net in enumerate(scenario.waves):
        body += _strip(result, row, net, stop)
    body += _verdicts(result, TOP + STRIP * len(scenario.waves) + 30)
    return "\n".join([*body, "</svg>", ""])


def _strip(result: Result, row: int, net: str, stop: float) -> Iterator[str]:
    top = TOP + STRIP * row
    low = top + STRIP - 20
    yield f'<text x="16" y="{low - 35}" font-weight="bold">{net}</text>'
    for volts in (0, 1, 2, 3, 4, 5):
        y = low - _height(volts)
        yield f'<path d="M{LEFT} {y:.1f}H{LEFT + WIDE}" stroke="#e6e6e6"/>'
        if volts % 2 == 0:
            yield f'<text x="{LEFT - 24}" y="{y + 4:.1f}" fill="#555">{volts} V</text>'
    step = 10 if stop <= 150 else 50
    for ms in range(0, int(stop) + 1, step):
        x = LEFT + WIDE * ms / stop
        yield f'<path d="M{x:.1f} {low}v3" stroke="#555"/>'
        yield f'<text x="{x - 8:.1f}" y="{low + 14}" fill="#555">{ms}</text>'
    for check in result.scenario.checks:
        if check.measure.what == net:
            yield from _mark(check, result, low, stop)
    yield _curve(result, net, low, stop)


def _height(volts: float) -> float:
    return min(max(volts, -0.3), VOLTS) / VOLTS * (STRIP - 28)


def _curve(result: Result, net: str, low: float, stop: float) -> str:
    """The curve, of which each span of pixels keeps its lowest and highest point."""
    times, volts = result.run.waves["time"], result.run.waves[net]
    chunk = max(1, 2 * len(times) // POINTS)
    points = []
    for start in range(0, len(times), chunk):
        span = range(start, min(start + chunk, len(times)))
        ends = {min(span, key=volts.__getitem__), max(span, key=volts.__getitem__)}
        points += [
            f"{LEFT + WIDE * times[at] * 1e3 / stop:.1f},{low - _height(volts[at]):.1f}"
            for at in sorted(ends)
        ]
    return (
        f'<polyline points="{" ".join(points)}" fill="none" stroke="{LINE}" '
        'stroke-width="1.4"/>'
    )


def _mark(check: Check, result: Result, low: float, stop: float) -> Iterator[str]:
    """The span of a check at its limit; of a fall the time that it may take."""
    colour = LIMIT if check.holds(result.run.figures) else BAD
    start, end, level = check.measure.from_ms, check.measure.to_ms, check.limit
    if check.measure.how == "below":
        end, level = start + check.limit * 1e3, check.measure.level
        fill = LEFT + WIDE * start / stop
        yield (
            f'<rect x="{fill:.1f}" y="{low - STRIP + 28}" '
            f'width="{WIDE * (end - start) / stop:.1f}" height="{STRIP - 28}" '
            f'fill="{colour}" opacity="0.12"/>'
        )
    x, y = LEFT + WIDE * start / stop, low - _height(level)
    yield (
        f'<path d="M{x:.1f} {y:.1f}h{WIDE * (end - start) / stop:.1f}" '
        f'stroke="{colour}" stroke-width="2.5" stroke-dasharray="6 3"/>'
    )


def _verdicts(result: Result, top: float) -> Iterator[str]:
    for row, check in enumerate(result.scenario.checks):
        found = check.value(result.run.figures)
        holds = check.holds(result.run.figures)
        said = "was never reached" if found is None else spelt(check, found)
        yield (
            f'<text x="{LEFT}" y="{top + 16 * row}" fill="{LIMIT if holds else BAD}">'
            f"{'holds' if holds else 'BROKEN'}: {check.measure.name} "
            f"{escape(said)} ({escape(check.sign)} {escape(spelt(check, check.limit))})"
            "</text>"
        )


def spelt(check: Check, value: float) -> str:
    """A figure of a check with its unit."""
    if check.measure.how == "below":
        return f"{value * 1e3:.3f} ms"
    if "(" in check.measure.what:
        return f"{value * 1e3:.2f} mA"
    return f"{value:.3f} V"
