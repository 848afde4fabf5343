"""``doorsill consent`` as a person types it, with cards in the real pcscd."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import virtual
from limits import END_S, PROGRAM_S
from vault_process import VaultProcess

from doorsill.cli import main
from doorsill.cli.consent_issue import read_office
from doorsill.consent.enrolled import read_enrolled
from doorsill.consent.reasons import Reason
from doorsill.consent.token import TokenOut
from doorsill.drivers.token.fido import FidoToken
from doorsill.drivers.token.fido_fake import VirtualKey
from doorsill.drivers.token.pcscd import VirtualSlot
from doorsill.drivers.token.piv_card import PRESENCE, SEALING
from doorsill.drivers.token.piv_fake import VirtualCard
from doorsill.errors import ConfigError
from doorsill.office.cards import Grant
from doorsill.office.fido import enrol_key
from doorsill.office.piv import with_one_card

Run = Callable[..., tuple[int, str]]
FOR = ("--holder", "Ana", "--site", "porto-1", "--purpose", "validation")


@pytest.fixture
def slot() -> Iterator[VirtualSlot]:
    slot = VirtualSlot(virtual.pcscd())
    yield slot
    slot.remove()
    virtual.until_empty()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str]:
        code = main.run(["consent", *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.fixture
def office(tmp_path: Path, run: Run) -> Path:
    folder = tmp_path / "office"
    code, said = run("ca", str(folder), "--controller", "Lojas Exemplo")
    assert code == 0, said
    return folder


def issue(run: Run, office: Path, *more: str) -> tuple[int, str]:
    usual = {
        "--ca": str(office),
        "--wait": "5",
        **dict(zip(FOR[::2], FOR[1::2], strict=True)),
    }
    words = [word for pair in usual.items() if pair[0] not in more for word in pair]
    return run("issue", *words, *more)


def look(run: Run, office: Path, *more: str) -> tuple[int, str]:
    site = () if "--site" in more else ("--site", "porto-1")
    return run("status", "--ca", str(office), *site, "--purpose", "validation", *more)


def test_a_ca_is_made_once_and_says_what_the_policy_needs(
    office: Path, run: Run
) -> None:
    assert (office / "consent-ca.key").stat().st_mode & 0o777 == 0o600
    pin = read_office(office).pin
    code, said = run("ca", str(office), "--controller", "X")
    assert (code, "never overwritten" in said) == (2, True)
    assert read_office(office).pin == pin


@pytest.mark.parametrize("t0", [True, False], ids=["T=0", "T=1"])
def test_a_card_is_made_and_then_opens(
    office: Path, run: Run, slot: VirtualSlot, t0: bool
) -> None:
    card = VirtualCard(t0=t0)
    slot.insert(card)
    code, said = issue(run, office, "--days", "30")
    assert code == 0, said
    assert "done: Ana's card, for validation at porto-1, until" in said
    assert "factory's management key" in said
    assert set(card.keys) == {PRESENCE, SEALING}
    code, said = look(run, office)
    assert (code, "opens the vault: Ana's card" in said) == (0, True)
    code, said = look(run, office, "--site", "porto-2")
    assert (code, "this site wants" in said) == (3, True)
    code, said = issue(run, office)
    assert (code, "made for Ana before; --overwrite" in said) == (2, True)
    code, said = issue(run, office, "--overwrite")
    assert code == 0, said


def test_a_card_with_its_own_management_key(
    office: Path, run: Run, slot: VirtualSlot, tmp_path: Path
) -> None:
    slot.insert(VirtualCard(management_key=bytes(range(32)), algorithm=0x0C))
    code, said = issue(run, office)
    assert (code, "no management key of 24 bytes" in said) == (2, True), said
    key = tmp_path / "9b.hex"
    key.write_text("ff" * 32, encoding="ascii")
    key.chmod(0o644)
    code, said = issue(run, office, "--management-key", str(key))
    assert (code, "has mode 0644; the limit is 0600" in said) == (2, True), said
    key.chmod(0o600)
    code, said = issue(run, office, "--management-key", str(key))
    assert (code, "the management key is wrong" in said) == (2, True), said
    key.write_text(bytes(range(32)).hex(), encoding="ascii")
    code, said = issue(run, office, "--management-key", str(key))
    assert code == 0, said
    assert "factory" not in said


@pytest.mark.parametrize("instruction", [0x47, 0xDB, 0x87], ids=["make", "put", "ask"])
def test_a_card_that_is_pulled_while_it_is_made_opens_nothing(
    office: Path, run: Run, slot: VirtualSlot, instruction: int
) -> None:
    card = VirtualCard()
    seen = 0

    def pull(apdu: bytes, answer: bytes) -> bytes | None:
        nonlocal seen
        seen += apdu[1] == instruction
        return None if seen == 2 else answer

    card.trouble = pull
    slot.insert(card)
    code, said = issue(run, office)
    assert code == 2, said
    assert "the card" in said
    virtual.until_empty()
    card.trouble = None
    slot.insert(card)
    code, said = look(run, office)
    assert (code, "opens the vault" in said) != (0, True)


def test_two_cards_at_once_are_refused(
    office: Path, run: Run, slot: VirtualSlot
) -> None:
    second = VirtualSlot(virtual.pcscd(), 1)
    slot.insert(VirtualCard())
    second.insert(VirtualCard())
    virtual.until_two()
    code, said = issue(run, office)
    second.remove()
    assert (code, "two cards; leave one in" in said) == (2, True), said


def test_no_card_is_waited_for_and_then_said(
    office: Path, run: Run, slot: VirtualSlot
) -> None:
    code, said = issue(run, office, "--wait", "0.5")
    assert (code, "put the card in\n" in said) == (2, True), said
    assert "no card was put in within" in said
    timer = threading.Timer(0.3, slot.insert, [VirtualCard()])
    timer.start()
    code, said = issue(run, office)
    timer.join(END_S)
    assert code == 0, said


class Played:
    """A card service that says what it can, and would go on to say nothing."""

    def __init__(self, reason: Reason, why: str = "") -> None:
        self.reason, self.why, self.asked_again = reason, why, False

    def events(self) -> Iterator[TokenOut]:
        yield TokenOut(self.reason, 0.0, self.why)
        self.asked_again = True  # for those who still wait then

    def close(self) -> None:
        """Called by the end of the wait."""


@pytest.mark.parametrize(
    ("reason", "why", "said", "waits"),
    [
        pytest.param(
            Reason.DAEMON_GONE,
            "pcscd is not installed",
            "pcscd is not",
            False,
            id="no card service",
        ),
        pytest.param(Reason.SECOND_CARD, "", "two cards", False, id="two cards"),
        pytest.param(Reason.REMOVED, "", "no card was put in", True, id="no card yet"),
        pytest.param(Reason.READER_GONE, "", "no card reader", True, id="no reader"),
    ],
)
def test_it_waits_only_where_waiting_can_help(
    reason: Reason, why: str, said: str, waits: bool
) -> None:
    token = Played(reason, why)
    heard: list[str] = []
    with pytest.raises(ConfigError, match=said):
        with_one_card(token, lambda _: None, 30.0, heard.append)  # type: ignore[arg-type]
    assert (token.asked_again, bool(heard)) == (waits, waits)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("--site", "Porto 1"), "site = 'Porto 1' does", id="site"),
        pytest.param(("--purpose", "a b"), "purpose = 'a b' does", id="purpose"),
        pytest.param(
            ("--days", "400"), "--days 400 is above the maximum of 365", id="days"
        ),
        pytest.param(("--begins", "soon"), "is not a date", id="begins"),
        pytest.param(("--begins", "2039-01-01"), "outlive the consent CA", id="ca"),
        pytest.param(
            ("--management-key", "/none"), "cannot read the key /none", id="key"
        ),
        pytest.param(("--ca", "/none"), "/none", id="no office"),
    ],
)
def test_nonsense_is_said_before_the_card_is_touched(
    office: Path, run: Run, words: tuple[str, ...], said: str
) -> None:
    code, told = issue(run, office, *words)
    assert code == 2
    assert said in told


def test_watching_shows_open_and_blank(
    office: Path, run: Run, slot: VirtualSlot
) -> None:
    card = VirtualCard()
    slot.insert(card)
    assert issue(run, office)[0] == 0
    timer = threading.Timer(1.5, slot.remove)
    timer.start()
    code, said = run(
        "watch", "--ca", str(office), "--site", "porto-1", "--purpose", "validation",
        "--seconds", "3",
    )  # fmt: skip
    timer.join(END_S)
    lines = [line[10:] for line in said.splitlines()]
    assert code == 0
    assert lines[0].startswith("BLANK  waiting for a card")
    assert lines[1].startswith("OPEN   Ana's card, for validation at porto-1")
    assert lines[2].startswith("BLANK  the card")


def test_a_fido2_key_is_enrolled_into_a_file(
    office: Path, run: Run, tmp_path: Path
) -> None:
    key, said = VirtualKey(), []
    grant = Grant("Ana", "porto-1", "validation", 1.8e9, 30)
    keys = tmp_path / "consent-keys"
    keys.mkdir()
    made = enrol_key(
        read_office(office), grant, keys / "ana.pem", said.append, key.plug
    )
    token = FidoToken(read_enrolled(keys), key.plug)
    next(iter(token.events()))
    assert token.certificate()
    token.close()
    assert made.credential
    assert "touch the FIDO2 key" in said[0]
    with pytest.raises(ConfigError, match="0 FIDO2 keys are plugged in"):
        enrol_key(read_office(office), grant, keys / "b.pem", said.append, dict)
    key.touched = False
    with pytest.raises(ConfigError, match="not touched in time"):
        enrol_key(read_office(office), grant, keys / "b.pem", said.append, key.plug)
    assert not (keys / "b.pem").exists()


def test_a_device_says_what_the_card_in_its_reader_opens(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with VaultProcess(tmp_path_factory.mktemp("v")) as site:
        command = [
            sys.executable,
            "-m",
            "doorsill",
            "consent",
            "status",
            "--config",
            str(site.site.configuration),
        ]
        said = []
        for card in (site.stage.card, site.stage.new_card(site="elsewhere")):
            site.stage.insert(card)
            done = subprocess.run(
                command,
                env={**os.environ, **site.stage.environment},
                capture_output=True,
                text=True,
                timeout=PROGRAM_S,
            )
            said.append((done.returncode, done.stdout + done.stderr))
            site.stage.stop()
            site.stage.start()  # a stack that has seen no card
        assert said[0][0] == 0, said
        assert "this card opens the vault: Ana's card" in said[0][1]
        assert said[1][0] == 3, said
        assert "this site wants urn:doorsill:consent:" in said[1][1]


def test_an_empty_reader_is_no_fault_and_none_is_logged(
    office: Path, run: Run, slot: VirtualSlot, caplog: pytest.LogCaptureFixture
) -> None:
    """The end of our own wait is not pcscd's: pcscd 2.3 says *cancelled* then."""
    code, said = issue(run, office, "--wait", "0.5")
    assert (code, said.splitlines()[-1]) == (
        2,
        "doorsill: no card was put in within 0.5 s",
    )
    assert [each.message for each in caplog.records] == []
