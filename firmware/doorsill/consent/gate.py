"""The gate of the vault: closed, unless a card has just answered.

              put in                    right answer
    BLANK ──────────────► CHALLENGING ───────────────► OPEN ─┐ asked again each BEAT_S
      ▲                        │                        │ ▲──┘
      └────────────────────────┴────────────────────────┘
        removed · error · wrong or no answer · expired · policy · clock · switch · end

A pure state machine: no clock, no I/O, no randomness of its own. ``step`` takes a gate
and an event and gives the next gate and what must be done. The gate is never open
without a valid answer to a question younger than ANSWER_MAX_AGE_S.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from doorsill.consent.challenge import (
    NONCE_BYTES,
    Binding,
    Challenge,
    require_answer,
)
from doorsill.consent.events import (
    Action,
    Answered,
    Ask,
    Closed,
    Event,
    Inserted,
    Lease,
    Lost,
    Moment,
    Opened,
    Rebound,
    Refused,
    Switched,
)
from doorsill.consent.reasons import Reason
from doorsill.consent.trust import ConsentCertificate
from doorsill.errors import ConfigError, UntrustedError

# The lease ends this long after the last question that the card answered was put.
ANSWER_MAX_AGE_S = 1.5
# Between two questions: more often than the promised one a second. A card may take as
# long again to answer before the lease ends at ANSWER_MAX_AGE_S.
BEAT_S = 0.75
TOUCH_S = 20.0  # how long a person has to touch a FIDO2 token
CLOCK_JUMP_S = 2.0  # a clock that moves more than this is wrong; NTP slews far less


class State(Enum):
    """Whether a face may rest."""

    BLANK = "blank"
    CHALLENGING = "challenging"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Gate:
    """The whole state; replaced, never changed."""

    binding: Binding
    last: Moment
    switch: bool = False  # whether the key switch is on
    card: ConsentCertificate | None = None
    pending: Challenge | None = None
    asked: float = 0.0  # when the last question was put, monotonic s
    fresh: float = 0.0  # when the last answered question was put, monotonic s
    lease: Lease | None = None
    floor: float = 0.0  # UTC s; a clock below it is wrong

    @property
    def state(self) -> State:
        """BLANK, CHALLENGING or OPEN."""
        if self.lease is not None:
            return State.OPEN
        return State.BLANK if self.card is None else State.CHALLENGING


def require_lease(gate: Gate, at: Moment) -> Lease:
    """The lease if the gate is open at ``at``; else UntrustedError.

    It needs only the gate and the time, so it is right also if no Tick comes any more.
    """
    reason = None if gate.lease is None else _overdue(gate, at)
    if gate.lease is None or reason is not None:
        raise UntrustedError("the vault is blank: no card has just answered")
    return gate.lease


def deadline(gate: Gate) -> float:
    """When the next Tick is due at the latest, monotonic s; inf when blank."""
    if gate.card is None:
        return float("inf")
    if gate.pending is None:
        return gate.asked + BEAT_S
    if gate.lease is not None:
        return gate.fresh + ANSWER_MAX_AGE_S
    return gate.asked + _patience(gate.pending)


def ends(gate: Gate) -> float:
    """When the lease ends by itself, monotonic s; inf if there is none."""
    if gate.lease is None:
        return float("inf")
    return min(
        gate.fresh + ANSWER_MAX_AGE_S,
        gate.lease.opened.monotonic + gate.binding.session_s,
        gate.last.monotonic + gate.lease.expires - gate.last.utc,
    )


def step(
    gate: Gate, event: Event, at: Moment, nonce: bytes
) -> tuple[Gate, tuple[Action, ...]]:
    """The gate after ``event`` at the moment ``at``, and what must be done, in order.

    ``nonce`` is 32 fresh random bytes, used if a question is due. Raises ConfigError if
    it has another length.
    """
    if len(nonce) != NONCE_BYTES:
        raise ConfigError(f"a nonce of {len(nonce)} bytes; it must have {NONCE_BYTES}")
    reason = _overdue(gate, at) if gate.card is not None else None
    gate, before = _close(gate, reason) if reason else (gate, ())
    gate, after = _apply(replace(gate, last=at), event, nonce)
    return gate, before + after


def _apply(gate: Gate, event: Event, nonce: bytes) -> tuple[Gate, tuple[Action, ...]]:
    if isinstance(event, Inserted):
        return _insert(gate, event, nonce)
    if isinstance(event, Answered):
        return _answer(gate, event, nonce)
    if isinstance(event, Lost):
        return _close(gate, event.reason)
    if isinstance(event, Rebound):
        return _close(replace(gate, binding=event.binding), Reason.POLICY_CHANGED)
    if isinstance(event, Switched):
        gate = replace(gate, switch=event.on)
        return (gate, ()) if event.on else _line_low(gate)
    return _beat(gate, nonce)


def _insert(
    gate: Gate, event: Inserted, nonce: bytes
) -> tuple[Gate, tuple[Action, ...]]:
    card = event.card
    if gate.card is not None:
        return _close(gate, Reason.SECOND_CARD)
    if event.policy != gate.binding.policy:  # a new policy may have revoked the card
        return gate, (Refused(card, Reason.POLICY_CHANGED),)
    if card.site != gate.binding.site:
        return gate, (Refused(card, Reason.UNTRUSTED),)
    if _is_behind(gate, gate.last):  # then nobody knows whether the card is in date
        return gate, (Refused(card, Reason.CLOCK),)
    if not card.not_before <= gate.last.utc < card.not_after:
        return gate, (Refused(card, Reason.EXPIRED),)
    if gate.binding.lamp_missing:
        return gate, (Refused(card, Reason.LAMP),)
    if gate.binding.needs_line and not gate.switch:
        return gate, (Refused(card, Reason.LINE_LOW),)
    return _ask(replace(gate, card=card), nonce, touch=card.credential is not None)


def _answer(
    gate: Gate, event: Answered, nonce: bytes
) -> tuple[Gate, tuple[Action, ...]]:
    challenge, card = gate.pending, gate.card
    if card is None:
        return gate, ()
    if challenge is None or event.digest != challenge.digest:
        return _close(gate, Reason.BAD_ANSWER)
    try:
        require_answer(challenge, event.answer, card)
    except UntrustedError:
        return _close(gate, Reason.BAD_ANSWER)
    if challenge.touch:
        # The touch may have taken long; the lease begins with a fresh question.
        return _ask(gate, nonce, touch=False)
    gate = replace(gate, pending=None, fresh=gate.asked)
    if gate.lease is not None:
        return gate, ()
    ends = min(card.not_after, gate.last.utc + gate.binding.session_s)
    lease = Lease(card, gate.last, ends)
    return replace(gate, lease=lease), (Opened(lease),)


def _beat(gate: Gate, nonce: bytes) -> tuple[Gate, tuple[Action, ...]]:
    due = gate.card is not None and gate.pending is None
    if due and gate.last.monotonic >= gate.asked + BEAT_S:
        return _ask(gate, nonce, touch=False)
    return gate, ()


def _ask(gate: Gate, nonce: bytes, touch: bool) -> tuple[Gate, tuple[Action, ...]]:
    if gate.card is None:
        return gate, ()
    ends = gate.last.utc + (TOUCH_S if touch else ANSWER_MAX_AGE_S)
    challenge = Challenge(gate.binding, gate.card.purpose, ends, nonce, touch)
    gate = replace(gate, pending=challenge, asked=gate.last.monotonic)
    return gate, (Ask(challenge),)


def _line_low(gate: Gate) -> tuple[Gate, tuple[Action, ...]]:
    return _close(gate, Reason.LINE_LOW) if gate.binding.needs_line else (gate, ())


def _close(gate: Gate, reason: Reason) -> tuple[Gate, tuple[Action, ...]]:
    """To BLANK from any state; nothing of the card is kept."""
    blank = replace(gate, card=None, pending=None, lease=None)
    if gate.lease is not None:
        return blank, (Closed(gate.lease, reason),)
    if gate.card is not None:
        return blank, (Refused(gate.card, reason),)
    return blank, ()


def _overdue(gate: Gate, at: Moment) -> Reason | None:
    """The reason if time alone closes a gate that has a card, or None."""
    passed = at.monotonic - gate.last.monotonic
    if passed < 0 or abs((at.utc - gate.last.utc) - passed) > CLOCK_JUMP_S:
        return Reason.CLOCK
    if _is_behind(gate, at):
        return Reason.CLOCK
    if gate.lease is not None:
        if at.monotonic >= gate.fresh + ANSWER_MAX_AGE_S:
            return Reason.MISSED_BEAT
        lasted = at.monotonic - gate.lease.opened.monotonic
        if at.utc >= gate.lease.expires or lasted >= gate.binding.session_s:
            return Reason.EXPIRED
    elif gate.pending and at.monotonic >= gate.asked + _patience(gate.pending):
        return Reason.MISSED_BEAT
    return None


def _is_behind(gate: Gate, at: Moment) -> bool:
    """Whether the clock is before the known floor; NTP may slew it back a little."""
    return at.utc < gate.floor - CLOCK_JUMP_S


def _patience(challenge: Challenge) -> float:
    return TOUCH_S if challenge.touch else ANSWER_MAX_AGE_S
