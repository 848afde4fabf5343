"""The sign that has to hang at the door, written from the policy and nothing else.

A shopper reads it before stepping in: who counts, why, what is kept and what is not.
Each sentence follows from a key of the signed policy, and the process that obeys this
key keeps the promise. So the sign cannot promise what the device does not do.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator

from doorsill.policy.document import ConsentRules, Policy
from doorsill.policy.words import holidays_words, hours_words

WIDTH = 64  # columns
INTERVAL_S = 60  # every minute a closed window leaves the camera, with any policy


def notice_text(policy: Policy) -> str:
    """The sign as plain text, ``WIDTH`` columns, ready to print large."""
    rule = "=" * WIDTH
    title = "PEOPLE ARE COUNTED HERE".center(WIDTH).rstrip()
    paragraphs = (_counting(policy), _attributes(policy), _faces(policy), _who(policy))
    body = "\n\n".join(textwrap.fill(" ".join(each), WIDTH) for each in paragraphs)
    return f"{rule}\n{title}\n{rule}\n\n{body}\n\n{_foot(policy)}\n{rule}\n"


def _counting(policy: Policy) -> Iterator[str]:
    counted = []
    if policy.lines:
        counted.append("how many people walk in and out")
    if any(zone.kind == "count" for zone in policy.zones):
        counted.append("how many people stay in a part of the room, and how long")
    yield f"A camera here counts {' and '.join(counted) or 'nobody'}."
    yield "It works out the counts inside the camera."
    every = _every(min(policy.live_seconds, INTERVAL_S))
    yield f"They leave it every {every}, and they are exact: they may be 1."
    if policy.consent is None:
        yield "No picture, no face and no video leaves it."
    else:
        yield "No video leaves it, and no picture but what is said of faces below."
    yield "Nobody is recognised, and nobody is followed from one visit to the next."
    if policy.hours:
        yield "Outside of these hours it takes no picture:"
        yield f"{hours_words(policy.hours)} ({policy.timezone})."
    if policy.holidays:
        yield from _holidays(policy)
    yield f"Purpose: {policy.purpose}."


def _holidays(policy: Policy) -> Iterator[str]:
    closed = [str(each.day) for each in policy.holidays if each.opens is None]
    other = [each for each in policy.holidays if each.opens is not None]
    if closed:
        yield f"On {', '.join(closed)} it takes no picture."
    if other:
        yield f"On these days its hours are: {holidays_words(other)}"
        yield f"({policy.timezone})."
    if any(each.closes <= each.opens for each in policy.hours):
        yield "A night belongs to the day on which it begins."


def _attributes(policy: Policy) -> Iterator[str]:
    if not policy.attributes:
        yield "Age and gender are not estimated."
        return
    yield "The camera also estimates who looks like a child and who like an adult, and"
    yield "apparent gender expression; no age is estimated any finer."
    yield f"Only totals of at least {policy.k} crossings leave it, with random noise"
    yield "that hides each single crossing. It does not hide somebody who crosses many"
    yield "times a day, such as staff."


def _faces(policy: Policy) -> Iterator[str]:
    rules = policy.consent
    if rules is None:
        yield "No face is ever stored."
        return
    purposes = " and ".join(rules.purposes)
    yield f"Faces are stored for {purposes}, and only {_while(rules)}:"
    yield "then the faces of people who pass may be stored, at most"
    yield f"{_duration(rules.max_seconds)} at a time."
    yield "They are encrypted, and leave the camera only so that the holder of the card"
    yield "alone can read them. When the card is taken out, what was stored is blanked"
    yield "at once. At all other times no face is stored."


def _while(rules: ConsentRules) -> str:
    if rules.lamp:
        return "while a consent card is in the camera and the consent lamp is on"
    return "while a consent card is in the camera; no lamp shows it"


def _who(policy: Policy) -> Iterator[str]:
    yield f"Responsible, and the one to ask or to object to: {policy.controller}."


def _every(seconds: int) -> str:
    return "minute" if seconds == 60 else f"{seconds} seconds"


def _duration(seconds: int) -> str:
    """A time in words, rounded up: a sign may not promise a shorter time."""
    if seconds < 60:
        return f"{seconds} second{'s' * (seconds != 1)}"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} minute{'s' * (minutes != 1)}"


def _foot(policy: Policy) -> str:
    notice = f"Notice {policy.notice} | " if policy.notice else ""
    return (
        f"{notice}site {policy.site} | policy {policy.version}\n"
        f"Policy SHA-256 {policy.digest[:32]}\n               {policy.digest[32:]}"
    )
