"""The gate is closed, unless a card has just answered: stories, then any sequence."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace

import pytest
from cards import BINDING, UTC, Card, Controller, moment, new_gate, nonce
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from doorsill.consent.challenge import Answer, Challenge
from doorsill.consent.events import (
    Action,
    Answered,
    Ask,
    Closed,
    Event,
    Inserted,
    Lost,
    Moment,
    Opened,
    Rebound,
    Refused,
    Switched,
    Tick,
)
from doorsill.consent.gate import (
    ANSWER_MAX_AGE_S,
    BEAT_S,
    TOUCH_S,
    Gate,
    State,
    deadline,
    ends,
    require_lease,
    step,
)
from doorsill.consent.reasons import WORDS, Reason
from doorsill.consent.trust import ConsentCertificate
from doorsill.errors import ConfigError, UntrustedError

LOJA = Controller()
ANA, EVE = LOJA.card(), LOJA.card(holder="Eve")
CARD = ANA.verified()


def inserted(card: ConsentCertificate, policy: str = BINDING.policy) -> Inserted:
    """The card, judged by the policy that is in force here."""
    return Inserted(card, policy)


def do(gate: Gate, *events: tuple[float, Event]) -> tuple[Gate, list[Action]]:
    """Feed events, each at its second; nonces are fresh."""
    done: list[Action] = []
    for seconds, event in events:
        gate, actions = step(gate, event, moment(seconds), random.randbytes(32))
        done += actions
    return gate, done


def right(gate: Gate, card: Card = ANA) -> Answered:
    """The right answer to the question that is pending."""
    assert gate.pending is not None
    return Answered(gate.pending.digest, card.answer(gate.pending))


def opened(seconds: float = 0.0, start: Gate | None = None) -> Gate:
    gate, _ = do(start or new_gate(), (seconds, inserted(CARD)))
    gate, done = do(gate, (seconds + 0.1, right(gate)))
    assert isinstance(done[-1], Opened)
    return gate


@pytest.mark.parametrize(
    "policies",
    [
        pytest.param(("ab" * 32, "cd" * 32), id="judged before, put in after"),
        pytest.param(("cd" * 32, "ab" * 32), id="judged by one not yet in force here"),
    ],
)
def test_a_card_judged_by_another_policy_opens_nothing(
    policies: tuple[str, str],
) -> None:
    judged, bound = policies
    start = new_gate(replace(BINDING, policy=judged))
    gate, _ = do(start, (0.0, Rebound(replace(BINDING, policy=bound))))
    gate, done = do(gate, (0.1, inserted(CARD, judged)))
    assert done == [Refused(CARD, Reason.POLICY_CHANGED)]
    assert gate.state is State.BLANK
    gate, _ = do(gate, (0.2, inserted(CARD, bound)))  # negative control
    gate, done = do(gate, (0.3, right(gate)))
    assert isinstance(done[-1], Opened)


def test_without_the_lamp_that_the_policy_wants_nothing_is_even_asked() -> None:
    start = new_gate(replace(BINDING, lamp_missing=True))
    gate, done = do(start, (0.0, inserted(CARD)))
    assert (gate.state, done) == (State.BLANK, [Refused(CARD, Reason.LAMP)])


def test_an_answer_to_a_question_of_the_old_policy_opens_nothing() -> None:
    gate, _ = do(new_gate(), (0.0, inserted(CARD)))
    answer = right(gate)
    gate, _ = do(gate, (0.1, Rebound(replace(BINDING, policy="cd" * 32))))
    gate, done = do(gate, (0.2, answer))
    assert (gate.state, done) == (State.BLANK, [])


def test_a_card_that_answers_opens_and_a_card_that_goes_closes() -> None:
    gate, asked = do(new_gate(), (0.0, inserted(CARD)))
    assert gate.state is State.CHALLENGING
    assert isinstance(asked[0], Ask)
    gate, done = do(gate, (0.2, right(gate)))
    assert gate.state is State.OPEN
    assert isinstance(done[0], Opened)
    gate, done = do(gate, (0.3, Lost(Reason.REMOVED)))
    assert gate.state is State.BLANK
    assert isinstance(done[0], Closed)
    assert done[0].reason is Reason.REMOVED
    assert (gate.card, gate.pending, gate.lease) == (None, None, None)


def test_it_asks_again_at_least_once_a_second_and_stays_open() -> None:
    gate, asked = opened(), 0
    for tenth in range(2, 600):
        gate, actions = do(gate, (tenth / 10, Tick()))
        if actions:
            asked += 1
            gate, _ = do(gate, (tenth / 10 + 0.05, right(gate)))
        assert require_lease(gate, moment(tenth / 10 + 0.05)).card == CARD
    assert BEAT_S <= 1.0
    assert asked >= 59


LATE = ANSWER_MAX_AGE_S
STORIES = [
    pytest.param(Lost(Reason.REMOVED), 0.5, Reason.REMOVED, id="pulled"),
    pytest.param(Lost(Reason.READER_GONE), 0.5, Reason.READER_GONE, id="reader"),
    pytest.param(Lost(Reason.DAEMON_GONE), 0.5, Reason.DAEMON_GONE, id="daemon"),
    pytest.param(Lost(Reason.SHUTDOWN), 0.5, Reason.SHUTDOWN, id="SIGTERM"),
    pytest.param(inserted(EVE.verified()), 0.5, Reason.SECOND_CARD, id="a second"),
    pytest.param(Tick(), LATE, Reason.MISSED_BEAT, id="no answer in time"),
    pytest.param(Tick(), 5.0, Reason.MISSED_BEAT, id="we were stopped"),
    pytest.param(Rebound(BINDING), 0.5, Reason.POLICY_CHANGED, id="policy"),
    pytest.param(
        Answered(b"", Answer(b"")), 0.5, Reason.BAD_ANSWER, id="unasked answer"
    ),
]


@pytest.mark.parametrize(("event", "seconds", "reason"), STORIES)
def test_everything_else_closes(event: Event, seconds: float, reason: Reason) -> None:
    gate, done = do(opened(), (seconds, event))
    assert gate.state is not State.OPEN
    assert isinstance(done[0], Closed)
    assert done[0].reason is reason
    with pytest.raises(UntrustedError, match="is blank"):
        require_lease(gate, moment(seconds))


def test_a_new_card_after_a_missed_beat_is_a_new_question() -> None:
    gate, done = do(opened(), (9.0, inserted(EVE.verified())))
    assert [type(each) for each in done] == [Closed, Ask]
    assert gate.state is State.CHALLENGING


def test_a_stopped_process_sees_no_lease_even_if_nobody_ticked() -> None:
    gate = opened()
    assert require_lease(gate, moment(ANSWER_MAX_AGE_S - 0.01))
    with pytest.raises(UntrustedError):
        require_lease(gate, moment(ANSWER_MAX_AGE_S))


def wrong_answers() -> list[object]:
    old, _ = do(new_gate(), (0.0, inserted(CARD)))
    replayed = right(old)

    def bound(**changes: str) -> object:
        def make(gate: Gate) -> Answered:
            asked = gate.pending
            assert asked is not None
            other = replace(asked, binding=replace(asked.binding, **changes))  # type: ignore[arg-type]
            return Answered(asked.digest, ANA.answer(other))

        return make

    def expiry(gate: Gate) -> Answered:
        asked = gate.pending
        assert asked is not None
        return Answered(
            asked.digest, ANA.answer(replace(asked, expires=asked.expires + 1))
        )

    return [
        pytest.param(lambda gate: replayed, id="replayed"),
        pytest.param(
            lambda gate: Answered(gate.pending.digest, replayed.answer),
            id="replayed under the new digest",
        ),
        pytest.param(lambda gate: right(gate, EVE), id="a clone without the key"),
        pytest.param(bound(device="cam-02"), id="for another device"),
        pytest.param(bound(boot="b1b1"), id="from before the reboot"),
        pytest.param(bound(policy="cd" * 32), id="for another policy"),
        pytest.param(bound(site="porto-2"), id="for another site"),
        pytest.param(expiry, id="with another expiry"),
        pytest.param(lambda g: Answered(g.pending.digest, Answer(b"")), id="empty"),
        pytest.param(
            lambda g: Answered(g.pending.digest, Answer(b"\x30\x80junk")), id="garbage"
        ),
    ]


@pytest.mark.parametrize("make", wrong_answers())
def test_a_wrong_answer_opens_nothing_and_closes_what_is_open(make: object) -> None:
    waiting, _ = do(new_gate(), (0.0, inserted(CARD)))
    gate, done = do(waiting, (0.1, make(waiting)))  # type: ignore[operator]
    assert (gate.state, type(done[0])) == (State.BLANK, Refused)
    asked, _ = do(opened(), (1.0, Tick()))
    gate, done = do(asked, (1.1, make(asked)))  # type: ignore[operator]
    assert (gate.state, type(done[0])) == (State.BLANK, Closed)
    assert done[0].reason is Reason.BAD_ANSWER  # type: ignore[union-attr]


def test_a_late_right_answer_does_not_count() -> None:
    waiting, _ = do(new_gate(), (0.0, inserted(CARD)))
    gate, done = do(waiting, (ANSWER_MAX_AGE_S, right(waiting)))
    assert gate.state is State.BLANK
    assert [type(each) for each in done] == [Refused]


@pytest.mark.parametrize(
    "at",
    [
        pytest.param(Moment(1000.5, UTC + 3600), id="an hour ahead"),
        pytest.param(Moment(1000.5, UTC - 86400 * 400), id="a year back"),
        pytest.param(Moment(999.0, UTC + 0.5), id="the monotonic one backwards"),
    ],
)
def test_a_clock_that_jumps_closes(at: Moment) -> None:
    gate = opened()
    with pytest.raises(UntrustedError):
        require_lease(gate, at)
    gate, done = step(gate, Tick(), at, nonce())
    assert gate.state is State.BLANK
    assert done[0].reason is Reason.CLOCK  # type: ignore[union-attr]


def keep_open(gate: Gate, start: float, end: float) -> tuple[Gate, list[Action]]:
    """Answer every question until ``end`` or until it closes."""
    tenth = round(start * 10)
    while tenth / 10 < end:
        gate, done = do(gate, (tenth / 10, Tick()))
        if gate.state is State.BLANK:
            return gate, done
        if done:
            gate, _ = do(gate, (tenth / 10, right(gate)))
        tenth += 1
    return gate, []


def test_a_session_ends_when_the_policy_says() -> None:
    gate = opened(start=new_gate(replace(BINDING, session_s=5.0)))
    gate, done = keep_open(gate, 0.2, 9.0)
    assert isinstance(done[0], Closed)
    assert done[0].reason is Reason.EXPIRED
    assert gate.last.monotonic == pytest.approx(1005.1, abs=0.11)


def test_a_session_ends_with_the_card() -> None:
    ends = replace(CARD, not_after=UTC + 3.0)
    gate, _ = do(new_gate(), (0.0, inserted(ends)))
    gate, _ = do(gate, (0.1, right(gate)))
    _, done = keep_open(gate, 0.2, 9.0)
    assert done[0].reason is Reason.EXPIRED  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        pytest.param(replace(CARD, not_after=UTC), Reason.EXPIRED, id="ended"),
        pytest.param(replace(CARD, not_before=UTC + 9), Reason.EXPIRED, id="early"),
        pytest.param(replace(CARD, site="porto-2"), Reason.UNTRUSTED, id="site"),
    ],
)
def test_a_card_that_may_not_is_not_even_asked(card: object, reason: Reason) -> None:
    gate, done = do(new_gate(), (0.0, inserted(card)))  # type: ignore[arg-type]
    assert gate.state is State.BLANK
    assert [(type(each), each.reason) for each in done] == [(Refused, reason)]  # type: ignore[union-attr]


def test_the_key_switch_is_needed_as_well_and_opens_nothing_alone() -> None:
    gate = new_gate(replace(BINDING, needs_line=True))
    gate, done = do(gate, (0.0, inserted(CARD)))
    assert done[0].reason is Reason.LINE_LOW  # type: ignore[union-attr]
    gate, done = do(gate, (0.1, Switched(True)), (0.2, Tick()))
    assert (gate.state, done) == (State.BLANK, [])
    gate = opened(1.0, start=gate)
    gate, done = do(gate, (1.2, Switched(False)))
    assert gate.state is State.BLANK
    assert done[0].reason is Reason.LINE_LOW  # type: ignore[union-attr]


def test_a_touch_token_is_touched_and_then_asked_at_once() -> None:
    gate, done = do(new_gate(), (0.0, inserted(replace(CARD, credential=b"id"))))
    assert done[0].challenge.touch  # type: ignore[union-attr]
    assert deadline(gate) == pytest.approx(1000.0 + TOUCH_S)
    gate, done = do(gate, (TOUCH_S, Tick()))
    assert done[0].reason is Reason.MISSED_BEAT  # type: ignore[union-attr]


def touched(gate: Gate, flags: int) -> Answered:
    """What a FIDO2 key says to the question that is pending."""
    assert gate.pending is not None
    party = hashlib.sha256(b"consent.doorsill").digest()
    data = party + bytes([flags]) + bytes(4)
    signed = ANA.key.sign(data + gate.pending.digest, ec.ECDSA(hashes.SHA256()))
    return Answered(gate.pending.digest, Answer(signed, data))


def test_a_touch_is_asked_for_once_and_the_lease_begins_with_a_silent_answer() -> None:
    gate, done = do(new_gate(), (0.0, inserted(replace(CARD, credential=b"id"))))
    gate, done = do(gate, (12.0, touched(gate, flags=1)))
    (ask,) = done
    assert isinstance(ask, Ask) and not ask.challenge.touch
    assert gate.state is State.CHALLENGING
    assert deadline(gate) == pytest.approx(1012.0 + ANSWER_MAX_AGE_S)
    gate, done = do(gate, (12.1, touched(gate, flags=0)))
    assert gate.state is State.OPEN
    gate, done = do(gate, (12.0 + BEAT_S, Tick()))
    assert not done[0].challenge.touch  # type: ignore[union-attr]


def test_who_does_not_touch_opens_nothing() -> None:
    gate, _ = do(new_gate(), (0.0, inserted(replace(CARD, credential=b"id"))))
    gate, done = do(gate, (1.0, touched(gate, flags=0)))
    assert done[0].reason is Reason.BAD_ANSWER  # type: ignore[union-attr]


@pytest.mark.parametrize("credential", [None, b"id"], ids=["a card", "a FIDO2 key"])
def test_while_a_question_waits_for_its_answer_no_other_is_put(
    credential: bytes | None,
) -> None:
    """A second one would give a card that is too slow for the first another chance."""
    gate, _ = do(new_gate(), (0.0, inserted(replace(CARD, credential=credential))))
    pending = gate.pending
    for seconds in (0.1, BEAT_S, BEAT_S + 0.1, ANSWER_MAX_AGE_S - 0.01):
        gate, done = do(gate, (seconds, Tick()))
        assert (done, gate.pending) == ([], pending)


def test_nobody_is_asked_without_a_card() -> None:
    gate, done = do(new_gate(), (5.0, Tick()), (9.0, Tick()))
    assert (gate.state, gate.pending, done) == (State.BLANK, None, [])


def test_it_is_asked_again_when_a_beat_is_over_and_not_before() -> None:
    gate = opened()  # asked at 0, answered at 0.1
    for seconds in (0.2, 0.5, BEAT_S - 0.01):
        gate, done = do(gate, (seconds, Tick()))
        assert done == []
    gate, done = do(gate, (BEAT_S, Tick()))
    assert isinstance(done[0], Ask)


@pytest.mark.parametrize(
    ("credential", "patience"),
    [
        pytest.param(None, ANSWER_MAX_AGE_S, id="a card"),
        pytest.param(b"id", TOUCH_S, id="a key that has to be touched"),
    ],
)
def test_a_question_says_until_when_it_is_good(
    credential: bytes | None, patience: float
) -> None:
    _, done = do(new_gate(), (3.0, inserted(replace(CARD, credential=credential))))
    assert done[0].challenge.expires == UTC + 3.0 + patience  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("jump", "shuts"),
    [
        pytest.param(2.0, False, id="two seconds ahead"),
        pytest.param(-2.0, False, id="two seconds back"),
        pytest.param(2.25, True, id="more ahead"),
        pytest.param(-2.25, True, id="more back"),
    ],
)
def test_a_wall_clock_may_be_set_by_two_seconds(jump: float, shuts: bool) -> None:
    gate, at = replace(opened(), last=moment(0.125)), moment(0.25)  # exact in binary
    gate, done = step(gate, Tick(), Moment(at.monotonic, at.utc + jump), nonce())
    reasons = [each.reason for each in done if isinstance(each, Closed)]
    assert reasons == ([Reason.CLOCK] if shuts else [])


@pytest.mark.parametrize(
    ("expires", "session_s"),
    [
        pytest.param(0.25, 600.0, id="the card or the policy's time"),
        pytest.param(600.0, 0.25, id="the session"),
    ],
)
def test_a_lease_is_over_at_its_last_moment(expires: float, session_s: float) -> None:
    gate = opened(start=new_gate(replace(BINDING, session_s=session_s)))
    assert gate.lease is not None
    lease = replace(gate.lease, opened=moment(0.0), expires=UTC + expires)
    gate = replace(gate, lease=lease, last=moment(0.125))
    gate, done = do(gate, (0.1875, Tick()))
    assert (gate.state, done) == (State.OPEN, [])
    gate, done = do(gate, (0.25, Tick()))
    assert done[0].reason is Reason.EXPIRED  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("below", "refused"),
    [
        pytest.param(2.0, False, id="two seconds below what is known"),
        pytest.param(2.25, True, id="more"),
    ],
)
def test_a_clock_may_be_two_seconds_below_what_is_known(
    below: float, refused: bool
) -> None:
    floor = UTC + below
    gate, done = do(replace(new_gate(), floor=floor), (0.0, inserted(CARD)))
    assert isinstance(done[0], Refused if refused else Ask)
    gate = replace(opened(), floor=UTC + 0.25 + below)
    gate, done = do(gate, (0.25, Tick()))
    assert (gate.state is State.BLANK) is refused


def test_each_state_says_when_it_has_to_be_looked_at() -> None:
    begun = 1000.0  # monotonic s of the second 0
    assert deadline(new_gate()) == float("inf")
    gate = opened()  # asked at 0, answered at 0.1
    assert deadline(gate) == pytest.approx(begun + BEAT_S)
    gate, done = do(gate, (BEAT_S, Tick()))
    assert isinstance(done[0], Ask)
    assert deadline(gate) == pytest.approx(begun + ANSWER_MAX_AGE_S)


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        pytest.param({}, ANSWER_MAX_AGE_S, id="the next answer is missing"),
        pytest.param({"session_s": 0.5}, 0.1 + 0.5, id="the session is over"),
        pytest.param({"expires": 0.7}, 0.7, id="the card runs out"),
    ],
)
def test_a_lease_ends_by_itself_at_the_first_of_three(
    changes: dict[str, float], left: float
) -> None:
    """In seconds from the question that was answered; the session began 0.1 s later."""
    assert ends(new_gate()) == float("inf")
    gate = opened()
    assert gate.lease is not None
    if "session_s" in changes:
        gate = replace(gate, binding=replace(gate.binding, **changes))
    if "expires" in changes:
        utc = moment(changes["expires"]).utc
        gate = replace(gate, lease=replace(gate.lease, expires=utc))
    assert ends(gate) == pytest.approx(moment(left).monotonic)


def test_a_card_is_good_from_its_first_moment_on() -> None:
    card = replace(CARD, not_before=moment(0).utc)
    gate, done = do(new_gate(), (0.0, inserted(card)))
    assert isinstance(done[0], Ask) and gate.card is card


@pytest.mark.parametrize(
    ("credential", "good_for"),
    [(None, ANSWER_MAX_AGE_S), (b"id", TOUCH_S)],
    ids=["a card", "a key that wants a touch"],
)
def test_a_question_is_good_for_as_long_as_its_answer_may_take(
    credential: bytes | None, good_for: float
) -> None:
    _, done = do(new_gate(), (0.0, inserted(replace(CARD, credential=credential))))
    assert isinstance(done[0], Ask)
    assert done[0].challenge.expires == pytest.approx(moment(good_for).utc)


def test_while_a_question_is_open_no_other_is_asked() -> None:
    gate, _ = do(opened(), (BEAT_S, Tick()))
    pending = gate.pending
    gate, done = do(gate, (BEAT_S + 0.7, Tick()))
    assert (gate.pending, done) == (pending, [])


def test_what_is_promised_to_shoppers_is_what_the_gate_keeps() -> None:
    assert (ANSWER_MAX_AGE_S, BEAT_S, TOUCH_S) == (1.5, 0.75, 20.0)
    gate = Gate(BINDING, moment(0))
    assert (gate.asked, gate.fresh, gate.floor) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("jump", "state"),
    [
        pytest.param(1.9, State.OPEN, id="a clock that is slewed"),
        pytest.param(2.1, State.BLANK, id="one that is set"),
        pytest.param(-1.9, State.OPEN, id="slewed back"),
        pytest.param(-2.1, State.BLANK, id="set back"),
    ],
)
def test_a_wall_clock_that_is_set_ends_the_lease(jump: float, state: State) -> None:
    at = moment(0.3)
    jumped = Moment(at.monotonic, at.utc + jump)
    gate, _ = step(opened(), Tick(), jumped, random.randbytes(32))
    assert gate.state is state


def test_a_nonce_is_32_bytes() -> None:
    with pytest.raises(ConfigError, match="4 bytes; it must have 32"):
        step(new_gate(), Tick(), moment(0), b"four")


def test_no_two_bindings_have_one_digest() -> None:
    one = Challenge(replace(BINDING, device="ab", boot="c"), "v", UTC, nonce())
    two = Challenge(replace(BINDING, device="a", boot="bc"), "v", UTC, nonce())
    assert one.digest != two.digest
    assert len(one.digest) == 32


def test_every_reason_has_words_and_a_word() -> None:
    assert set(WORDS) == set(Reason)
    assert all(reason.replace("-", "").isalpha() for reason in Reason)


OPENED = [0]  # how often the invariant was looked at with an open gate


class AnySequence(RuleBasedStateMachine):
    """After any events in any order, the gate is not open without an answer.

    The model is kept by the test alone: when was a question put that this very card
    has answered correctly since it was last inserted?
    """

    @initialize(switch=st.booleans())
    def start(self, switch: bool) -> None:
        self.now = 0.0
        self.gate = new_gate(replace(BINDING, needs_line=switch, session_s=20.0))
        self.proof: float | None = None  # when the newest answered question was put
        self.questions: list[tuple[Challenge, float]] = []
        self.count = 0

    def feed(self, event: Event) -> None:
        self.count += 1
        at = moment(self.now)
        self.gate, actions = step(self.gate, event, at, nonce(self.count))
        for action in actions:
            if isinstance(action, Closed | Refused):
                self.proof = None
            if isinstance(action, Ask):
                self.questions.append((action.challenge, self.now))

    @rule(seconds=st.floats(0.0, 0.6) | st.floats(0.0, 2.0), then=st.booleans())
    def time_passes(self, seconds: float, then: bool) -> None:
        self.now += seconds
        if then:
            self.feed(Tick())

    @precondition(lambda self: self.gate.state is State.BLANK)
    @rule(card=st.sampled_from((ANA, EVE)), delay=st.floats(0.0, 1.4))
    def put_in_and_answer(self, card: Card, delay: float) -> None:
        self.feed(Switched(True))
        self.put_in(card)
        self.answer_the_question(card, delay)

    @precondition(lambda self: self.gate.state is State.OPEN)
    @rule(card=st.sampled_from((ANA, ANA, ANA, EVE)), delay=st.floats(0.0, 0.9))
    def keep_it_open(self, card: Card, delay: float) -> None:
        self.now += BEAT_S
        self.feed(Tick())
        if self.gate.pending:
            self.answer_the_question(card, delay)

    @rule(card=st.sampled_from((ANA, EVE)))
    def put_in(self, card: Card) -> None:
        self.proof = None
        self.feed(inserted(card.verified(), self.gate.binding.policy))

    @rule(card=st.sampled_from((ANA, EVE)))
    def put_in_as_another_policy_judged_it(self, card: Card) -> None:
        was = self.gate
        self.feed(inserted(card.verified(), "ef" * 32))
        if was.card is None:
            assert self.gate.state is State.BLANK

    @precondition(lambda self: self.gate.pending)
    @rule(signer=st.sampled_from((ANA, EVE)), delay=st.floats(0.0, 0.8))
    def answer_the_question(self, signer: Card, delay: float) -> None:
        self.now += delay
        question, put = self.questions[-1]
        holder = self.gate.card
        if holder is not None and holder.key == signer.key.public_key():
            self.proof = put
        self.feed(Answered(question.digest, signer.answer(question)))

    @precondition(lambda self: self.questions)
    @rule(which=st.integers(0, 50))
    def replay(self, which: int) -> None:
        question, _ = self.questions[which % len(self.questions)]
        if self.gate.pending == question:
            return
        self.feed(Answered(question.digest, ANA.answer(question)))

    @rule(reason=st.sampled_from(tuple(Reason)))
    def lose(self, reason: Reason) -> None:
        self.proof = None
        self.feed(Lost(reason))

    @precondition(lambda self: self.gate.binding.needs_line)
    @rule(on=st.sampled_from((True, True, False)))
    def turn(self, on: bool) -> None:
        self.feed(Switched(on))

    @rule(policy=st.sampled_from(("aa" * 32, "bb" * 32)))
    def new_policy(self, policy: str) -> None:
        self.proof = None
        self.feed(Rebound(replace(self.gate.binding, policy=policy)))

    @invariant()
    def is_never_open_without_a_young_answer(self) -> None:
        if not hasattr(self, "gate"):
            return
        try:
            lease = require_lease(self.gate, moment(self.now))
        except UntrustedError:
            return
        OPENED[0] += 1
        assert self.proof is not None
        assert self.now - self.proof < ANSWER_MAX_AGE_S
        assert moment(self.now).utc < lease.expires
        assert self.gate.switch or not self.gate.binding.needs_line


AnySequence.TestCase.settings = settings(
    max_examples=250,
    stateful_step_count=40,
    deadline=None,
    database=None,
)


def test_any_sequence_keeps_the_invariant_and_does_open_it() -> None:
    """An invariant that never meets an open gate would prove nothing."""
    OPENED[0] = 0
    run_state_machine_as_test(AnySequence, settings=AnySequence.TestCase.settings)
    assert OPENED[0] > 100


def test_the_invariant_can_fail() -> None:
    """Negative control: a gate that forgets to look at the time trips the invariant."""
    machine = AnySequence()
    machine.start(switch=False)
    machine.put_in(ANA)
    machine.answer_the_question(ANA, 0.1)
    machine.is_never_open_without_a_young_answer()
    machine.now += 5.0
    machine.gate = replace(machine.gate, fresh=moment(5.0).monotonic, last=moment(5.0))
    with pytest.raises(AssertionError):
        machine.is_never_open_without_a_young_answer()
