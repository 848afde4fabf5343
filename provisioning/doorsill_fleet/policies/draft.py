"""A shop's draft: what all its cameras share, and a part for each one's picture. Pure.

    porto-1.toml ─► read ─► one body for each camera ─► sign

    purpose, hours, consent ...         the same for all of them
    [[devices]] id, lines, zones        of one camera; what it leaves out is the shop's

A camera takes the same document as ever, with its own name as the only one in
``devices``. So two doors of one shop are two parts of one draft.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from doorsill.documents import canonical
from doorsill.documents.reading import parse_toml
from doorsill.errors import ConfigError
from doorsill.policy import document
from doorsill.policy.document import Policy, parse
from doorsill.policy.draft import DEVICES, draft_text, first_body, lines_of, toml
from doorsill.policy.time_zones import require_lasting_zone
from doorsill.wire.messages import POLICY_LARGEST_BYTES

FORMAT = "doorsill-site-policy/1"
OWN = ("lines", "zones")  # what a camera may have of its own
SIGNATURE = "s" * 86  # as long as a signature in a signed document
# What a draft for one device says, and what this one says in its place.
FIRST_LINE = "# What this device may do. Edit, then: doorsill policy sign FILE --key "
FIRST_LINE += "controller.key"
HEAD = """\
# What the cameras of this shop may do. When it is as you want it:
#   doorsill-fleet policy diff {site}      what it changes, and which way is IN
#   doorsill-fleet policy sign {site}
#   doorsill-fleet policy push {site}"""
DRAWN = "`doorsill policy show FILE` draws it."
SAID = "`doorsill-fleet policy diff {site}` says it."
PARTS = "# Each camera has a part below, for what it sees; it may have zones as well."

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a draft says, checked for each camera."""

    version: int
    bodies: Mapping[str, Body]  # to be signed, by camera
    policies: Mapping[str, Policy]  # the same, parsed

    @property
    def devices(self) -> Sequence[str]:
        """The cameras, in order."""
        return tuple(self.bodies)


def read(data: bytes, site: str, members: Sequence[str]) -> Draft:
    """The draft of ``site``, whose cameras are ``members``.

    Raises ConfigError with every problem; one that all cameras share is said once.
    """
    table = parse_toml(data)
    problems = list(_own_problems(table, site, members))
    if problems:
        raise ConfigError(*problems)
    if not members:
        raise ConfigError(
            f"{site} has no camera yet; doorsill-fleet device add --site {site}"
        )
    parts = {each["id"]: each for each in table.pop("devices", [])}
    bodies = {name: body_of(table, name, parts.get(name, {})) for name in members}
    policies, found = {}, {}
    for name, body in bodies.items():
        try:
            policies[name] = _checked(body)
        except ConfigError as error:
            found[name] = error.args
    if found:
        raise ConfigError(*_joined(found, len(members)))
    return Draft(next(iter(policies.values())).version, bodies, policies)


def body_of(shared: Body, name: str, part: Body) -> Body:
    """The body of one camera's policy."""
    own = {key: part[key] for key in OWN if key in part}
    return {**shared, **own, "format": document.FORMAT, "devices": [name]}


def first_text(site: str, members: Sequence[str]) -> str:
    """A draft to begin with: each camera counts across the middle of its picture."""
    body = first_body(site)
    return text_of({**body, "lines": []}, dict.fromkeys(members, body["lines"]))


def text_of(shared: Body, lines: Mapping[str, Any]) -> str:
    """``shared`` as TOML with its comments, and a part with ``lines`` for each name."""
    text = draft_text({**shared, "format": FORMAT})
    site = shared["site"]
    for own, ours in ((FIRST_LINE, HEAD), (DRAWN, SAID), (DEVICES, PARTS)):
        text = text.replace(own, ours.replace("{site}", site), 1)
    return "\n".join([text, *(part_text(*each) for each in lines.items())])


def part_text(name: str, lines: Any) -> str:
    """The part of one camera, to be put at the end of a draft."""
    found = [f"[[devices]]\nid = {toml(name)}\n"]
    for each in lines or lines_of(["0,0.5,1,0.5"]):
        options = "".join(f"{key} = {toml(value)}\n" for key, value in each.items())
        found.append(f"[[devices.lines]]\n{options}")
    return "\n".join(found)


def _own_problems(table: Body, site: str, members: Sequence[str]) -> Iterator[str]:
    """What is wrong with the draft itself, before any camera's part is looked at."""
    if table.get("format") != FORMAT:
        yield f"format = {table.get('format')!r} must be {FORMAT!r}"
    if table.get("site") != site:
        yield f"site = {str(table.get('site'))[:40]!r}; this is the draft of {site}"
    parts = table.get("devices", [])
    if not isinstance(parts, list) or not all(isinstance(each, dict) for each in parts):
        yield "devices must be tables, [[devices]], each with the id of a camera"
        return
    seen = []
    for number, part in enumerate(parts):
        name = part.get("id")
        if name not in members:
            yield (
                f"devices[{number}].id = {str(name)[:40]!r} is no camera of {site}; "
                f"known: {', '.join(members) or 'none'}"
            )
        if name in seen:
            yield f"devices[{number}].id = {name!r} stands twice"
        seen.append(name)
        for key in part.keys() - {"id", *OWN}:
            yield (
                f"devices[{number}].{key} is not an option of one camera; known: id, "
                f"{', '.join(OWN)}"
            )


def _checked(body: Body) -> Policy:
    """The policy, which a camera takes by air; ConfigError with every problem."""
    found = require_lasting_zone(parse(body))
    size = len(canonical.encode({"signature": SIGNATURE, "signed": body}))
    if size > POLICY_LARGEST_BYTES:
        raise ConfigError(
            f"the signed policy would have {size} bytes; a camera takes "
            f"{POLICY_LARGEST_BYTES} at most: fewer points, cards or holidays"
        )
    return found


def _joined(found: Mapping[str, Sequence[Any]], members: int) -> Iterator[str]:
    """Each problem once; with the cameras that have it, unless all of them do."""
    who: dict[str, list[str]] = {}
    for name, problems in found.items():
        for each in problems:
            who.setdefault(str(each), []).append(name)
    for problem, names in who.items():
        yield problem if len(names) == members else f"{', '.join(names)}: {problem}"
