"""MQTT 5's reason codes in words, each with what to do next (OASIS MQTT 5.0, 2.4)."""

from __future__ import annotations

import re
from typing import Any

FAILURE = 0x80  # codes from here on are failures
NOT_AUTHORISED, SERVER_MOVED, OTHER_SERVER = 0x87, 0x9D, 0x9C
SILENT, TAKEN_OVER, TOO_LARGE = 0x8D, 0x8E, 0x95
RETAIN_REFUSED, QOS_REFUSED = 0x9A, 0x9B
# Codes after which the broker refuses the same message every time: not authorised,
# topic name invalid, packet too large, payload format invalid.
NEVER = frozenset({NOT_AUTHORISED, 0x90, TOO_LARGE, 0x99})

_ACCESS = "look at the broker's access list"
_LOG = "look at the broker's log"
_LATER = "nothing to do here; it is tried again"
_BREACH = f"{_LOG}, and report it to us: this should not happen"
_PLACE = "change broker.host in doorsill.toml to the one that it names"
_LIMIT = "raise its limit there"
# What each code says, and what to do next.
REASONS = {
    0x04: ("it ends the connection, with our last will", _LATER),
    0x80: ("it does not say why", _LOG),
    0x81: ("it cannot read what we sent", _BREACH),
    0x82: ("it saw something against the protocol", _BREACH),
    0x83: ("a rule of its own is against it", _LOG),
    0x84: ("it does not speak MQTT 5", "use one that does: mosquitto 1.6 or later"),
    0x85: (
        "it does not take our client id",
        "let it take the name in our certificate (use_username_as_clientid)",
    ),
    0x86: (
        "it wants a user name and a password, and a camera has none",
        "let it take our certificate for both (use_identity_as_username), or put a "
        "bridge before it: `Home Assistant in ten minutes`",
    ),
    0x87: ("not authorised", _ACCESS),
    0x88: ("it is not available", _LATER),
    0x89: ("it is busy", _LATER),
    0x8A: ("it has banned this client", f"{_ACCESS} and its list of bans"),
    0x8B: ("it shuts down", _LATER),
    0x8C: (
        "it wants another kind of authentication",
        "let it take our certificate (use_identity_as_username)",
    ),
    0x8D: ("it heard nothing from us for too long", "look at the network between"),
    0x8E: (
        "another client came with our certificate",
        "find the other device with this certificate and id, and end it",
    ),
    0x8F: ("the filter of topics is not allowed there", _BREACH),
    0x90: ("the topic is not allowed there", _ACCESS),
    0x93: ("more is on its way than it takes", _BREACH),
    0x94: ("a topic alias is wrong", _BREACH),
    0x95: ("the message is too large for the broker", f"{_LIMIT} (max_packet_size)"),
    0x96: ("we send more often than it takes", f"{_LIMIT} or give it time"),
    0x97: ("the broker's quota is used up", f"{_LIMIT}; look at its disk and memory"),
    0x98: ("somebody who runs it ended the connection", "ask who runs the broker"),
    0x99: ("the payload is not what the broker expects", "switch its check off for us"),
    0x9A: (
        "it keeps no retained messages",
        "allow it there (retain_available true); we come again without",
    ),
    0x9B: (
        "it takes QoS 0 alone",
        "let it take QoS 1 (max_qos 1 or more); without, windows wait here",
    ),
    0x9C: ("it wants us to use another server", _PLACE),
    0x9D: ("it has moved", _PLACE),
    0x9F: ("too many connections come at once", _LATER),
    0xA0: ("the connection lasted as long as it allows", _LATER),
}
_PLACE_NAME = re.compile(r"[A-Za-z0-9.:\[\]-]{1,100}")


def words(reason: int) -> str:
    """What the code says, what to do next, and the code itself, to look it up."""
    says, step = REASONS.get(reason, ("for no reason that we know", _LOG))
    return f"{says} ({reason:#04x}); {step}"


def elsewhere(reason: int, properties: Any) -> str:
    """The server that a broker names in place of itself; empty if it names none."""
    named = str(getattr(properties, "ServerReference", ""))
    if reason not in (SERVER_MOVED, OTHER_SERVER) or not _PLACE_NAME.fullmatch(named):
        return ""
    return f": {named}"


def refusal(where: str, reason: int, properties: Any = None) -> str:
    """Why the broker at ``where`` refuses our connection, and what to do."""
    why = f"{words(reason)}{elsewhere(reason, properties)}"
    return f"the broker at {where} refuses us: {why}"
