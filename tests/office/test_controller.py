"""The controller's key: with a passphrase, or on a card behind the real pcscd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import virtual
from cryptography.hazmat.primitives import serialization

from doorsill.cli import main
from doorsill.documents import canonical, pem
from doorsill.drivers.token.pcscd import VirtualSlot
from doorsill.drivers.token.piv_card import FACTORY_PIN, SIGNATURE
from doorsill.drivers.token.piv_fake import VirtualCard
from doorsill.errors import ConfigError
from doorsill.office import controller
from doorsill.policy import document
from doorsill.policy.acceptance import accept
from doorsill.policy.store import read_public_key

Run = Callable[..., tuple[int, str]]
HERE = document.Place("porto-1", "cam-01")
WORDS = "a long passphrase"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a person types, in order; nothing is asked when it is empty."""
    answers: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(controller.getpass, "getpass", lambda _: answers.pop(0))
    return answers


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        code = main.run(["policy", *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    assert run("new", "p.toml", "--site", "porto-1", "--controller", "Ana")[0] == 0
    return run


@pytest.fixture
def slot() -> Iterator[VirtualSlot]:
    slot = VirtualSlot(virtual.pcscd())
    yield slot
    slot.remove()
    virtual.until_empty()


SIGN = ("sign", "p.toml", "--out", "p.json", "--key")


def accepted(folder: Path) -> document.Policy:
    key = read_public_key(folder / "c.key.pub")
    return accept(None, (folder / "p.json").read_bytes(), key, HERE, 0.0)


def test_a_key_with_a_passphrase_signs_for_who_knows_it(
    run: Run, typed: list[str], tmp_path: Path
) -> None:
    typed += [WORDS, WORDS]
    assert run("key", "c.key", "--passphrase")[0] == 0
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in (tmp_path / "c.key").read_bytes()
    with pytest.raises(TypeError):
        serialization.load_pem_private_key((tmp_path / "c.key").read_bytes(), None)
    typed += ["another", WORDS]
    code, said = run(*SIGN, "c.key")
    assert (code, "the passphrase is not that of c.key" in said) == (2, True)
    assert not (tmp_path / "p.json").exists()
    assert run(*SIGN, "c.key")[0] == 0
    assert accepted(tmp_path).version == 1 and typed == []


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        pytest.param(["short"], "8 characters or more", id="too short"),
        pytest.param([WORDS, WORDS + "x"], "are not the same", id="a slip"),
    ],
)
def test_a_bad_passphrase_makes_no_key(
    run: Run, typed: list[str], tmp_path: Path, answers: list[str], sentence: str
) -> None:
    typed += answers
    code, said = run("key", "c.key", "--passphrase")
    assert (code, sentence in said) == (2, True)
    assert not list(tmp_path.glob("c.key*"))


def test_where_nobody_can_type_it_says_so(run: Run, typed: list[str]) -> None:
    typed += [WORDS, WORDS]
    run("key", "c.key", "--passphrase")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin.isatty", lambda: False, raising=False)
        code, said = run(*SIGN, "c.key")
    assert (code, "passphrase of c.key is wanted; run this in a" in said) == (2, True)


@pytest.mark.parametrize("t0", [True, False], ids=["T=0", "T=1"])
def test_a_key_on_a_card_signs_and_never_leaves_it(
    run: Run, typed: list[str], tmp_path: Path, slot: VirtualSlot, t0: bool
) -> None:
    card = VirtualCard(t0=t0)
    slot.insert(card)
    typed += [FACTORY_PIN]
    code, said = run("key", "c.key", "--card")
    assert (code, "the key is on the card" in said) == (0, True), said
    assert not (tmp_path / "c.key").exists() and SIGNATURE in card.keys
    typed += ["000000", FACTORY_PIN]
    code, said = run(*SIGN, "c.key.pub", "--card")
    assert (code, "the PIN is wrong; 2 tries left" in said) == (2, True), said
    assert run(*SIGN, "c.key.pub", "--card")[0] == 0
    assert accepted(tmp_path).version == 1 and typed == []


def test_a_key_on_a_card_is_not_made_twice_by_mistake(
    run: Run, typed: list[str], tmp_path: Path, slot: VirtualSlot
) -> None:
    card = VirtualCard()
    slot.insert(card)
    typed += [FACTORY_PIN] * 4
    assert run("key", "c.key", "--card")[0] == 0
    first = card.keys[SIGNATURE]
    code, said = run("key", "d.key", "--card")
    assert (code, "has a key in slot 9C; --overwrite" in said) == (2, True), said
    assert card.keys[SIGNATURE] is first and not (tmp_path / "d.key.pub").exists()
    assert run("key", "d.key", "--card", "--overwrite")[0] == 0
    code, said = run(*SIGN, "c.key.pub", "--card")
    assert (code, "is not this controller's" in said) == (3, True), said
    assert not (tmp_path / "p.json").exists()


def test_who_signs_bytes_signs_as_the_key_itself_does(tmp_path: Path) -> None:
    key = pem.create_key(tmp_path / "c.key")
    sealed = canonical.seal_by({"a": 1}, controller.from_file(tmp_path / "c.key"))
    assert canonical.unseal(sealed, key.public_key()) == {"a": 1}
    with pytest.raises(ConfigError, match="is encrypted; the device"):
        locked = tmp_path / "locked.key"
        pem.create_key(locked, WORDS.encode())
        pem.read_key(locked)
