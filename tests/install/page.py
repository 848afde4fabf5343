"""The commands of the README's page "In a store", with what it says that they print."""

from __future__ import annotations

import re
from dataclasses import dataclass

from places import ROOT

README = ROOT / "README.md"
HEADING = "## In a store"
PROMPT = "# "
ANYTHING = "…"  # in what is printed: any text, or any lines where it stands alone


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and the lines that a person sees after it."""

    command: str
    printed: tuple[str, ...]


def steps(text: str) -> list[Step]:
    """What the first console block below HEADING says."""
    page = text.partition(f"\n{HEADING}\n")[2].partition("\n## ")[0]
    block = page.partition("```console\n")[2].partition("\n```")[0]
    joined = block.replace("\\\n", "")
    found: list[Step] = []
    for line in joined.splitlines():
        if line.startswith(PROMPT):
            found.append(Step(re.sub(r" {2,}", " ", line.removeprefix(PROMPT)), ()))
        elif line and found:
            found[-1] = Step(found[-1].command, (*found[-1].printed, line))
    return found


def missing(step: Step, said: str) -> list[str]:
    """The lines of ``step`` that are not in ``said``, which must have them in order."""
    lines = iter(said.splitlines())
    wanted = [each for each in step.printed if each.strip() != ANYTHING]
    return [each for each in wanted if not _comes(each, lines)]


def _comes(wanted: str, lines: object) -> bool:
    parts = [re.escape(" ".join(each.split())) for each in wanted.split(ANYTHING)]
    pattern = re.compile(".*".join(parts))
    return any(pattern.fullmatch(" ".join(line.split())) for line in lines)  # type: ignore[attr-defined]
