"""How far a long command is, on a terminal; nothing where none is looking on."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)


def progress(*more: ProgressColumn) -> Progress:
    """Bars on standard error, gone at the end; ``more`` columns come last.

    Descriptions are text: the name of a file may look like markup.
    """
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        *more,
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
