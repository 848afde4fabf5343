"""The labels of flashed cards as PDF: who it is, and on the back what the lamp says."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from doorsill.documents.boot.steps import STEPS
from doorsill_fleet.registry.handing_out import COLUMNS, MARGIN_MM, ROWS

HEAD_POINTS, TEXT_POINTS, TABLE_POINTS = 14.0, 9.0, 7.0  # sizes of the letters
# Which of the lamps the table is about.
LAMP = "status lamp: GPIO 24, or as doorsill.txt says (status-lamp)"
DARK = ("dark", "no power, or no image on the card", "look at the supply")


@dataclass(frozen=True, slots=True)
class CardLabel:
    """What one label says. No voucher: the card has it."""

    site: str
    device: str  # empty where only the fleet knows it
    serial: str


def lamp_table() -> list[tuple[str, str, str]]:
    """What the lamp does, what that means, what to do: for every pattern."""
    return [*((each.lamp, each.says, each.do) for each in STEPS), DARK]


def as_pdf(labels: Sequence[CardLabel]) -> bytes:
    """Pages of fronts, each with its page of backs after it.

    Printed on both sides and turned over the long edge, a back is behind its front.
    """
    made = io.BytesIO()
    canvas = Canvas(made, pagesize=A4, invariant=True)
    canvas.setTitle("doorsill cards")
    on_page = COLUMNS * ROWS
    for first in range(0, len(labels), on_page):
        page = labels[first : first + on_page]
        for number, each in enumerate(page):
            _front(canvas, each, *_place(number, mirrored=False))
        canvas.showPage()
        for number, _ in enumerate(page):
            _back(canvas, *_place(number, mirrored=True))
        canvas.showPage()
    canvas.save()
    return made.getvalue()


def _place(number: int, *, mirrored: bool) -> tuple[float, float, float, float]:
    """Left, bottom, width and height of a label in points."""
    column, row = number % COLUMNS, number // COLUMNS
    column = COLUMNS - 1 - column if mirrored else column
    page_width, page_height = A4
    width = (page_width - 2 * MARGIN_MM * mm) / COLUMNS
    height = (page_height - 2 * MARGIN_MM * mm) / ROWS
    bottom = page_height - MARGIN_MM * mm - (row + 1) * height
    return MARGIN_MM * mm + column * width, bottom, width, height


def _front(
    canvas: Canvas, label: CardLabel, x: float, y: float, width: float, height: float
) -> None:
    canvas.setLineWidth(0.3)
    canvas.rect(x, y, width, height)
    canvas.setFont("Helvetica-Bold", HEAD_POINTS)
    canvas.drawString(x + 4 * mm, y + height - 9 * mm, f"{label.site}  {label.device}")
    canvas.setFont("Courier", TEXT_POINTS)
    canvas.drawString(x + 4 * mm, y + height - 16 * mm, label.serial)
    canvas.setFont("Helvetica", TEXT_POINTS)
    canvas.drawString(x + 4 * mm, y + 4 * mm, "doorsill counts and remembers no one")


def _back(canvas: Canvas, x: float, y: float, width: float, height: float) -> None:
    canvas.setLineWidth(0.3)
    canvas.rect(x, y, width, height)
    canvas.setFont("Helvetica-Bold", TABLE_POINTS)
    canvas.drawString(x + 3 * mm, y + height - 5 * mm, LAMP)
    canvas.setFont("Helvetica", TABLE_POINTS * 0.85)
    for row, (lamp, says, do) in enumerate(lamp_table(), 1):
        at = y + height - 5 * mm - row * 3.9 * mm
        canvas.drawString(x + 3 * mm, at, lamp)
        canvas.drawString(x + 27 * mm, at, f"{says}: {do}")
