"""Something that is wrong, as ``doorsill check`` and ``doorsill status`` say it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a person should know; a warning keeps nothing from working."""

    says: str  # what is wrong, in a sentence
    step: str = ""  # what to do first
    warning: bool = False
