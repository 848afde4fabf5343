"""One error: a file of the board says what cannot be, or a program did not do its work.

The message names the file, the line, the thing and what to do.
"""

from __future__ import annotations


class BoardError(Exception):
    """Somebody must mend the board, its parts, or the machine that simulates it."""
