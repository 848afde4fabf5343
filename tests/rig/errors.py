"""What goes wrong on a bench, which is no fault of the product."""

from __future__ import annotations


class BenchError(Exception):
    """A part of the bench does not do what it should; the message names the part."""
