"""An answer is the card's, to this question, and of the right relying party."""

import hashlib
from dataclasses import replace

import pytest
from cards import BINDING, PURPOSE, UTC, Card, Controller, new_key, nonce
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from doorsill.consent.challenge import (
    RELYING_PARTY,
    USER_PRESENT,
    Answer,
    Challenge,
    require_answer,
)
from doorsill.consent.trust import ConsentCertificate
from doorsill.errors import UntrustedError

KEY = new_key()
PIV: Card = Controller().card()
ASKED = Challenge(BINDING, PURPOSE, UTC + 1.5, nonce(1))
TOUCH = replace(ASKED, touch=True)


def fido_card() -> ConsentCertificate:
    return replace(PIV.verified(), key=KEY.public_key(), credential=b"credential")


def assertion(
    question: Challenge, party: str = RELYING_PARTY, flags: int = 0, count: int = 4
) -> Answer:
    """What a FIDO2 key signs: its own data, and the question behind it."""
    name = hashlib.sha256(party.encode()).digest()
    data = name + bytes((flags,)) + bytes(count)
    signed = KEY.sign(data + question.digest, ec.ECDSA(hashes.SHA256()))
    return Answer(signed, data)


def test_an_assertion_for_us_is_an_answer() -> None:
    for flags in (0, USER_PRESENT, 0xFF):
        answer = assertion(ASKED, flags=flags)
        assert require_answer(ASKED, answer, fido_card()) is answer
    assert require_answer(TOUCH, assertion(TOUCH, flags=USER_PRESENT), fido_card())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(
            assertion(ASKED, "login.example"), "another relying party", id="a web site"
        ),
        pytest.param(
            assertion(ASKED, RELYING_PARTY.upper()), "another relying", id="capitals"
        ),
        pytest.param(assertion(ASKED, ""), "another relying party", id="nobody"),
        pytest.param(assertion(ASKED, count=3), "another relying", id="no counter"),
        pytest.param(Answer(assertion(ASKED).signature), "another", id="no data"),
        pytest.param(
            assertion(replace(ASKED, nonce=nonce(2))), "not this card's", id="replayed"
        ),
        pytest.param(
            replace(assertion(ASKED), signature=b""),
            "not this card's",
            id="no signature",
        ),
    ],
)
def test_an_assertion_for_anybody_else_is_none(answer: Answer, words: str) -> None:
    """Rightly signed, by the right key: a key has credentials for many parties."""
    with pytest.raises(UntrustedError, match=words):
        require_answer(ASKED, answer, fido_card())


@pytest.mark.parametrize("flags", [0x00, 0x04, 0xFE])
def test_without_the_touch_that_was_asked_for_it_is_none(flags: int) -> None:
    with pytest.raises(UntrustedError, match="not touched"):
        require_answer(TOUCH, assertion(TOUCH, flags=flags), fido_card())


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": nonce(2)},
        {"purpose": "marketing"},
        {"expires": UTC + 9},
        {"binding": replace(BINDING, device="cam-02")},
        {"binding": replace(BINDING, boot="b1b1")},
        {"binding": replace(BINDING, policy="cd" * 32)},
        {"binding": replace(BINDING, site="porto-2")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_part_of_the_question_is_in_the_answer(change: dict[str, object]) -> None:
    card = PIV.verified()
    answer = PIV.answer(ASKED)
    assert require_answer(ASKED, answer, card) is answer
    with pytest.raises(UntrustedError, match="not this card's"):
        require_answer(replace(ASKED, **change), answer, card)  # type: ignore[arg-type]
