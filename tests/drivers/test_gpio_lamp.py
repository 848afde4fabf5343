"""The consent lamp: lit exactly while faces may be stored; if it fails, blank."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted import Room

from doorsill.consent.events import Lost
from doorsill.consent.gate import BEAT_S
from doorsill.consent.reasons import WORDS, Reason
from doorsill.drivers.gpio.fake import FakeOutput
from doorsill.drivers.gpio.lamp import ConsentLamp, open_lamp
from doorsill.drivers.gpio.output import Output
from doorsill.errors import ConfigError, UntrustedError


def test_it_is_dark_from_the_start_and_shows_what_it_is_told() -> None:
    output = FakeOutput()
    assert output.on  # who had the line before left it so
    lamp = ConsentLamp(output)
    assert not output.on
    lamp.show(True)
    lamp.show(True)
    assert output.on
    lamp.show(False)
    assert not output.on
    lamp.show(True)
    lamp.close()
    assert not output.on and output.released


def vanished(output: FakeOutput) -> None:
    output.gone = True


def held_dark(output: FakeOutput) -> None:
    output.held = False


@pytest.mark.parametrize(
    ("break_it", "words"), [(vanished, "is gone: .*19"), (held_dark, "does not light")]
)
def test_one_that_fails_says_so(
    break_it: Callable[[FakeOutput], None], words: str
) -> None:
    output = FakeOutput()
    lamp = ConsentLamp(output)
    break_it(output)
    with pytest.raises(UntrustedError, match=words):
        lamp.show(True)


def test_one_that_cannot_be_put_out_is_no_lamp() -> None:
    output = FakeOutput()
    output.held = True
    with pytest.raises(UntrustedError, match="does not go out"):
        ConsentLamp(output)
    output.held = None
    lamp = ConsentLamp(output)
    output.gone = True
    with pytest.raises(UntrustedError, match="is gone"):
        lamp.close()
    assert output.released


@pytest.mark.parametrize("option", ["", "27", ":27", "chip:", "chip:x"])
def test_an_option_that_is_none_says_what_it_must_be(option: str) -> None:
    with pytest.raises(ConfigError, match=r"consent\.lamp_line = .* must be CHIP:OFF"):
        open_lamp(option)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("/dev/null:27", "lamp_line = /dev/null:27 cannot be used"),
        ("no-such-label:1", "lamp_line: there is no GPIO chip labelled"),
    ],
)
def test_the_real_library_refuses_what_is_no_chip(option: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        open_lamp(option)


def test_the_opener_gets_chip_and_offset() -> None:
    asked: list[tuple[str, int]] = []

    def opener(chip: str, offset: int) -> Output:
        asked.append((chip, offset))
        return FakeOutput()

    open_lamp("pinctrl-rp1:27", opener)
    assert asked == [("pinctrl-rp1", 27)]


class Lit(Room):
    """A room with a lamp that notes how the vault was whenever it was told."""

    def __init__(self, folder: Path) -> None:
        self.output = FakeOutput()
        super().__init__(folder, lamp=ConsentLamp(self.output))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Lit]:
    made = Lit(tmp_path)
    yield made
    made.close()


def test_it_is_lit_before_the_first_face_may_come_and_dark_before_the_blanking(
    room: Lit,
) -> None:
    seen: list[tuple[str, bool]] = []

    def note(what: str, act: Callable[..., object]) -> Callable[..., object]:
        def noted(*given: object) -> object:
            seen.append((what, room.output.on))
            return act(*given)

        return noted

    vault, medium = room.vault, room.medium
    vault.open = note("open", vault.open)  # type: ignore[method-assign, assignment]
    vault.seal = note("seal", vault.seal)  # type: ignore[method-assign, assignment]
    vault.revoke = note("revoke", vault.revoke)  # type: ignore[method-assign, assignment]
    medium.blank = note("blank", medium.blank)  # type: ignore[method-assign, assignment]
    assert room.keeper.status()["lamp"] is False and not room.output.on
    room.open()
    assert room.keeper.status()["lamp"] is True and room.output.on
    room.token.pull()
    room.shut()
    assert room.keeper.status()["lamp"] is False and not room.output.on
    assert seen[0] == ("open", True) and ("seal", True) in seen
    assert seen[-2:] == [("revoke", True), ("blank", False)]


@pytest.mark.parametrize("break_it", [vanished, held_dark])
def test_without_its_light_the_vault_does_not_open(
    room: Lit, break_it: Callable[[FakeOutput], None]
) -> None:
    break_it(room.output)
    room.token.insert()
    room.until(lambda: room.keeper.tally.last_card == WORDS[Reason.LAMP])
    assert room.offer() == 0
    assert room.keeper.tally.sessions == 0 and room.vault.verified_blank
    assert len(room.bench.verified()) == 1  # nothing was open, nothing was blanked
    room.output.gone, room.output.held = False, None


@pytest.mark.parametrize("break_it", [vanished, held_dark])
def test_a_lamp_that_fails_while_it_is_open_ends_it_with_the_next_answer(
    room: Lit, break_it: Callable[[FakeOutput], None]
) -> None:
    room.open()
    break_it(room.output)
    room.offset += BEAT_S + 0.01
    room.shut()
    assert room.vault.verified_blank and room.offer() == 0
    assert room.keeper.tally.last_reason == Reason.LAMP
    assert room.bench.verified()[-1].body["reason"] == "lamp"
    room.output.gone, room.output.held = False, None


def test_a_lamp_that_does_not_go_out_holds_up_no_blanking(room: Lit) -> None:
    room.open()
    room.output.held = True
    room.keeper.step(Lost(Reason.REMOVED))
    assert room.vault.verified_blank and room.keeper.status()["lamp"] is True
    room.output.held = None


def test_it_is_dark_when_the_vault_has_ended(room: Lit) -> None:
    room.open()
    room.keeper.end(Reason.SHUTDOWN)
    assert not room.output.on and room.output.released
