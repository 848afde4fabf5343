"""How each camera is, from what the store knows of it: a colour, a word, a step."""

from __future__ import annotations

from collections.abc import Mapping

from doorsill_fleet.cli.store import opened
from doorsill_fleet.store.health import NEVER, Verdict, judge
from doorsill_fleet.store.queries import seen

Verdicts = Mapping[tuple[str, str], Verdict]  # by site and name


def verdicts(store: str, now: int) -> Verdicts:
    """What the store at a path or URL says of each camera at ``now`` (UTC s)."""
    with opened(store) as engine:
        return {who: judge(each, now) for who, each in seen(engine).items()}


def words(found: Verdicts, site: str, device: str) -> str:
    """The line of one camera; one that the store does not know was never heard."""
    verdict = found.get((site, device), NEVER)
    step = f"; {verdict.step}" if verdict.step else ""
    return f"{verdict.colour:5}  {verdict.word}{step}"
