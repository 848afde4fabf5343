"""Vouchers for people: a table as CSV, and a sheet of labels with QR codes as PDF."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

import segno
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from doorsill.documents.voucher import Voucher
from doorsill_fleet.registry.devices import HandedOut

COLUMNS, ROWS = 2, 6  # labels on a page of A4
MARGIN_MM = 10.0  # around the page
QR_MM = 36.0  # edge of a QR code with its quiet zone
GROUPS_IN_LINE = 3  # groups of the code in a line of a label
TABLE = ("serial", "site", "device", "expires", "voucher")


@dataclass(frozen=True, slots=True)
class Label:
    """What one label says."""

    made: HandedOut
    voucher: Voucher = field(repr=False)


def as_csv(labels: Sequence[Label]) -> bytes:
    """The table, with a line for each camera."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(TABLE)
    for each in labels:
        made = each.made
        ends = f"{made.expires:%Y-%m-%dT%H:%M:%SZ}"
        rows.writerow((made.serial, made.site, made.device, ends, each.voucher.text()))
    return text.getvalue().encode()


def as_pdf(labels: Sequence[Label]) -> bytes:
    """The sheet: A4, twelve labels on a page."""
    made = io.BytesIO()
    canvas = Canvas(made, pagesize=A4, invariant=True)
    canvas.setTitle("doorsill vouchers")
    for number, each in enumerate(labels):
        at = number % (COLUMNS * ROWS)
        if number and not at:
            canvas.showPage()
        _draw(canvas, each, at % COLUMNS, at // COLUMNS)
    canvas.save()
    return made.getvalue()


def _draw(canvas: Canvas, label: Label, column: int, row: int) -> None:
    """One label: names above, the QR code at the left, the voucher beside it."""
    page_width, page_height = A4
    width = (page_width - 2 * MARGIN_MM * mm) / COLUMNS
    height = (page_height - 2 * MARGIN_MM * mm) / ROWS
    x = MARGIN_MM * mm + column * width
    y = page_height - MARGIN_MM * mm - (row + 1) * height
    canvas.setLineWidth(0.3)
    canvas.setDash(1, 2)
    canvas.rect(x, y, width, height)
    canvas.setDash()
    made, text = label.made, label.voucher.text()
    _draw_qr(canvas, text, x + 1 * mm, y + 2 * mm)
    canvas.setFont("Helvetica-Bold", 12)
    canvas.drawString(x + 4 * mm, y + height - 7 * mm, f"{made.site}  {made.device}")
    canvas.setFont("Courier", 8)
    where, _, code = text.rpartition("/")
    groups = code.split("-")
    lines = [where.rpartition("/")[0] + "/", made.serial + "/"]
    for at in range(0, len(groups), GROUPS_IN_LINE):
        more = "-" if at + GROUPS_IN_LINE < len(groups) else ""
        lines.append("-".join(groups[at : at + GROUPS_IN_LINE]) + more)
    left, top = x + QR_MM * mm + 3 * mm, y + height - 13 * mm
    for number, line in enumerate(lines):
        size = min(8.0, 8.0 * (width - QR_MM * mm - 5 * mm) / (len(line) * 4.8))
        canvas.setFont("Courier", size)
        canvas.drawString(left, top - number * 3.6 * mm, line)
    canvas.setFont("Helvetica", 7)
    canvas.drawString(left, y + 3 * mm, f"good once, until {made.expires:%Y-%m-%d}")


def _draw_qr(canvas: Canvas, text: str, x: float, y: float) -> None:
    code = segno.make_qr(text, error="m")
    rows = [list(each) for each in code.matrix_iter(border=4)]
    edge = QR_MM * mm / len(rows)
    for number, row in enumerate(reversed(rows)):
        for at, dark in enumerate(row):
            if dark:
                canvas.rect(
                    x + at * edge, y + number * edge, edge, edge, stroke=0, fill=1
                )
