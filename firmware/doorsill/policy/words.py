"""A policy in plain words: what it says, and in what it differs from another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from doorsill.policy.document import ConsentRules, Line, Point, Policy, Zone
from doorsill.policy.opening import DAYS, Holiday, OpeningHours
from doorsill.policy.sketch import letter, way_in

Words = Callable[[Any], str]


def summary(policy: Policy) -> str:
    """Everything that a policy says except its drawing, in a line or two each."""
    lines = [
        f"policy {policy.version} for site {policy.site}: {policy.purpose}",
        *(f"  {name:12}{words}" for name, words in _rows(policy)),
    ]
    return "\n".join(lines)


def differences(old: Policy, new: Policy) -> list[str]:
    """How ``new`` differs from ``old``, one sentence each."""
    found = [
        f"{name}: {words(before)} -> {words(after)}"
        for name, words in PARTS.items()
        if (before := getattr(old, name)) != (after := getattr(new, name))
    ]
    found += _moved("line", old.lines, new.lines, line_words)
    found += _moved("zone", old.zones, new.zones, zone_words)
    return [*found, *_consent_differences(old.consent, new.consent)]


def line_words(line: Line) -> str:
    """A line's points, and which way IN is."""
    return f"{_points(line.points)}; IN is {way_in(line)}"


def zone_words(zone: Zone) -> str:
    """What a zone does, and its corners."""
    does = "counts nobody" if zone.kind == "exclude" else "counts who is in it"
    return f"{does}; {_points(zone.polygon)}"


def hours_words(hours: Sequence[OpeningHours]) -> str:
    """When the shop is open."""
    words = ", ".join(
        f"{' '.join(DAYS[day] for day in each.days)} "
        f"{_clock(each.opens)}-{_clock(each.closes)}"
        for each in hours
    )
    return words or "always open"


def holidays_words(holidays: Sequence[Holiday]) -> str:
    """The days with other hours, and those without any."""
    return ", ".join(_holiday(each) for each in holidays) or "none"


def _holiday(each: Holiday) -> str:
    if each.opens is None or each.closes is None:
        return f"{each.day} closed"
    return f"{each.day} {_clock(each.opens)}-{_clock(each.closes)}"


def consent_words(rules: ConsentRules | None) -> str:
    """What the vault may hold."""
    if rules is None:
        return "none: no face can be stored"
    lamp = "only while the consent lamp is lit" if rules.lamp else "needs no lamp"
    return (
        f"for {', '.join(rules.purposes)}; {lamp}; at most {rules.max_seconds} s, "
        f"{rules.max_crops} faces, {rules.max_bytes} bytes; "
        f"CA {rules.ca[:16]}; {len(rules.revoked)} cards taken back"
    )


def _rows(policy: Policy) -> Iterator[tuple[str, str]]:
    yield "devices", _devices(policy.devices)
    yield "models", _models(policy.models)
    yield "controller", policy.controller
    attributes = f"on, notice {policy.notice}" if policy.attributes else "off"
    yield "attributes", attributes
    yield (
        "numbers",
        (
            f"k = {policy.k} crossings, epsilon = {policy.epsilon_per_day} a day, "
            f"live every {policy.live_seconds} s"
        ),
    )
    yield "consent", consent_words(policy.consent)
    if policy.expires is not None:
        yield "expires", f"{policy.expires} is its last day"
    yield "hours", f"{hours_words(policy.hours)} ({policy.timezone})"
    if policy.holidays:
        yield "holidays", holidays_words(policy.holidays)
    for number, line in enumerate(policy.lines):
        yield f"line {letter(number, 'A')}", f"{line.id}: {line_words(line)}"
    for number, zone in enumerate(policy.zones):
        yield f"zone {letter(number, 'a')}", f"{zone.id}: {zone_words(zone)}"
    yield "SHA-256", policy.digest


def _devices(names: Sequence[str]) -> str:
    return ", ".join(names) or "every device of the site"


def _models(hashes: Sequence[str]) -> str:
    ours = "those that came with doorsill"
    return ", ".join(f"SHA-256 {each[:16]}" for each in hashes) or ours


def _switch(on: bool) -> str:
    return "on" if on else "off"


# How each part is said in words. Lines, zones and consent have functions of their own.
PARTS: dict[str, Words] = {
    "version": str,
    "site": str,
    "devices": _devices,
    "models": _models,
    "purpose": repr,
    "controller": repr,
    "notice": lambda notice: notice or "none",
    "attributes": _switch,
    "k": str,
    "epsilon_per_day": str,
    "live_seconds": str,
    "timezone": str,
    "expires": lambda day: str(day or "never"),
    "hours": hours_words,
    "holidays": holidays_words,
}


def _moved(
    kind: str, old: Sequence[Any], new: Sequence[Any], words: Words
) -> Iterator[str]:
    before, after = ({each.id: each for each in them} for them in (old, new))
    for name in [*before, *(name for name in after if name not in before)]:
        if name not in after:
            yield f"{kind} {name}: is gone ({words(before[name])})"
        elif name not in before:
            yield f"{kind} {name}: is new ({words(after[name])})"
        elif before[name] != after[name]:
            yield f"{kind} {name}: {words(before[name])} -> {words(after[name])}"
    kept = [name for name in before if name in after]
    if kept != [name for name in after if name in before]:
        yield f"{kind}s: their order changed, and with it their numbers in messages"


def _consent_differences(
    old: ConsentRules | None, new: ConsentRules | None
) -> Iterator[str]:
    if old is None or new is None:
        if old != new:
            yield f"consent: {consent_words(old)} -> {consent_words(new)}"
        return
    for name in ("purposes", "ca", "max_seconds", "max_bytes", "max_crops", "lamp"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield f"consent.{name}: {_plain(before)} -> {_plain(after)}"
    for word, some, others in (
        ("taken back", new.revoked, old.revoked),
        ("given back", old.revoked, new.revoked),
    ):
        cards = [each for each in some if each not in others]
        if cards:
            yield f"consent: cards {word}: {', '.join(cards)}"


def _plain(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
