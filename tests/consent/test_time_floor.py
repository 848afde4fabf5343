"""A clock that is set back opens no vault for a card that is out of date."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from cards import UTC, Controller, moment, new_gate, nonce
from devices import AROUND, UTC_MS, DeviceCA, blanking
from scripted import Room
from vault_process import VaultProcess

from doorsill.consent import gate, time_floor
from doorsill.consent.events import Inserted, Refused, Tick
from doorsill.consent.gate import CLOCK_JUMP_S, State
from doorsill.consent.reasons import WORDS, Reason
from doorsill.consent.time_floor import floor_s, require_clock
from doorsill.consent.token import TokenError
from doorsill.device.clock import SLACK_S
from doorsill.device.version import built_at
from doorsill.vault.chain import CertificateChain

DAY_S = 86400.0
CONTROLLER = Controller()
NOWHERE = Path("/nowhere")
CARD = CONTROLLER.card().verified()


def inserted(floor: float) -> tuple[gate.Gate, tuple[gate.Action, ...]]:
    shut = replace(new_gate(), floor=floor)
    event = Inserted(CARD, shut.binding.policy)
    return gate.step(shut, event, moment(1.0), nonce())


def test_a_gate_below_its_floor_asks_no_card() -> None:
    refused, actions = inserted(UTC + 100 * DAY_S)
    assert refused.state is State.BLANK
    assert actions == (Refused(CARD, Reason.CLOCK),)
    asked, _ = inserted(UTC)
    assert asked.state is State.CHALLENGING  # the control


def test_a_clock_that_is_slewed_back_a_little_is_not_below_the_floor() -> None:
    assert inserted(UTC + 1.0 + CLOCK_JUMP_S - 0.1)[0].state is State.CHALLENGING
    assert inserted(UTC + 1.0 + CLOCK_JUMP_S + 0.1)[0].state is State.BLANK


def test_a_gate_that_finds_itself_below_a_floor_shuts() -> None:
    asked, _ = inserted(UTC)
    raised = replace(asked, floor=UTC + DAY_S)
    shut, actions = gate.step(raised, Tick(), moment(1.1), nonce())
    assert shut.state is State.BLANK
    assert actions == (Refused(CARD, Reason.CLOCK),)


@pytest.mark.parametrize(
    ("day", "opens"),
    [
        pytest.param(1, True, id="the card is in date"),
        pytest.param(100, False, id="the card is out of date"),
    ],
)
def test_the_clocks_own_date_decides_where_nothing_newer_was_signed(
    tmp_path: Path, day: int, opens: bool
) -> None:
    room = Room(tmp_path, utc=day * DAY_S)
    room.token.insert()
    if opens:
        room.until(lambda: room.vault.session is not None)
    else:
        room.until(lambda: room.keeper.tally.last_card)
        assert room.vault.session is None
    room.close()


def test_a_clock_set_back_below_the_vaults_own_chain_opens_nothing(
    tmp_path: Path,
) -> None:
    """The card is good for 30 days; day 100 is signed; the clock says day 1."""
    room = Room(tmp_path, utc=DAY_S)
    room.bench.now_ms = int((UTC + 100 * DAY_S) * 1000)
    room.vault.blank(Reason.ORDERED)
    room.token.insert()
    room.until(lambda: room.keeper.tally.last_card == WORDS[Reason.CLOCK])
    assert room.vault.session is None and not room.token.asked
    room.utc = 100 * DAY_S + 1.0  # and a clock that is right again has no card
    room.until(lambda: room.keeper.tally.last_card == WORDS[Reason.UNTRUSTED])
    room.close()


def test_the_chain_knows_the_latest_time_it_ever_signed(tmp_path: Path) -> None:
    """A start with a wrong clock does not lower it, in no process after it."""
    device = DeviceCA().device(tmp_path / "id", "door-7")
    chain = CertificateChain(tmp_path / "c", device)
    assert chain.known_ms == 0
    for at in (UTC_MS, UTC_MS - 10**9, 5):
        chain.append(blanking(chain, surroundings=replace(AROUND, utc_ms=at)))
        assert chain.known_ms == UTC_MS
    assert CertificateChain(tmp_path / "c", device).known_ms == UTC_MS


def test_the_floor_is_the_latest_of_chain_authority_and_build() -> None:
    made = CONTROLLER.ca.not_valid_before_utc.timestamp()
    assert made == UTC - DAY_S > built_at() > 0
    assert floor_s(0, NOWHERE, CONTROLLER.ca) == made - SLACK_S
    assert floor_s(UTC + DAY_S, NOWHERE, CONTROLLER.ca) == UTC + DAY_S
    older = Controller(utc=1000.0).ca
    assert built_at() <= floor_s(0, NOWHERE, older) <= time.time()


def test_a_clock_below_the_floor_is_named_with_both_times() -> None:
    require_clock(UTC, UTC + CLOCK_JUMP_S)
    with pytest.raises(TokenError, match=r"says 2027-01-15 .* known 2027-01-16 ") as e:
        require_clock(UTC, UTC + DAY_S)
    assert e.value.reason is Reason.CLOCK and not Reason.CLOCK.lasting


SET_BACK = """\
import time
time.time = lambda now=time.time: now() - 400 * 86400.0
"""


@pytest.mark.parametrize("back", [True, False])
def test_the_vaults_process_says_so_and_stays_blank(
    tmp_path_factory: pytest.TempPathFactory, back: bool
) -> None:
    folder = tmp_path_factory.mktemp("v")
    with VaultProcess(folder, before=SET_BACK if back else "pass") as site:
        site.start()
        site.stage.insert()
        if not back:
            site.until_open()
            return
        site.until(lambda: site.status()["last_card"] == WORDS[Reason.CLOCK])
        assert site.status()["state"] == "blank"
        assert "the vault stays blank until the clock is right" in site.said()
    assert time_floor.CLOCK_JUMP_S == CLOCK_JUMP_S
