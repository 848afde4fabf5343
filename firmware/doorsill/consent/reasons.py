"""Why the vault was closed, or never opened: the words that a certificate may hold."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Each revocation has exactly one; the words are part of the certificate."""

    START = "start"  # the process began: blank before anything else
    SHUTDOWN = "shutdown"
    ORDERED = "ordered"  # a person asked for blank
    REMOVED = "removed"  # the card was pulled
    READER_GONE = "reader-gone"
    DAEMON_GONE = "daemon-gone"  # pcscd ended or cannot be reached
    SECOND_CARD = "second-card"  # two cards at once: it is unclear which one consents
    CARD_ERROR = "card-error"  # the card answered, but not as the standard says
    MISSED_BEAT = "missed-beat"  # no answer in time
    BAD_ANSWER = "bad-answer"  # not this card's answer, or not to this question
    UNTRUSTED = "untrusted"  # the card's certificate was refused
    EXPIRED = "expired"  # the certificate or the session ended
    POLICY_CHANGED = "policy-changed"
    CLOCK = "clock"  # it jumped, or is before the floor, so dates cannot be checked
    LINE_LOW = "line-low"  # the key switch is off
    LAMP = "lamp"  # the consent lamp is missing or does not light
    LIMIT = "limit"  # the policy's number or size of crops
    MEDIUM = "medium"  # the medium failed, is full or lied
    NEW_MEDIUM = "new-medium"  # the process began, with another medium than the last
    POWER_BACK = "power-back"  # a memory without power answers again: blank it first

    @property
    def lasting(self) -> bool:
        """Whether the same card is asked again only after it was put in again."""
        return self in LASTING


LASTING = frozenset(
    {Reason.BAD_ANSWER, Reason.UNTRUSTED, Reason.EXPIRED, Reason.LIMIT, Reason.ORDERED}
)

WORDS = {
    Reason.START: "the device started",
    Reason.SHUTDOWN: "the vault was shut down",
    Reason.ORDERED: "a person asked for it",
    Reason.REMOVED: "the card was pulled",
    Reason.READER_GONE: "the reader is gone",
    Reason.DAEMON_GONE: "the card service (pcscd) does not answer",
    Reason.SECOND_CARD: "there are two cards; leave one in",
    Reason.CARD_ERROR: "the card does not answer as it must",
    Reason.MISSED_BEAT: "the card did not answer in time",
    Reason.BAD_ANSWER: "the answer is not this card's to this question",
    Reason.UNTRUSTED: "the card is not one of this site's",
    Reason.EXPIRED: "the card's or the session's time is over",
    Reason.POLICY_CHANGED: "the policy changed",
    Reason.CLOCK: "the clock jumped, or is behind what this device knows",
    Reason.LINE_LOW: "the key switch is off",
    Reason.LAMP: "the consent lamp is missing or failed",
    Reason.LIMIT: "the policy's limit of crops is reached",
    Reason.MEDIUM: "the medium failed",
    Reason.NEW_MEDIUM: "the device started with another medium than before",
    Reason.POWER_BACK: "the memory has its power back",
}
