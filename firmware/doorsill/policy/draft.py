"""The draft of a policy: TOML for a person to edit.

new ─► draft ─► edit ─► sign ─► what devices take    the next version begins with
                                                     the draft of the last one
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from doorsill.errors import ConfigError
from doorsill.models.allowed import shipped_hashes
from doorsill.policy.document import FORMAT, LIVE_SECONDS, PLACEHOLDER, Policy, parse

NOBODY = "(nobody is named yet)"
HEAD = """\
# What this device may do. Edit, then: doorsill policy sign FILE --key controller.key
format = {format}
version = {version}                     # a device applies only a higher one
site = {site}
{devices}
{models}
purpose = {purpose}
controller = {controller}
timezone = {timezone}
{expires}

# Apparent age (child or adult; four bands were right in two of three only, and no
# figure) and gender expression: off, unless a notice hangs at the door.
attributes = {attributes}
{notice}
k = {k}                          # smallest group published, in crossings; 10 at least
epsilon_per_day = {epsilon_per_day}           # privacy budget a day; 2.0 is the ceiling
live_seconds = {live_seconds}               # between two live messages; 2 at least

# x to the right, y down, fractions of the picture. IN is from the left of the
# directed line to its right; `doorsill policy show FILE` draws it.
"""
DEVICES = '# devices = ["cam-01"]          # without it, for every device of the site'
EXPIRES = '# expires = "2027-12-31"        # last day to put it in force; none: no end'
MODELS = """\
# The models that may run, by their SHA-256. Without it, those that come with the
# doorsill at work; today these are:"""
ZONES = """\
# Staff who cross many times a day give away more of themselves than shoppers do. Where
# they stand, or walk through a door of their own, count nobody:
# [[zones]]
# id = "staff"
# kind = "exclude"              # or "count"
# polygon = [[0.8, 0.0], [1.0, 0.0], [1.0, 0.4]]
"""
HOURS = """\
# [[hours]]                     # without any, always open
# days = ["mon", "tue", "wed", "thu", "fri", "sat"]
# opens = "09:00"
# closes = "20:00"
"""
HOLIDAYS = """\
# [[holidays]]                  # closed on this day, or open at other hours
# date = "2026-12-25"
# opens = "10:00"               # without opens and closes: closed
# closes = "13:00"
"""
CONSENT = """\
# [consent]                     # without it no face can ever be stored
# purposes = ["validation"]
# ca = "SHA-256 of the consent CA's certificate"
# revoked = []
# max_seconds = 1800
# max_bytes = 8388608
# max_crops = 1000
# lamp = true                   # opens only where a consent lamp is lit meanwhile
"""


def first_body(site: str) -> dict[str, Any]:
    """The smallest policy: count people who cross the middle of the picture."""
    return {
        "format": FORMAT,
        "version": 1,
        "site": site,
        "purpose": "count visitors per hour",
        "controller": PLACEHOLDER,
        "timezone": "UTC",
        "attributes": False,
        "k": 10,
        "epsilon_per_day": 1.0,
        "lines": lines_of(["0,0.5,1,0.5"]),
    }


def lines_of(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Lines as given to ``--line``: door, or door-1, door-2 and so on."""
    names = (
        ["door"] if len(texts) == 1 else [f"door-{i + 1}" for i in range(len(texts))]
    )
    return [
        {"id": name, "points": points_of("--line", text, 2)}
        for name, text in zip(names, texts, strict=True)
    ]


def staff_zones_of(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Polygons as given to ``--staff``, in which nobody is counted."""
    names = (
        ["staff"] if len(texts) == 1 else [f"staff-{i + 1}" for i in range(len(texts))]
    )
    return [
        {"id": name, "kind": "exclude", "polygon": points_of("--staff", text, 3)}
        for name, text in zip(names, texts, strict=True)
    ]


def points_of(option: str, text: str, least: int) -> list[list[float]]:
    """X0,Y0,X1,Y1 and so on as ``least`` or more points; else ConfigError."""
    try:
        numbers = [float(each) for each in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) < 2 * least or len(numbers) % 2:
        wanted = ",".join(f"X{i},Y{i}" for i in range(least))
        raise ConfigError(f"{option} {text} must be {wanted} with numbers from 0 to 1")
    return [list(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]


def preview(body: dict[str, Any]) -> Policy:
    """As ``policy.parse``, but the controller may still be the placeholder."""
    unnamed = body.get("controller") == PLACEHOLDER
    return parse(body | {"controller": NOBODY} if unnamed else body)


def draft_text(body: dict[str, Any]) -> str:
    """``body`` as TOML with a comment on each part, also on parts that are missing."""
    known = {"live_seconds": LIVE_SECONDS, **body}
    devices, notice = known.pop("devices", None), known.pop("notice", None)
    models, expires = known.pop("models", None), known.pop("expires", None)
    head = {name: toml(value) for name, value in known.items()}
    parts = [
        HEAD.format(
            **head,
            devices=f"devices = {toml(devices)}" if devices else DEVICES,
            models=f"models = {toml(models)}" if models else _models_there_are(),
            notice=f"notice = {toml(notice)}" if notice else "# notice = ...",
            expires=f"expires = {toml(expires)}" if expires else EXPIRES,
        )
    ]
    parts += _tables("lines", known.pop("lines", []), "")
    parts += _tables("zones", known.pop("zones", []), ZONES)
    parts += _tables("hours", known.pop("hours", []), HOURS)
    parts += _tables("holidays", known.pop("holidays", []), HOLIDAYS)
    consent = known.pop("consent", None)
    parts += ["[consent]\n" + _options(consent)] if consent else [CONSENT]
    return "\n".join(parts)


def _models_there_are() -> str:
    """The hashes of the models that came with this doorsill, as comments."""
    names = [f"#   {digest}  {name}" for digest, name in shipped_hashes().items()]
    return "\n".join([MODELS, *names, "# models = []"])


def toml(value: object) -> str:
    """A value in one line of TOML; its strings are spelt as in JSON."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _tables(name: str, tables: Sequence[dict[str, Any]], absent: str) -> Iterator[str]:
    if not tables and absent:
        yield absent
    for table in tables:
        yield f"[[{name}]]\n" + _options(table)


def _options(table: dict[str, Any]) -> str:
    return "".join(f"{name} = {toml(value)}\n" for name, value in table.items())
