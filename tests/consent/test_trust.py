"""Which card certificates may open the vault, and in which words others are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cards import PURPOSE, SITE, UTC, Controller, new_key
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from doorsill.consent import trust
from doorsill.errors import ConfigError, UntrustedError
from doorsill.office import cards

LOJA = Controller()
GOOD = LOJA.card()
handmade = LOJA.handmade
DAY = 86400.0


def verify(der: bytes, **changes: object) -> trust.ConsentCertificate:
    given: dict[str, object] = {
        "trusted": LOJA.authority(),
        "site": SITE,
        "purposes": [PURPOSE],
        "utc": UTC,
    }
    return trust.verify(der, **{**given, **changes})  # type: ignore[arg-type]


def test_a_card_of_this_site_says_who_what_and_how_long() -> None:
    found = verify(GOOD.der)
    assert (found.holder, found.site, found.purpose) == ("Ana", SITE, PURPOSE)
    assert found.not_after - found.not_before == 30 * DAY
    assert found.key == GOOD.key.public_key()
    assert found.credential is None


STRANGER = cards.der(
    cards.card(Controller().ca, new_key(), GOOD.key.public_key(), Controller().grant())
)
SAME_NAME = handmade(signer=new_key())
REFUSALS = [
    pytest.param(lambda: b"", "is empty", id="nothing on the card"),
    pytest.param(lambda: GOOD.der[:-40], "not readable", id="truncated"),
    pytest.param(lambda: GOOD.der + b"\0", "not readable", id="a byte too many"),
    pytest.param(lambda: b"\xff" * 600, "not readable", id="noise"),
    pytest.param(lambda: b"0" * 5000, "limit is 4096", id="too long"),
    pytest.param(lambda: STRANGER, "not signed by", id="another CA"),
    pytest.param(lambda: SAME_NAME, "not signed by", id="a CA of the same name"),
    pytest.param(
        lambda: LOJA.card(site="porto-2").der,
        "opens urn:doorsill:consent:porto-2:validation; this site wants",
        id="another site",
    ),
    pytest.param(
        lambda: LOJA.card(purpose="training").der, ":training;", id="another purpose"
    ),
    pytest.param(
        lambda: LOJA.card(not_before=UTC - 40 * DAY).der, "ended on", id="expired"
    ),
    pytest.param(
        lambda: LOJA.card(not_before=UTC + 60).der, "begins on", id="not yet valid"
    ),
    pytest.param(
        lambda: handmade(ec.generate_private_key(ec.SECP384R1()).public_key()),
        "secp384r1",
        id="another curve",
    ),
    pytest.param(
        lambda: handmade(ed25519.Ed25519PrivateKey.generate().public_key()),
        "only P-256",
        id="no ECDSA at all",
    ),
    pytest.param(
        lambda: handmade(rsa.generate_private_key(65537, 2048).public_key()),
        "only P-256",
        id="RSA",
    ),
    pytest.param(lambda: handmade(names=()), "no SubjectAlt", id="names nothing"),
    pytest.param(lambda: handmade(names=("https://x",)), "opens nothing", id="a URL"),
    pytest.param(
        lambda: handmade(names=(trust.urn(SITE, PURPOSE) + "2",)),
        "this site wants",
        id="a longer purpose",
    ),
    pytest.param(lambda: handmade(usage=""), "no KeyUsage", id="usage unsaid"),
    pytest.param(
        lambda: handmade(usage="key_agreement"), "slot 9E", id="the wrong slot's"
    ),
    pytest.param(lambda: handmade(common_name="\x07"), "no holder", id="bell as name"),
    pytest.param(
        lambda: handmade(extra=((x509.BasicConstraints(True, None), True),)),
        "a CA's",
        id="a CA as a card",
    ),
    pytest.param(
        lambda: handmade(extra=((x509.InhibitAnyPolicy(1), True),)),
        "demands 2.5.29.54",
        id="a demand that we do not know",
    ),
    pytest.param(lambda: cards.der(LOJA.ca), "a CA's", id="the CA itself"),
]


@pytest.mark.parametrize(("make", "words"), REFUSALS)
def test_any_other_card_is_refused_in_words(
    make: Callable[[], bytes], words: str
) -> None:
    with pytest.raises(UntrustedError, match=words):
        verify(make())


def test_a_card_that_the_policy_took_back_is_refused() -> None:
    serial = f"{verify(GOOD.der).serial:x}"
    with pytest.raises(UntrustedError, match=f"{serial} was taken back"):
        verify(GOOD.der, trusted=LOJA.authority((serial,)))


def test_the_policy_pins_one_ca() -> None:
    with pytest.raises(UntrustedError, match="is not the policy's"):
        trust.authority(cards.der(Controller().ca), LOJA.pin, (), UTC)


@pytest.mark.parametrize(
    ("utc", "words"),
    [
        pytest.param(UTC + 1000 * DAY, "ended", id="ended"),
        pytest.param(UTC - 2 * DAY, "begins", id="clock before it"),
    ],
)
def test_the_ca_itself_must_be_in_date(utc: float, words: str) -> None:
    with pytest.raises(UntrustedError, match=f"consent CA certificate {words}"):
        LOJA.authority(utc=utc)


def test_a_card_is_no_ca() -> None:
    pin = trust.hashlib.sha256(GOOD.der).hexdigest()
    with pytest.raises(UntrustedError, match="may not sign others"):
        trust.authority(GOOD.der, pin, (), UTC)


SEALING_KEY = new_key()


def sealing(**changes: object) -> bytes:
    grant = LOJA.grant(**changes)
    return cards.der(cards.sealing(LOJA.ca, LOJA.key, SEALING_KEY.public_key(), grant))


def test_the_9d_key_belongs_to_the_same_holder() -> None:
    card, trusted = verify(GOOD.der), LOJA.authority()
    found = trust.verify_sealing(sealing(), trusted, card, UTC)
    assert found == SEALING_KEY.public_key()
    with pytest.raises(UntrustedError, match="9D key is of Eve"):
        trust.verify_sealing(sealing(holder="Eve"), trusted, card, UTC)
    with pytest.raises(UntrustedError, match="not for key agreement"):
        trust.verify_sealing(GOOD.der, trusted, card, UTC)


def test_a_fido_certificate_carries_its_credential() -> None:
    key = new_key().public_key()
    made = cards.card(LOJA.ca, LOJA.key, key, LOJA.grant(), credential=b"id-1")
    assert verify(cards.der(made)).credential == b"id-1"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"site": "Porto"}, "site = 'Porto' does not match", id="site"),
        pytest.param({"purpose": "a:b"}, "purpose = 'a:b'", id="purpose"),
        pytest.param({"holder": ""}, "holder = ''", id="holder"),
        pytest.param({"days": 0}, "days = 0 is outside of 1 to 365", id="no day"),
        pytest.param({"days": 366}, "days = 366", id="too long"),
    ],
)
def test_a_card_cannot_be_made_out_for_nonsense(
    changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        LOJA.grant(**changes)


def test_a_card_does_not_outlive_its_ca() -> None:
    with pytest.raises(ConfigError, match="outlive the consent CA"):
        Controller(days=10).card(days=30)
