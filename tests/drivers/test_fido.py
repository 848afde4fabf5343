"""A FIDO2 key as the token, through the real python-fido2: one touch, then silent."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cards import (
    BINDING,
    PURPOSE,
    SITE,
    UTC,
    Controller,
    moment,
    new_gate,
    new_key,
    nonce,
)
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from doorsill.consent.challenge import Challenge, require_answer
from doorsill.consent.enrolled import Enrolled, read_enrolled
from doorsill.consent.events import Answered, Ask, Inserted, Opened
from doorsill.consent.gate import State, step
from doorsill.consent.reasons import Reason
from doorsill.consent.token import TokenError, TokenEvent, TokenIn, TokenOut
from doorsill.consent.trust import ConsentCertificate, verify, verify_sealing
from doorsill.drivers.token.ctap import derive_sealing_key, enrol
from doorsill.drivers.token.fido import FidoToken
from doorsill.drivers.token.fido_fake import VirtualKey
from doorsill.errors import ConfigError, UntrustedError
from doorsill.office import cards

LOJA = Controller()
POINT = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def enrolled(key: VirtualKey, **grant: object) -> Enrolled:
    """As ``doorsill consent issue --fido2`` does it."""
    credential, public = enrol(key, "Ana")
    granted = LOJA.grant(**grant)
    presence = cards.card(LOJA.ca, LOJA.key, public, granted, credential)
    hidden = derive_sealing_key(key, credential).public_key()
    sealing = cards.sealing(LOJA.ca, LOJA.key, hidden, granted)
    return Enrolled(credential, cards.der(presence), cards.der(sealing))


class Plugged:
    """A key in its port, watched."""

    def __init__(self, key: VirtualKey | None = None) -> None:
        self.key = key or VirtualKey()
        self.mine = enrolled(self.key)
        self.there = True
        self.token = FidoToken((enrolled(VirtualKey()), self.mine), self._plug)
        self.events: list[TokenEvent] = []
        self._new = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._note, daemon=True)
        self._thread.start()
        self.next_event()

    def _plug(self) -> dict[str, Callable[[], Any]]:
        return dict(self.key.plug()) if self.there else {}

    def _note(self) -> None:
        for event in self.token.events():
            self.events.append(event)
            self._new.release()

    def next_event(self) -> TokenEvent:
        assert self._new.acquire(timeout=10)
        return self.events[-1]

    def card(self) -> ConsentCertificate:
        authority = LOJA.authority()
        return verify(self.token.certificate(), authority, SITE, [PURPOSE], UTC)

    def close(self) -> None:
        self.token.close()
        self._thread.join(5)


@pytest.fixture
def plugged() -> Iterator[Plugged]:
    plugged = Plugged()
    yield plugged
    plugged.close()


def asked(touch: bool, number: int = 0) -> Challenge:
    return Challenge(BINDING, PURPOSE, UTC + 1.5, nonce(number), touch)


def test_a_key_that_is_plugged_in_says_which_it_is(plugged: Plugged) -> None:
    assert isinstance(plugged.events[0], TokenIn)
    assert plugged.token.certificate() == plugged.mine.presence
    assert plugged.card().credential == plugged.mine.credential


@pytest.mark.parametrize("touch", [True, False], ids=["touched", "silent"])
def test_its_answer_is_its_own_and_to_this_question(
    plugged: Plugged, touch: bool
) -> None:
    card = plugged.card()
    answer = plugged.token.sign(asked(touch))
    assert require_answer(asked(touch), answer, card) is answer
    with pytest.raises(UntrustedError, match="not this card's"):
        require_answer(asked(touch, number=1), answer, card)


def test_a_silent_answer_is_no_touch(plugged: Plugged) -> None:
    card = plugged.card()
    silent = plugged.token.sign(asked(touch=False))
    with pytest.raises(UntrustedError, match="not touched"):
        require_answer(asked(touch=True), silent, card)


def test_the_gate_opens_after_a_touch_and_a_fresh_silent_answer(
    plugged: Plugged,
) -> None:
    card = plugged.card()
    gate, done = step(new_gate(), Inserted(card, BINDING.policy), moment(0.0), nonce(1))
    for at, state in ((12.0, State.CHALLENGING), (12.1, State.OPEN)):
        assert isinstance(done[0], Ask)
        question = done[0].challenge
        event = Answered(question.digest, plugged.token.sign(question))
        gate, done = step(gate, event, moment(at), nonce(int(at * 10)))
        assert gate.state is state
    assert isinstance(done[0], Opened)


def test_a_key_that_nobody_touches_opens_nothing(plugged: Plugged) -> None:
    plugged.token.certificate()
    plugged.key.touched = False
    with pytest.raises(TokenError, match="not touched in time") as caught:
        plugged.token.sign(asked(touch=True))
    assert caught.value.reason is Reason.MISSED_BEAT
    assert plugged.token.sign(asked(touch=False)).signature


@pytest.mark.alone
def test_a_pulled_key_is_seen_within_a_tenth_of_a_second(
    unit_priority: None, plugged: Plugged
) -> None:
    plugged.token.certificate()
    late = []
    for _ in range(20):
        pulled = time.monotonic()
        plugged.key.present = False
        event = plugged.next_event()
        assert isinstance(event, TokenOut)
        assert event.reason is Reason.REMOVED
        late.append(event.at - pulled)
        with pytest.raises(TokenError) as caught:
            plugged.token.sign(asked(touch=False))
        assert caught.value.reason is Reason.REMOVED
        plugged.key.present = True
        assert isinstance(plugged.next_event(), TokenIn)
    assert sorted(late)[-1] < 0.1


class Busy(VirtualKey):
    """Answers when it may, and notes whether it was let go of meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may = threading.Event(), threading.Event()
        self.may.set()
        self.speaking = False
        self.cut_off = 0  # let go of in the middle of a command
        self.let_go = 0

    def call(self, *command: Any, **how: Any) -> bytes:
        self.speaking = True
        self.asked.set()
        self.may.wait(10)
        answer = super().call(*command, **how)
        self.speaking = False
        return answer

    def close(self) -> None:
        self.let_go += 1
        self.cut_off += self.speaking


@pytest.mark.parametrize("end", ["pulled", "closed"])
def test_a_key_is_not_let_go_of_under_a_command(end: str) -> None:
    """Its handle could be another file's by the time that the command goes on."""
    key = Busy()
    plugged = Plugged(key)
    plugged.token.certificate()
    key.may.clear()
    key.asked.clear()
    speaker = threading.Thread(target=lambda: plugged.token.sign(asked(touch=False)))
    speaker.start()
    assert key.asked.wait(10)
    if end == "closed":
        plugged.close()
    else:
        plugged.there = False
        assert isinstance(plugged.next_event(), TokenOut)
        plugged.there = True
        assert isinstance(plugged.next_event(), TokenIn)
    assert key.speaking and key.let_go == 0
    key.may.set()
    speaker.join(10)
    assert not speaker.is_alive() and key.cut_off == 0
    if end == "pulled":
        assert plugged.token.sign(asked(touch=False)).signature
        assert key.let_go == 1  # the line to the key before, when it was free
        plugged.close()


def test_two_keys_are_none() -> None:
    one, two = VirtualKey(), VirtualKey()
    found = {"a": lambda: one, "b": lambda: two}
    token = FidoToken((enrolled(one),), lambda: found)
    event = next(iter(token.events()))
    assert isinstance(event, TokenOut)
    assert event.reason is Reason.SECOND_CARD
    with pytest.raises(TokenError, match="no FIDO2 key"):
        token.certificate()
    token.close()


def test_a_key_that_was_not_enrolled_is_refused() -> None:
    stranger = VirtualKey()
    token = FidoToken((enrolled(VirtualKey()),), stranger.plug)
    next(iter(token.events()))
    with pytest.raises(TokenError, match="not enrolled") as caught:
        token.certificate()
    assert caught.value.reason is Reason.UNTRUSTED
    token.close()


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(lambda _: b"", id="nothing"),
        pytest.param(lambda _: b"\0", id="no body"),
        pytest.param(lambda _: b"\0\xff\xff", id="no CBOR"),
        pytest.param(lambda _: b"\0\xa1\x03\xfa", id="a number cut short"),
        pytest.param(lambda _: b"\0" + b"\x81" * 5000, id="nested deep"),
        pytest.param(lambda _: b"\0\x81\x01", id="a list"),
        pytest.param(lambda _: b"\0\xa1\x01\x01", id="a credential that is a number"),
        pytest.param(lambda _: b"\0\xa0", id="an empty table"),
        pytest.param(lambda _: b"\x7f", id="an error that nobody knows"),
        pytest.param(lambda answer: answer[: len(answer) // 2], id="half of it"),
    ],
)
def test_a_key_that_talks_nonsense_is_an_error(
    plugged: Plugged, trouble: Callable[[bytes], bytes]
) -> None:
    plugged.token.certificate()
    plugged.key.trouble = trouble
    with pytest.raises(TokenError):
        plugged.token.sign(asked(touch=False))


def test_its_hidden_key_agrees_with_its_certificate(plugged: Plugged) -> None:
    card = plugged.card()
    sealing = plugged.token.sealing_certificate()
    public = verify_sealing(sealing, LOJA.authority(), card, UTC)
    ours = new_key()
    point = ours.public_key().public_bytes(*POINT)
    assert plugged.token.unwrap(point) == ours.exchange(ec.ECDH(), public)
    plugged.key.touched = False
    with pytest.raises(TokenError, match="not touched"):
        plugged.token.unwrap(point)


def pem(mine: Enrolled) -> bytes:
    from cryptography import x509

    chain = [
        x509.load_der_x509_certificate(each) for each in (mine.presence, mine.sealing)
    ]
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)


def test_enrolled_keys_are_files(tmp_path: Path, plugged: Plugged) -> None:
    (tmp_path / "ana.pem").write_bytes(pem(plugged.mine))
    assert read_enrolled(tmp_path) == (plugged.mine,)
    (tmp_path / "bad.pem").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"bad\.pem is not a FIDO2 key's file"):
        read_enrolled(tmp_path)


def test_a_device_without_enrolled_keys_says_so() -> None:
    with pytest.raises(ConfigError, match="no FIDO2 key is enrolled"):
        FidoToken(())
