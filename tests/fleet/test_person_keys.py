"""Keys that people hold on PIV cards: behind the real pcscd, with virtual cards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import virtual
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from limits import WITHIN_S

from doorsill.cli import main as camera
from doorsill.cli.consent_issue import read_office
from doorsill.documents import canonical, charter, pem
from doorsill.drivers.token.apdu import parse_tlv
from doorsill.drivers.token.pcscd import VirtualSlot
from doorsill.drivers.token.piv_card import (
    AID,
    FACTORY_PIN,
    OBJECTS,
    PRESENCE,
    SIGNATURE,
)
from doorsill.drivers.token.piv_fake import PIN_TRIES, VirtualCard
from doorsill.errors import ConfigError
from doorsill.office import controller
from doorsill.office.card_key import CardKey
from doorsill_fleet.ca.authority import pem_of
from doorsill_fleet.ca.parts import begin, named
from doorsill_fleet.cli.main import run
from doorsill_fleet.office.chain import open_chain
from doorsill_fleet.office.person_keys import (
    CONSENT,
    CONTROLLER,
    ROOT,
    WHOSE,
    public_pem,
)

PIN_OF = {
    "PIN of the controller's card: ": CONTROLLER,
    "PIN of the consent CA's card: ": CONSENT,
    "PIN of the root's card: ": ROOT,
}
INIT = ["init", "--folder", "fleet", "--host", "localhost", "--no-passphrase"]
WAIT_S = 5.0  # for a card that nobody puts in
SIGN = 0x87  # instruction: GENERAL AUTHENTICATE


@dataclass
class People:
    """Each holds a card; the one who is asked puts it in, and types its PIN."""

    slot: VirtualSlot
    cards: dict[str, VirtualCard] = field(default_factory=dict)
    pins: dict[str, str] = field(default_factory=dict)  # where it is not the factory's
    asked: list[str] = field(default_factory=list)

    def answer(self, prompt: str) -> str:
        name = PIN_OF[prompt]
        self.asked.append(name)
        self.slot.remove()
        virtual.until_empty()
        if name in self.cards:
            self.slot.insert(self.cards[name])
        return self.pins.get(name, FACTORY_PIN)


@pytest.fixture
def slot() -> Iterator[VirtualSlot]:
    slot = VirtualSlot(virtual.pcscd())
    yield slot
    slot.remove()
    virtual.until_empty()


@pytest.fixture
def people(
    slot: VirtualSlot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> People:
    """Three of them, with the public half of each card's key in NAME.pub."""
    made = People(slot)
    for name in (ROOT, CONSENT, CONTROLLER):
        card = made.cards[name] = VirtualCard()
        key = card.keys[SIGNATURE] = ec.generate_private_key(ec.SECP256R1())
        (tmp_path / f"{name}.pub").write_bytes(public_pem(key.public_key()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(controller.getpass, "getpass", made.answer)
    monkeypatch.setattr(controller, "CARD_WAIT_S", WITHIN_S)
    return made


def on_cards(*names: str) -> list[str]:
    return [word for name in names for word in ("--card", f"{name}={name}.pub")]


ALL = on_cards(ROOT, CONSENT, CONTROLLER)


def is_of(card: VirtualCard, certificate: x509.Certificate) -> bool:
    return certificate.public_key() == card.keys[SIGNATURE].public_key()


def test_three_people_make_a_chain_with_a_card_each(
    people: People, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*INIT, *ALL]) == 0
    said = capsys.readouterr().out
    assert "the key of consent-ca is on its card, and nowhere else" in said
    assert people.asked == [CONTROLLER, CONSENT, ROOT]  # each card goes in once
    chain = open_chain(Path("fleet"))
    safe = {each.name for each in (chain.folder / "safe").iterdir()}
    publics = {f"{name}.key.pub" for name in PIN_OF.values()}
    assert safe == {*publics, "root.pem", "consent-ca.pem"}
    chain.issuing.verify_directly_issued_by(chain.root)
    assert is_of(people.cards[ROOT], chain.root)
    sealed = (chain.folder / "charter.json").read_bytes()
    word = charter.read_charter(sealed, chain.root)
    assert word.controller_key == Path("controller.pub").read_bytes()
    consent = x509.load_pem_x509_certificate(word.consent_ca)
    consent.verify_directly_issued_by(consent)
    assert is_of(people.cards[CONSENT], consent)


def test_one_key_may_be_on_a_card_and_the_others_in_files(people: People) -> None:
    assert run([*INIT, *on_cards(CONTROLLER)]) == 0
    assert people.asked == [CONTROLLER]
    safe = Path("fleet/safe")
    assert not (safe / "controller.key").exists()
    assert pem.read_key(safe / "root.key") and pem.read_key(safe / "consent-ca.key")


def certify(key: ec.EllipticCurvePrivateKey) -> bytes:
    """As a card's own tool gives what it keeps in 9C."""
    name = named("made with the card's own tool")
    made = begin(name, name, key.public_key(), datetime.now(UTC), timedelta(days=1))
    return pem_of(made.sign(key, hashes.SHA256()))


def test_a_key_that_the_cards_own_tool_made_is_named_by_its_certificate(
    people: People,
) -> None:
    key = people.cards[ROOT].keys[SIGNATURE]
    Path("root.pub").write_bytes(certify(key))
    assert run([*INIT, *on_cards(ROOT)]) == 0
    assert is_of(people.cards[ROOT], open_chain(Path("fleet")).root)


Change = Callable[[People], object]


def pull_as_it_signs(card: VirtualCard) -> None:
    card.trouble = lambda command, said: None if command[1] == SIGN else said


def pull_the_root_at_its_third(people: People) -> None:
    """Its proof and its own certificate are signed; that of the issuing CA is not."""
    left = [2]

    def trouble(command: bytes, said: bytes) -> bytes | None:
        left[0] -= command[1] == SIGN
        return None if left[0] < 0 else said

    people.cards[ROOT].trouble = trouble


def spoil(people: People) -> None:
    people.cards[CONSENT].trouble = lambda command, said: (
        b"\x6f\x00" if command[1] == SIGN else said
    )


def block(people: People) -> None:
    card = people.cards[CONSENT]
    for _ in range(PIN_TRIES):
        card.transmit(bytes((0, 0xA4, 4, 0, len(AID))) + AID)
        card.transmit(bytes((0, 0x20, 0, 0x80, 8)) + b"00000000")


TROUBLES = [
    pytest.param(
        lambda people: people.pins.update({CONSENT: "000000"}),
        2, "the PIN is wrong; 2 tries left", id="a wrong PIN",
    ),
    pytest.param(
        lambda people: people.pins.update({CONSENT: "1"}),
        2, "a PIN has 6 to 8 digits", id="no PIN at all",
    ),
    pytest.param(block, 2, "the PIN is blocked; the card's PUK", id="blocked"),
    pytest.param(
        lambda people: people.cards.update({ROOT: people.cards[CONSENT]}),
        3, "the card in the reader is not the root's", id="another's card",
    ),
    pytest.param(
        lambda people: people.cards[ROOT].keys.clear(),
        2, "key 9C is not on this card", id="an empty card",
    ),
    pytest.param(
        lambda people: people.cards.pop(ROOT),
        2, "no card was put in within 5 s", id="no card",
    ),
    pytest.param(
        lambda people: pull_as_it_signs(people.cards[CONSENT]),
        2, "the card answered nothing; was it pulled?", id="pulled as it signs",
    ),
    pytest.param(
        pull_the_root_at_its_third,
        2, "the card answered nothing; was it pulled?", id="pulled after two",
    ),
    pytest.param(spoil, 2, "the card said 6f00", id="a card that fails"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "says"), TROUBLES)
def test_trouble_with_a_card_is_a_sentence_and_nothing_is_made(
    people: People,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    change: Change,
    code: int,
    says: str,
) -> None:
    if says.startswith("no card"):
        monkeypatch.setattr(controller, "CARD_WAIT_S", WAIT_S)
    change(people)
    objects = {name: dict(card.objects) for name, card in people.cards.items()}
    assert run([*INIT, *ALL]) == code
    said = " ".join(capsys.readouterr().err.split())
    assert says in said and "Traceback" not in said
    assert {each.name for each in Path().iterdir()} == {f"{n}.pub" for n in WHOSE}
    assert {name: card.objects for name, card in people.cards.items()} == objects


def test_a_reader_that_is_not_there_is_a_sentence(
    people: People,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(controller, "CARD_WAIT_S", WAIT_S)
    assert run([*INIT, *ALL, "--reader", "no such"]) == 2
    assert "there is no card reader; plug one in" in capsys.readouterr().err
    assert not Path("fleet").exists()


def test_a_card_service_that_is_down_is_a_sentence(
    people: People,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    daemon = virtual.pcscd()
    daemon.kill()
    monkeypatch.setattr(controller.getpass, "getpass", lambda _: FACTORY_PIN)
    try:
        assert run([*INIT, *ALL]) == 2
    finally:
        daemon.start()
    assert "pcscd" in capsys.readouterr().err
    assert not Path("fleet").exists()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        pytest.param(["--card", "issuing=root.pub"], 2, "'issuing' is no key of these",
                     id="a key that no person holds"),
        pytest.param(["--card", "root"], 2, "is not NAME=FILE", id="no file"),
        pytest.param(["--card", "root=none.pub"], 2, "none.pub", id="a missing file"),
        pytest.param(["--card", "root=text"], 2, "text", id="a file of something else"),
        pytest.param(["--card", "root=p384.pub"], 3, "P-256", id="another curve"),
        pytest.param(["--card", "root=rsa.pem"], 3, "P-256", id="another kind"),
        pytest.param(on_cards(ROOT, ROOT), 2, "root is given twice", id="twice"),
        pytest.param(["--card", "root=root.pub", "--card", "controller=root.pub"], 2,
                     "root and controller are one key", id="one card for two people"),
    ],
)  # fmt: skip
def test_what_names_no_card_is_a_sentence_before_any_card_is_asked(
    people: People,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    says: str,
) -> None:
    Path("text").write_text("no key at all")
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    Path("p384.pub").write_bytes(public_pem(other))
    key = rsa.generate_private_key(65537, 2048)
    Path("rsa.pem").write_bytes(certify(key))  # type: ignore[arg-type]
    try:
        found = run([*INIT, *words])
    except SystemExit as error:  # argparse
        found = error.code
    said = " ".join(capsys.readouterr().err.split())
    assert (found, says in said) == (code, True), said
    assert people.asked == [] and not Path("fleet").exists()


def test_a_consent_ca_on_a_card_makes_consent_cards_in_another_reader(
    people: People,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run([*INIT, *on_cards(CONSENT)]) == 0
    monkeypatch.setattr(controller.getpass, "getpass", lambda _: FACTORY_PIN)
    other = VirtualSlot(virtual.pcscd(), 1)
    new = VirtualCard()
    other.insert(new)
    words = "issue --ca fleet/safe --holder Ana --site porto-1 --purpose validation"
    readers = ["--reader", "00 01", "--ca-reader", "00 00"]
    try:
        code = camera.run(["consent", *words.split(), *readers])
        said = capsys.readouterr()
        assert code == 0, said.err
        ca = read_office(Path("fleet/safe"), "00 00").ca
    finally:
        other.remove()
    made = x509.load_der_x509_certificate(held(new, PRESENCE))
    made.verify_directly_issued_by(ca)
    assert is_of(people.cards[CONSENT], ca)


def held(card: VirtualCard, slot: int) -> bytes:
    return parse_tlv(card.objects[OBJECTS[slot]])[0x70]


def test_a_card_key_gives_nothing_away_and_signs_one_way() -> None:
    real = ec.generate_private_key(ec.SECP256R1())
    key = CardKey(real.public_key(), lambda data: real.sign(data, canonical.ES256))
    real.public_key().verify(key.sign(b"it", canonical.ES256), b"it", canonical.ES256)
    for secret in (key.private_numbers, key.private_bytes, key.exchange):
        with pytest.raises(ConfigError):
            secret()
    with pytest.raises(ConfigError, match="SHA-256"):
        key.sign(b"it", ec.ECDSA(hashes.SHA384()))
    assert (key.key_size, key.curve.name) == (256, "secp256r1")
