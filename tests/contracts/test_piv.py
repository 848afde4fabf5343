"""One contract for PIV cards, on virtual ones through the real pcscd, at T=0 and T=1.

With ``--token`` the reading half of it runs on the card that is in the reader now.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
import virtual
from cards import PREHASHED, PURPOSE, SITE, Controller, new_key
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from limits import wait_until
from smartcard import scard

from doorsill.consent.challenge import Answer, Binding, Challenge, require_answer
from doorsill.consent.reasons import Reason
from doorsill.consent.token import TokenError, TokenEvent, TokenIn, TokenOut
from doorsill.consent.trust import verify
from doorsill.drivers.token import pcsc, pcsc_calls
from doorsill.drivers.token.apdu import ApduError, Command, exchange, parse_tlv, tlv
from doorsill.drivers.token.pcscd import VirtualSlot
from doorsill.drivers.token.piv import PivToken
from doorsill.drivers.token.piv_card import (
    FACTORY_MANAGEMENT_KEY,
    FACTORY_PIN,
    PRESENCE,
    SEALING,
    PivCard,
)
from doorsill.drivers.token.piv_fake import VirtualCard

LOJA = Controller(utc=time.time() - 86400)
PUBLIC = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def challenge() -> Challenge:
    binding = Binding("cam-01", "b0", "ab" * 32, SITE, 60.0)
    return Challenge(binding, PURPOSE, time.time() + 1.5, b"\7" * 32)


class Recorder:
    """A token whose events are noted as they come."""

    def __init__(self, reader: str = "") -> None:
        self.token = PivToken(reader)
        self.events: list[TokenEvent] = []
        self._thread = threading.Thread(target=self._note, daemon=True)
        self._thread.start()

    def _note(self) -> None:
        for event in self.token.events():
            self.events.append(event)

    def last(self) -> object:
        event = self.events[-1] if self.events else None
        return event.reason if isinstance(event, TokenOut) else event

    def until_in(self) -> None:
        wait_until(lambda: isinstance(self.last(), TokenIn))

    def until_out(self, reason: Reason) -> None:
        wait_until(lambda: self.last() is reason)

    def close(self) -> None:
        self.token.close()
        self._thread.join(5)
        assert not self._thread.is_alive()


@pytest.fixture
def virtual_only(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--token"):
        pytest.skip("--token: this one would write or pull; run it without")


@pytest.fixture
def slot(virtual_only: None) -> Iterator[VirtualSlot]:
    slot = VirtualSlot(virtual.pcscd())
    yield slot
    slot.remove()
    virtual.until_empty()


@pytest.fixture
def recorder(slot: VirtualSlot) -> Iterator[Recorder]:
    recorder = Recorder()
    recorder.until_out(Reason.REMOVED)
    yield recorder
    recorder.close()


@pytest.fixture(params=["T=0", "T=1"])
def token(request: pytest.FixtureRequest) -> Iterator[PivToken]:
    """A token with a card in it: virtual, or with --token the one that is there."""
    real = request.config.getoption("--token")
    slot = None if real else VirtualSlot(virtual.pcscd())
    recorder = Recorder()
    if slot is not None:
        slot.insert(virtual.made_card(LOJA, t0=request.param == "T=0"))
    recorder.until_in()
    yield recorder.token
    recorder.close()
    if slot is not None:
        slot.remove()
        virtual.until_empty()


# The contract: virtual and real.


def test_it_gives_its_certificate(token: PivToken) -> None:
    assert x509.load_der_x509_certificate(token.certificate()).subject


def test_it_signs_a_challenge_and_no_other_key_does(token: PivToken) -> None:
    key = x509.load_der_x509_certificate(token.certificate()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    asked = challenge()
    answer = token.sign(asked)
    key.verify(answer.signature, asked.digest, PREHASHED)
    with pytest.raises(InvalidSignature):
        key.verify(answer.signature, challenge().digest[::-1], PREHASHED)


def test_two_answers_to_one_question_both_verify(token: PivToken) -> None:
    key = x509.load_der_x509_certificate(token.certificate()).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    asked = challenge()
    for _ in range(2):
        key.verify(token.sign(asked).signature, asked.digest, PREHASHED)


# Virtual only: they write, pull, or need a PIN.


def test_its_answer_is_what_the_gate_wants(virtual_only: None, token: PivToken) -> None:
    card = verify(token.certificate(), LOJA.authority(), SITE, [PURPOSE], time.time())
    asked = challenge()
    assert require_answer(asked, token.sign(asked), card)


def test_its_9d_key_agrees_after_the_pin_only(
    virtual_only: None, token: PivToken
) -> None:
    sealing = x509.load_der_x509_certificate(token.sealing_certificate())
    ours, theirs = new_key(), sealing.public_key()
    assert isinstance(theirs, ec.EllipticCurvePublicKey)
    point = ours.public_key().public_bytes(*PUBLIC)
    with pytest.raises(TokenError, match="9D needs the PIN"):
        token.unwrap(point)
    with pytest.raises(TokenError, match="the PIN is wrong; 2 tries left"):
        token.unwrap(point, "000000")
    assert token.unwrap(point, FACTORY_PIN) == ours.exchange(ec.ECDH(), theirs)


@pytest.mark.parametrize("t0", [True, False], ids=["T=0", "T=1"])
@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        pytest.param(FACTORY_MANAGEMENT_KEY, 0x03, id="3DES"),
        pytest.param(FACTORY_MANAGEMENT_KEY, 0x0A, id="AES-192"),
        pytest.param(bytes(range(16)), 0x08, id="AES-128"),
        pytest.param(bytes(range(32)), 0x0C, id="AES-256"),
    ],
)
def test_keys_are_made_on_the_card_behind_the_management_key(
    t0: bool, key: bytes, algorithm: int
) -> None:
    fake = VirtualCard(t0=t0, management_key=key, algorithm=algorithm)
    card = PivCard(must(fake), t0)
    card.select()
    with pytest.raises(TokenError, match="management key first"):
        card.generate(PRESENCE)
    with pytest.raises(TokenError, match="management key is wrong"):
        card.authenticate(bytes(len(key)))
    card.authenticate(key)
    public = card.generate(PRESENCE)
    card.put_certificate(PRESENCE, b"c" * 1200)
    assert card.certificate(PRESENCE) == b"c" * 1200
    public.verify(card.sign(b"d" * 32), b"d" * 32, PREHASHED)


def must(card: VirtualCard) -> Callable[[bytes], bytes]:
    def transmit(apdu: bytes) -> bytes:
        answer = card.transmit(apdu)
        assert answer is not None
        return answer

    return transmit


def test_a_card_comes_and_goes(recorder: Recorder, slot: VirtualSlot) -> None:
    for _ in range(2):
        slot.insert(virtual.made_card(LOJA))
        recorder.until_in()
        assert recorder.token.certificate()
        slot.remove()
        with pytest.raises(TokenError):
            recorder.token.sign(challenge())
        recorder.until_out(Reason.REMOVED)


class Watched:
    """The real scard; counts how many are at once in the calls that must not meet.

    Each lingers until another comes, and is then made alone: nothing crashes here.
    """

    ALONE = ("SCardEstablishContext", "SCardReleaseContext", "SCardDisconnect")
    LINGER_S = 0.05

    def __init__(self) -> None:
        self.most = self._inside = 0
        self._changed, self._real = threading.Condition(), threading.Lock()

    def __getattr__(self, name: str) -> object:
        found = getattr(scard, name)
        return partial(self._noted, found) if name in self.ALONE else found

    def _noted(self, call: Callable[..., object], *arguments: object) -> object:
        with self._changed:
            self._inside += 1
            self.most = max(self.most, self._inside)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._inside > 1, self.LINGER_S)
        try:
            with self._real:
                return call(*arguments)
        finally:
            with self._changed:
                self._inside -= 1


class NoLock:
    """A lock that everybody gets."""

    def acquire(self, timeout: float) -> bool:
        return True

    def release(self) -> None:
        return None


@pytest.mark.parametrize("guarded", [True, False])
def test_no_context_goes_while_a_card_is_let_go(
    slot: VirtualSlot, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """libpcsclite 1.9.9 crashes then; without the guard these threads do meet."""
    watched = Watched()
    for module in (pcsc, pcsc_calls):
        monkeypatch.setattr(module, "scard", watched)
    if not guarded:
        monkeypatch.setattr(pcsc_calls, "CONTEXTS", NoLock())
    slot.insert(virtual.made_card(LOJA))
    lives = [threading.Thread(target=_one_life) for _ in range(3)]
    for life in lives:
        life.start()
    for life in lives:
        life.join(virtual.LIMIT_S)
        assert not life.is_alive()
    assert (watched.most == 1) is guarded, watched.most


def _one_life() -> None:
    recorder = Recorder()
    recorder.until_in()
    recorder.token.certificate()
    recorder.close()


def test_two_cards_are_none(recorder: Recorder, slot: VirtualSlot) -> None:
    slot.insert(virtual.made_card(LOJA))
    recorder.until_in()
    second = VirtualSlot(virtual.pcscd(), 1)
    second.insert(virtual.made_card(LOJA))
    recorder.until_out(Reason.SECOND_CARD)
    with pytest.raises(TokenError, match="no card"):
        recorder.token.sign(challenge())
    second.remove()
    recorder.until_in()


def test_a_named_reader_sees_no_other(slot: VirtualSlot) -> None:
    recorder = Recorder("00 01")
    slot.insert(virtual.made_card(LOJA))
    other = VirtualSlot(virtual.pcscd(), 1)
    other.insert(virtual.made_card(LOJA))
    recorder.until_in()
    assert recorder.last().reader.endswith("00 01")  # type: ignore[attr-defined]
    other.remove()
    recorder.until_out(Reason.REMOVED)
    recorder.close()


def test_the_readers_are_named(slot: VirtualSlot) -> None:
    assert any("Virtual" in name for name in pcsc.readers())


def test_a_reader_that_is_not_there_is_said_to_be_gone(slot: VirtualSlot) -> None:
    recorder = Recorder("no such reader")
    recorder.until_out(Reason.READER_GONE)
    recorder.close()


def test_a_killed_daemon_is_noticed_and_found_again(
    recorder: Recorder, slot: VirtualSlot
) -> None:
    card = virtual.made_card(LOJA)
    slot.insert(card)
    recorder.until_in()
    virtual.pcscd().kill()
    killed = time.monotonic()
    recorder.until_out(Reason.DAEMON_GONE)
    assert recorder.events[-1].at - killed < 1.5
    with pytest.raises(TokenError):
        recorder.token.sign(challenge())
    virtual.pcscd().start()
    recorder.until_out(Reason.REMOVED)
    slot.insert(card)
    recorder.until_in()
    assert recorder.token.sign(challenge()).signature


TROUBLES = [
    pytest.param(lambda _, __: b"", Reason.CARD_ERROR, id="no byte"),
    pytest.param(lambda _, __: b"\x90", Reason.CARD_ERROR, id="one byte"),
    pytest.param(lambda _, __: b"\x90\x00", Reason.CARD_ERROR, id="a bare yes"),
    pytest.param(lambda _, __: b"\x6f\x00", Reason.CARD_ERROR, id="a bare no"),
    pytest.param(lambda _, __: b"\x61\x00", Reason.CARD_ERROR, id="more for ever"),
    pytest.param(lambda _, __: b"\x6c\x05", Reason.CARD_ERROR, id="never that long"),
    pytest.param(lambda _, __: b"\xff" * 300, Reason.CARD_ERROR, id="noise"),
    pytest.param(
        lambda _, answer: answer[: len(answer) // 2] + b"\x90\x00",
        Reason.CARD_ERROR,
        id="half an answer",
    ),
    pytest.param(
        lambda _, __: tlv(0x7C, tlv(0x82, b"")) + b"\x90\x00",
        Reason.CARD_ERROR,
        id="an empty signature",
    ),
]


@pytest.mark.parametrize("t0", [True, False], ids=["T=0", "T=1"])
@pytest.mark.parametrize(("trouble", "reason"), TROUBLES)
def test_a_card_that_talks_nonsense_is_an_error(
    trouble: Callable[[bytes, bytes], bytes], reason: Reason, t0: bool
) -> None:
    fake = virtual.made_card(LOJA, t0=t0)
    card = PivCard(must(fake), t0)
    card.select()
    fake.trouble = trouble
    with pytest.raises(TokenError) as caught:
        card.sign(b"d" * 32)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda c: c.objects.clear(), "9E is not on this card", id="blank"),
        pytest.param(lambda c: c.keys.pop(PRESENCE), "key 9E is not", id="no key"),
    ],
)
def test_a_card_that_was_not_issued_says_so(
    change: Callable[[VirtualCard], object], words: str
) -> None:
    fake = virtual.made_card(LOJA)
    change(fake)
    card = PivCard(must(fake), t0=False)
    card.select()
    with pytest.raises(TokenError, match=words):
        assert card.certificate(PRESENCE)
        card.sign(b"d" * 32)


def test_a_pin_that_was_wrong_three_times_is_blocked() -> None:
    card = PivCard(must(virtual.made_card(LOJA)), t0=False)
    card.select()
    words = ("2 tries left", "1 try left", "is blocked", "is blocked")
    for said in words:
        with pytest.raises(TokenError, match=said):
            card.verify_pin("999999")
    with pytest.raises(TokenError, match="6 to 8 digits"):
        card.verify_pin("1")


def test_a_packed_certificate_is_unpacked_and_bounded() -> None:
    import gzip

    fake = virtual.made_card(LOJA)
    card = PivCard(must(fake), t0=False)
    card.select()
    name = bytes.fromhex("5fc101")
    for size, fine in ((900, True), (1 << 20, False)):
        packed = gzip.compress(b"c" * size)
        fake.objects[name] = tlv(0x70, packed) + tlv(0x71, b"\1")
        if fine:
            assert card.certificate(PRESENCE) == b"c" * size
            continue
        with pytest.raises(TokenError, match="over 4096"):
            card.certificate(PRESENCE)


@pytest.mark.parametrize(
    ("info", "packed"),
    [
        pytest.param(b"\x01", True, id="as SP 800-73-4 says it"),
        pytest.param(b"\x80", True, id="as old cards say it"),
        pytest.param(b"\x81", True, id="both"),
        pytest.param(b"\x00", False, id="as it is"),
        pytest.param(b"", False, id="not said"),
        pytest.param(b"\x04", False, id="a bit of another meaning"),
    ],
)
def test_a_certificate_is_unpacked_where_the_card_says_that_it_is_packed(
    info: bytes, packed: bool
) -> None:
    import gzip

    fake = virtual.made_card(LOJA)
    card = PivCard(must(fake), t0=False)
    card.select()
    der, name = b"c" * 900, bytes.fromhex("5fc101")
    held = gzip.compress(der) if packed else der
    fake.objects[name] = tlv(0x70, held) + tlv(0x71, info)
    assert card.certificate(PRESENCE) == der


def test_a_9e_key_that_wants_a_touch_says_what_to_do() -> None:
    """It needs no PIN, so 6982 is a touch that did not come."""
    fake = virtual.made_card(LOJA)
    card = PivCard(must(fake), t0=False)
    card.select()
    fake.trouble = lambda command, answer: b"\x69\x82"
    with pytest.raises(TokenError, match="touch policy 'never'") as caught:
        card.sign(b"d" * 32)
    assert caught.value.reason is Reason.MISSED_BEAT
    with pytest.raises(TokenError, match="needs the PIN"):
        card.agree(bytes(65))


def test_a_clone_has_the_certificate_and_not_the_key() -> None:
    original = virtual.made_card(LOJA)
    copy = PivCard(must(original.clone()), t0=False)
    copy.select()
    card = verify(
        copy.certificate(PRESENCE), LOJA.authority(), SITE, [PURPOSE], time.time()
    )
    asked = challenge()
    with pytest.raises(Exception, match="not this card's"):
        require_answer(asked, Answer(copy.sign(asked.digest)), card)


def test_the_fake_keeps_at_least_two_slots_apart() -> None:
    fake = virtual.made_card(LOJA)
    assert fake.keys[PRESENCE] is not fake.keys[SEALING]
    assert replace(fake).atr == fake.atr


@given(st.binary(max_size=64))
@settings(max_examples=300, database=None)
def test_no_command_upsets_the_virtual_card(apdu: bytes) -> None:
    answer = VirtualCard().transmit(apdu)
    assert answer is not None
    assert len(answer) >= 2


@given(st.binary(max_size=300))
@settings(max_examples=300, database=None)
def test_no_answer_upsets_the_driver(answer: bytes) -> None:
    card = PivCard(lambda _: answer, t0=False)
    with pytest.raises(TokenError):
        card.certificate(PRESENCE)
        raise TokenError(Reason.UNTRUSTED, "it even made sense")


@given(st.integers(1, 0xFFFF), st.binary(max_size=400))
@settings(max_examples=200, database=None)
def test_tlv_there_and_back(number: int, value: bytes) -> None:
    tag = 0x5F00 | (number & 0x7F) if number & 1 else 0x53
    assert parse_tlv(tlv(tag, value)) == {tag: value}


@pytest.mark.parametrize(
    ("command", "t0", "sent"),
    [
        pytest.param(
            Command(0x87, 0x11, 0x9E, b"abc"),
            False,
            ["0087119e0361626300", "0087119e0361626307"],
            id="T=1, data kept",
        ),
        pytest.param(
            Command(0xCB, 1, 2), True, ["00cb010200", "00cb010207"], id="T=0, no data"
        ),
        pytest.param(
            Command(0x87, 1, 2, b"abc"),
            True,
            ["0087010203616263", "00c0000000", "00c0000007"],
            id="T=0, as it is fetched",
        ),
    ],
)
def test_a_card_that_wants_the_exact_length_is_asked_for_it(
    command: Command, t0: bool, sent: list[str]
) -> None:
    seen: list[str] = []

    def transmit(apdu: bytes) -> bytes:
        seen.append(apdu.hex())
        if apdu[-1] == 7:
            return b"7 bytes\x90\x00"
        return b"\x61\x00" if len(sent) > len(seen) + 1 else b"\x6c\x07"

    assert exchange(transmit, command, t0) == b"7 bytes"
    assert seen == sent


def test_a_long_command_goes_out_in_chunks() -> None:
    sent: list[bytes] = []

    def transmit(apdu: bytes) -> bytes:
        sent.append(apdu)
        return b"\x90\x00"

    exchange(transmit, Command(0xDB, 0x3F, 0xFF, b"x" * 600, answers=False), t0=True)
    assert [apdu[0] for apdu in sent] == [0x10, 0x10, 0x00]
    assert [apdu[4] for apdu in sent] == [255, 255, 90]
    with pytest.raises(ApduError, match="1 bytes; the least is 2"):
        exchange(lambda _: b"\x90", Command(0xA4, 4, 0), t0=False)
    with pytest.raises(ApduError, match="answered nothing; was it pulled"):
        exchange(lambda _: b"", Command(0xA4, 4, 0), t0=False)
