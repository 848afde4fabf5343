"""What a camera above a door sees: how wide, at the floor and at the heads.

          camera                 A camera sees 2 * distance * tan(angle / 2) across, at
            +                    a distance along its axis (a pinhole: a real lens bends
           / `.                  its edges by some percent). ``tilt`` is the angle of
   near   /    `.    far         the axis from straight down: 0 looks at the floor, 45
         /       `.              is what the README advises.
heads --/----------`.---  1.6 m
floor -/-------------`.-  0 m
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from math import cos, inf, radians, tan
from pathlib import Path

from interlock.errors import BoardError

HEAD_M = 1.6  # height of the middle of a head above the floor
HEAD_WIDE_M = 0.19  # width of a head
MODEL_PX = 320  # width of the picture that our detector looks at (models/detector.toml)
LEAST_HEAD_PX = 9.0  # heads below it are not found (models/detector.md)
FEW_HEAD_PX = 12.0  # and below it some are missed
HIGHEST_M, LOWEST_M = 8.0, 2.0  # of a camera's place
STEEPEST, FLATTEST = 0.0, 60.0  # of its tilt, in degrees


@dataclass(frozen=True, slots=True)
class Lens:
    """A camera module and its angles of view in degrees."""

    says: str
    across: float
    along: float
    source: str


LENSES = {
    "wide": Lens("Camera Module 3 Wide", 102, 67, "official table, read second-hand"),
    "standard": Lens("Camera Module 3", 66, 41, "official table, read second-hand"),
    "imx500": Lens("AI Camera (IMX500)", 66, 52, "from memory: unverified"),
}


@dataclass(frozen=True, slots=True)
class Plane:
    """What is seen of one level, in metres."""

    wide: float  # on the axis, across
    near: float  # ahead of the camera; below 0 it is behind
    far: float  # infinite where the view passes the horizon


@dataclass(frozen=True, slots=True)
class View:
    """What a camera sees; the head in pixels of the detector's picture, on the axis."""

    floor: Plane
    heads: Plane
    head_px: float


def view(height: float, lens: Lens, tilt: float) -> View:
    """What ``lens`` sees from ``height`` metres; raises BoardError."""
    if not LOWEST_M <= height <= HIGHEST_M:
        raise BoardError(f"--height {height:g} must be {LOWEST_M:g} to {HIGHEST_M:g} m")
    if not STEEPEST <= tilt <= FLATTEST:
        raise BoardError(
            f"--tilt {tilt:g} must be {STEEPEST:g} to {FLATTEST:g} degrees"
        )
    heads = plane(height - HEAD_M, lens, tilt)
    return View(plane(height, lens, tilt), heads, HEAD_WIDE_M / heads.wide * MODEL_PX)


def plane(below: float, lens: Lens, tilt: float) -> Plane:
    """What is seen of a level ``below`` metres under the camera."""
    wide = 2 * below / cos(radians(tilt)) * tan(radians(lens.across) / 2)
    upper = tilt + lens.along / 2
    far = below * tan(radians(upper)) if upper < 90 else inf
    return Plane(wide, below * tan(radians(tilt - lens.along / 2)), far)


def describe(height: float, name: str, tilt: float) -> str:
    """The view in words."""
    lens = LENSES[name]
    seen = view(height, lens, tilt)
    return "\n".join(
        [
            f"{lens.says}, {lens.across:g} x {lens.along:g} degrees ({lens.source})",
            f"from {height:g} m, {tilt:g} degrees off straight down (a pinhole):",
            f"  at the floor  {_plane(seen.floor)}",
            f"  at the heads  {_plane(seen.heads)}, {HEAD_M:g} m above the floor",
            f"  a head is     {seen.head_px:.0f} pixels wide, of the {MODEL_PX} that "
            f"the detector sees{judge_head(seen.head_px)}",
            "Lay the line where the axis meets the heads; the door must be narrower "
            "than the view there.",
        ]
    )


def _plane(seen: Plane) -> str:
    return f"{seen.wide:.1f} m wide, {seen.near:.1f} to {seen.far:.1f} m ahead"


def judge_head(pixels: float) -> str:
    """What a head of so many pixels means for the count; "" if all is well."""
    if pixels < LEAST_HEAD_PX:
        return ": too small, heads are not found"
    return ": small, some are missed" if pixels < FEW_HEAD_PX else ""


SCALE, EDGE = 90.0, 60.0  # pixels a metre, and around the drawing
TEXT = 'font-family="DejaVu Sans,Verdana,sans-serif" font-size="14"'
FARTHEST_M = 9.0  # that the drawing shows


def draw(height: float, name: str, tilt: float) -> str:
    """The view from the side and from the front, as SVG."""
    lens = LENSES[name]
    seen = view(height, lens, tilt)
    near, far = min(seen.floor.near, 0), min(seen.floor.far, FARTHEST_M)
    side = (far - near) * SCALE + 2 * EDGE
    front = max(seen.floor.wide, 2) * SCALE + 2 * EDGE
    floor = EDGE + 20 + height * SCALE
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{side + front:.0f}" '
            f'height="{floor + EDGE:.0f}">',
            '<rect width="100%" height="100%" fill="white"/>',
            _text(20, 26, f"{lens.says}, {height:g} m, tilt {tilt:g} degrees", "start"),
            *_side(seen, EDGE - near * SCALE, floor, height, far),
            *_front(seen, side + front / 2, floor, height),
            "</svg>",
            "",
        ]
    )


def _side(seen: View, x: float, floor: float, height: float, far: float) -> list[str]:
    top, heads = floor - height * SCALE, floor - HEAD_M * SCALE
    near = x + seen.floor.near * SCALE
    upper = top + (floor - top) * far / seen.floor.far
    middle = (seen.heads.near + min(seen.heads.far, far)) / 2
    return [
        f'<path d="M{x:.0f} {top:.0f}L{near:.0f} {floor:.0f}H{x + far * SCALE:.0f}'
        f'{"" if seen.floor.far <= far else f"V{upper:.0f}"}Z" fill="#fdf0e6" '
        'stroke="#c98a4b"/>',
        _person(x + max(middle, 0.3) * SCALE, floor),
        _level(x + seen.heads.near * SCALE, x + far * SCALE, heads),
        f'<rect x="{x - 12:.0f}" y="{top - 12:.0f}" width="24" height="14"/>',
        _text(x + far * SCALE / 2, floor + 24, "from the side"),
    ]


def _front(seen: View, x: float, floor: float, height: float) -> list[str]:
    top, heads = floor - height * SCALE, floor - HEAD_M * SCALE
    half, reach = seen.floor.wide / 2 * SCALE, seen.heads.wide / 2 * SCALE
    return [
        f'<path d="M{x:.0f} {top:.0f}L{x - half:.0f} {floor:.0f}H{x + half:.0f}Z" '
        'fill="#fdf0e6" stroke="#c98a4b"/>',
        _person(x - 55, floor),
        _person(x + 55, floor),
        _level(x - reach, x + reach, heads),
        f'<rect x="{x - 12:.0f}" y="{top - 12:.0f}" width="24" height="14"/>',
        _text(
            x, heads - 20, f"{seen.heads.wide:.1f} m, a head {seen.head_px:.0f} pixels"
        ),
        _text(x, floor + 24, f"from the front, on the axis: {seen.floor.wide:.1f} m"),
    ]


def _person(x: float, floor: float) -> str:
    tall = HEAD_M * SCALE
    return (
        f'<g fill="#8a9bb0"><circle cx="{x:.0f}" cy="{floor - tall:.0f}" r="10"/>'
        f'<path d="M{x - 20:.0f} {floor:.0f}v-{tall - 34:.0f}q20 -30 40 0'
        f'v{tall - 34:.0f}z"/></g>'
    )


def _level(left: float, right: float, y: float) -> str:
    return (
        f'<path d="M{left:.0f} {y:.0f}H{right:.0f}" stroke="#1d4e89" '
        'stroke-width="2" stroke-dasharray="6 4"/>'
    )


def _text(x: float, y: float, says: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" {TEXT}>{says}</text>'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``doorsill-hw coverage``."""
    parser.add_argument(
        "--height", type=float, required=True, help="metres above floor"
    )
    parser.add_argument("--lens", choices=LENSES, required=True)
    parser.add_argument(
        "--tilt", type=float, default=45.0, help="degrees off straight down (45)"
    )
    parser.add_argument("--svg", type=Path, help="write a drawing there as well")
    parser.set_defaults(act=_cover)


def _cover(chosen: argparse.Namespace) -> int:
    print(describe(chosen.height, chosen.lens, chosen.tilt))
    if chosen.svg:
        try:
            drawn = draw(chosen.height, chosen.lens, chosen.tilt)
            chosen.svg.write_text(drawn, "utf-8")
        except OSError as error:
            raise BoardError(f"{chosen.svg}: {error.strerror}") from None
    return 0
