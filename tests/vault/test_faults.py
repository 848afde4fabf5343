"""Every failure ends blank: if anything breaks in the consent path, nothing rests.

    refused: the fault is there from the start; the vault never opens
    closed:  the fault comes while it is open with faces in it; it blanks, verified

Card faults go through the real pcscd. The good story is the negative control.
"""

import os
import random
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import virtual
from cards import PREHASHED, PURPOSE, Controller, new_key
from cryptography.hazmat.primitives.asymmetric import ec
from scene import BINDING, LOJA, Scene
from vault_process import VaultProcess
from vaults import consent_policy

from doorsill.consent.challenge import Challenge
from doorsill.consent.enrolled import read_enrolled
from doorsill.consent.events import Lost, Switched
from doorsill.consent.gate import ANSWER_MAX_AGE_S
from doorsill.consent.reasons import Reason
from doorsill.drivers.gpio.fake import FakeLine
from doorsill.drivers.gpio.line import KeySwitch
from doorsill.drivers.media.medium import read_all
from doorsill.drivers.token.apdu import tlv
from doorsill.drivers.token.fido import FidoToken
from doorsill.drivers.token.fido_fake import VirtualKey
from doorsill.drivers.token.piv_card import OBJECTS, PRESENCE, PivCard
from doorsill.drivers.token.piv_fake import VirtualCard
from doorsill.errors import ConfigError, UntrustedError
from doorsill.office import cards
from doorsill.office.fido import enrol_key
from doorsill.office.piv import Office

DAY = 86400.0
SIGN, READ, SELECT = 0x87, 0xCB, 0xA4
Trouble = Callable[[bytes, bytes], "bytes | None"]


def on(instruction: int, answer: Trouble) -> Trouble:
    """``answer`` to one kind of command; all others are answered as they should."""
    return lambda apdu, good: answer(apdu, good) if apdu[1] == instruction else good


def slow(seconds: float) -> Trouble:
    def wait(_: bytes, answer: bytes) -> bytes:
        time.sleep(seconds)
        return answer

    return on(SIGN, wait)


def signed(digest: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    return tlv(0x7C, tlv(0x82, key.sign(digest, PREHASHED))) + b"\x90\x00"


def with_certificate(der: bytes) -> VirtualCard:
    card = virtual.made_card(LOJA)
    card.load(PRESENCE, card.keys[PRESENCE], der)
    return card


def with_object(raw: bytes) -> VirtualCard:
    card = virtual.made_card(LOJA)
    card.objects[OBJECTS[PRESENCE]] = raw
    return card


def with_trouble(trouble: Trouble) -> VirtualCard:
    card = virtual.made_card(LOJA)
    card.trouble = trouble
    return card


def another_curve() -> bytes:
    return LOJA.handmade(ec.generate_private_key(ec.SECP384R1()).public_key())


def sealing_in_9e() -> bytes:
    return cards.der(
        cards.sealing(LOJA.ca, LOJA.key, new_key().public_key(), LOJA.grant())
    )


def half() -> bytes:
    return virtual.made_card(LOJA).objects[OBJECTS[PRESENCE]][:-200]


BAD_CARDS = [
    pytest.param(lambda: virtual.made_card(Controller()), id="wrong CA"),
    pytest.param(lambda: virtual.made_card(LOJA, utc=time.time() - 40 * DAY), id="end"),
    pytest.param(
        lambda: virtual.made_card(LOJA, utc=time.time() + 2 * DAY), id="early"
    ),
    pytest.param(lambda: virtual.made_card(LOJA, site="porto-2"), id="other site"),
    pytest.param(lambda: virtual.made_card(LOJA, purpose="ads"), id="other purpose"),
    pytest.param(lambda: virtual.made_card(LOJA).clone(), id="clone without the key"),
    pytest.param(lambda: with_certificate(another_curve()), id="wrong curve"),
    pytest.param(lambda: with_certificate(sealing_in_9e()), id="wrong slot"),
    pytest.param(lambda: with_certificate(b""), id="empty certificate"),
    pytest.param(lambda: with_object(half()), id="truncated certificate"),
    pytest.param(lambda: with_object(b"\xff" * 900), id="noise as certificate"),
    pytest.param(VirtualCard, id="never issued"),
    pytest.param(
        lambda: with_trouble(on(SELECT, lambda *_: b"\x6a\x82")), id="no PIV card"
    ),
    pytest.param(
        lambda: with_trouble(lambda *_: random.randbytes(40)),
        id="garbage from the start",
    ),
    pytest.param(
        lambda: with_trouble(on(READ, lambda *_: b"\x90\x00")), id="empty answer"
    ),
    pytest.param(
        lambda: with_trouble(on(SELECT, lambda *_: None)), id="pulled as it is read"
    ),
    pytest.param(lambda: with_trouble(slow(2.0)), id="slow from the start"),
]


def exact(apdu: bytes, answer: bytes) -> bytes:
    """A quirk: it gives an answer only to who asks for exactly its length (6Cxx)."""
    asks = apdu[1] in (SIGN, SELECT, 0xC0) and apdu[-1] == 0
    short = answer[-2:] == b"\x90\x00" and 2 < len(answer) < 258
    return bytes((0x6C, len(answer) - 2)) if asks and short else answer


@pytest.mark.alone  # a card has 1.5 s
@pytest.mark.parametrize(
    ("t0", "quirk"),
    [
        pytest.param(False, None, id="T=1"),
        pytest.param(True, None, id="T=0"),
        pytest.param(False, exact, id="T=1, exact lengths"),
    ],
)
def test_the_good_story_opens_and_seals(
    tmp_path: Path, t0: bool, quirk: Trouble | None
) -> None:
    """Negative control: without a fault it does open, and it does hold faces."""
    with Scene(tmp_path) as scene:
        card = virtual.made_card(LOJA, t0=t0)
        card.trouble = quirk
        scene.insert(card)
        scene.until_open()
        with pytest.raises(AssertionError):
            scene.require_blank()
        scene.spend(ANSWER_MAX_AGE_S + 0.5)  # its first answers count no more
        assert scene.open


@pytest.mark.parametrize("make", BAD_CARDS)
def test_a_bad_card_never_opens(
    tmp_path: Path, make: Callable[[], VirtualCard]
) -> None:
    with Scene(tmp_path) as scene:
        scene.insert(make())
        scene.until(lambda: scene.keeper.tally.last_card not in UNTOUCHED, 8.0)
        scene.spend(0.3)
        assert scene.keeper.tally.sessions == 0
        scene.require_blank()


UNTOUCHED = ("", "the card was pulled")


def test_a_card_that_was_taken_back_never_opens(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        card = virtual.made_card(LOJA)
        found = scene.judge(card_certificate(card), b"").card
        scene.revoked = (f"{found.serial:x}",)
        scene.insert(card)
        scene.until(lambda: scene.keeper.tally.last_card not in UNTOUCHED, 8.0)
        assert scene.keeper.tally.sessions == 0
        scene.require_blank()


def card_certificate(card: VirtualCard) -> bytes:
    piv = PivCard(lambda apdu: card.transmit(apdu) or b"", card.t0)
    piv.select()
    return piv.certificate(PRESENCE)


def elsewhere(**changes: object) -> Callable[[Scene, VirtualCard], None]:
    """The card answers a question that another device, boot or policy was asked."""

    def go_wrong(scene: Scene, card: VirtualCard) -> None:
        def answer(apdu: bytes, good: bytes) -> bytes:
            asked = scene.keeper.gate.pending
            assert asked is not None
            bound = replace(asked.binding, **changes)  # type: ignore[arg-type]
            return signed(replace(asked, binding=bound).digest, card.keys[PRESENCE])

        card.trouble = on(SIGN, answer)

    return go_wrong


def replayed(scene: Scene, card: VirtualCard) -> None:
    old = signed(
        Challenge(BINDING, PURPOSE, 1.0, b"1" * 32).digest, card.keys[PRESENCE]
    )
    card.trouble = on(SIGN, lambda *_: old)


def another_key(scene: Scene, card: VirtualCard) -> None:
    card.keys[PRESENCE] = new_key()


def trouble(what: Trouble) -> Callable[[Scene, VirtualCard], None]:
    def go_wrong(scene: Scene, card: VirtualCard) -> None:
        card.trouble = what

    return go_wrong


def second_card(scene: Scene, card: VirtualCard) -> None:
    scene.insert(virtual.made_card(LOJA), slot=1)


def jump(seconds: float) -> Callable[[Scene, VirtualCard], None]:
    def go_wrong(scene: Scene, card: VirtualCard) -> None:
        scene.offset = seconds

    return go_wrong


def other_policy(scene: Scene, card: VirtualCard) -> None:
    policy = consent_policy(max_crops=7)
    scene.digest = policy.digest
    scene.keeper.rebind(policy, replace(BINDING, policy=policy.digest))


def told(reason: Reason) -> Callable[[Scene, VirtualCard], None]:
    def go_wrong(scene: Scene, card: VirtualCard) -> None:
        scene.keeper.step(Lost(reason))

    return go_wrong


def too_many(scene: Scene, card: VirtualCard) -> None:
    for seed in range(40):
        scene.hand_over(seed)


def medium_fails(scene: Scene, card: VirtualCard) -> None:
    good = scene.bench.medium.append

    def fail(record: bytes) -> int:
        scene.bench.medium.append = good  # type: ignore[method-assign]
        raise UntrustedError("the medium is gone: no space left on device")

    scene.bench.medium.append = fail  # type: ignore[method-assign]
    scene.hand_over(5)


def stopped(scene: Scene, card: VirtualCard) -> None:
    """The scheduler, a debugger or a full memory holds us up for too long."""
    scene.until(lambda: scene.keeper.gate.pending is None, 5.0)
    time.sleep(ANSWER_MAX_AGE_S + 0.1)


CARD = {Reason.CARD_ERROR}
FAULTS = [
    pytest.param(lambda s, c: s.slots[0].remove(), None, id="card pulled"),
    pytest.param(trouble(on(SIGN, lambda *_: None)), None, id="pulled mid-command"),
    pytest.param(trouble(lambda *_: b""), None, id="no answer at all"),
    pytest.param(trouble(lambda *_: random.randbytes(60)), CARD, id="garbage"),
    pytest.param(trouble(on(SIGN, lambda *_: b"\x90\x00")), CARD, id="empty answer"),
    pytest.param(
        trouble(on(SIGN, lambda *_: b"\x69\x82")),
        {Reason.MISSED_BEAT},
        id="wants a touch",
    ),
    pytest.param(trouble(on(SIGN, lambda *_: b"\x61\x00")), CARD, id="more for ever"),
    pytest.param(replayed, {Reason.BAD_ANSWER}, id="replayed answer"),
    pytest.param(another_key, {Reason.BAD_ANSWER}, id="key swapped"),
    pytest.param(elsewhere(device="x"), {Reason.BAD_ANSWER}, id="for another device"),
    pytest.param(elsewhere(boot="x"), {Reason.BAD_ANSWER}, id="for another boot"),
    pytest.param(elsewhere(policy="x"), {Reason.BAD_ANSWER}, id="for another policy"),
    pytest.param(trouble(slow(2.0)), {Reason.MISSED_BEAT}, id="slow card"),
    pytest.param(trouble(slow(6.0)), {Reason.MISSED_BEAT}, id="card that hangs"),
    pytest.param(second_card, None, id="a second card"),
    pytest.param(jump(3600.0), {Reason.CLOCK}, id="clock an hour on"),
    pytest.param(jump(-400 * DAY), {Reason.CLOCK}, id="clock a year back"),
    pytest.param(other_policy, {Reason.POLICY_CHANGED}, id="another policy"),
    pytest.param(told(Reason.READER_GONE), {Reason.READER_GONE}, id="reader gone"),
    pytest.param(told(Reason.ORDERED), {Reason.ORDERED}, id="asked to"),
    pytest.param(too_many, {Reason.LIMIT}, id="more crops than allowed"),
    pytest.param(medium_fails, {Reason.MEDIUM}, id="medium full or gone"),
    pytest.param(stopped, {Reason.MISSED_BEAT}, id="we were held up"),
]


@pytest.mark.parametrize(("go_wrong", "reasons"), FAULTS)
def test_a_fault_while_open_ends_blank(
    tmp_path: Path,
    go_wrong: Callable[[Scene, VirtualCard], None],
    reasons: set[Reason] | None,
) -> None:
    with Scene(tmp_path) as scene:
        card = scene.insert()
        scene.until_open()
        began = time.monotonic()
        go_wrong(scene, card)
        scene.until_blank()
        card.trouble = None
        assert time.monotonic() - began < 4.0
        last = scene.bench.verified()[-1].body
        assert last["leases"][0]["sealed"] >= 3
        if reasons is not None:
            assert Reason(scene.keeper.tally.last_reason) in reasons


@pytest.mark.alone
def test_a_killed_pcscd_ends_blank_and_a_new_one_opens_again(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        card = scene.insert()
        scene.until_open()
        virtual.pcscd().kill()
        killed = time.monotonic()
        scene.until_blank()
        assert time.monotonic() - killed < ANSWER_MAX_AGE_S + 0.5
        virtual.pcscd().start()
        scene.insert(card)
        scene.until_open()
        scene.slots[0].remove()
        scene.until_blank()


def test_a_pcscd_that_hangs_ends_blank(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        scene.insert()
        scene.until_open()
        os.kill(virtual.pcscd().pid, signal.SIGSTOP)
        try:
            scene.until_blank()
        finally:
            os.kill(virtual.pcscd().pid, signal.SIGCONT)
        assert scene.keeper.tally.last_reason == Reason.MISSED_BEAT


def test_a_session_ends_by_its_time_and_the_card_alone_does_not_reopen(
    tmp_path: Path,
) -> None:
    with Scene(tmp_path, binding=replace(BINDING, session_s=1.2)) as scene:
        scene.insert()
        scene.until_open()
        scene.until_blank()
        assert scene.keeper.tally.last_reason == Reason.EXPIRED
        scene.spend(3.0)
        assert scene.keeper.tally.sessions == 1


@pytest.mark.parametrize("end", ["turned off", "flapping", "chip gone"])
def test_the_key_switch_closes_and_opens_nothing_alone(
    tmp_path: Path, end: str
) -> None:
    line, bound = FakeLine(), replace(BINDING, needs_line=True)
    with Scene(tmp_path, switch=KeySwitch(line), binding=bound) as scene:
        scene.insert()
        scene.until(lambda: scene.keeper.tally.last_card not in UNTOUCHED, 8.0)
        assert scene.keeper.tally.sessions == 0
        scene.require_blank()
        line.set(True)
        scene.until_open()
        if end == "chip gone":
            line.vanish()
        elif end == "turned off":
            line.set(False)
        else:
            line.set(False)
            line.set(True)
        scene.until_blank()
        assert scene.keeper.tally.last_reason == Reason.LINE_LOW
        scene.keeper.step(Switched(False))
        scene.slots[0].remove()
        line.set(True)
        scene.spend(0.8)
        assert not scene.open


def test_without_room_for_certificates_the_medium_is_blank_all_the_same(
    tmp_path: Path,
) -> None:
    with Scene(tmp_path) as scene:
        scene.insert()
        scene.until_open()
        folder = scene.bench.home / "certificates"

        def full(*_: object) -> Path:
            raise ConfigError(f"cannot write {folder}: No space left on device")

        scene.bench.chain.append = full  # type: ignore[method-assign]
        with pytest.raises(ConfigError, match="No space left"):
            scene.keeper.step(Lost(Reason.REMOVED))
        assert scene.bench.vault.session is None
        assert not scene.bench.vault.verified_blank  # it may not open any more
        assert read_all(scene.bench.medium, b"")[1]


def fido(scene_home: Path) -> tuple[VirtualKey, FidoToken]:
    key, office = VirtualKey(), Office(LOJA.ca, LOJA.key)
    grant = LOJA.grant(not_before=time.time() - 60)
    keys = scene_home / "keys"
    keys.mkdir()
    enrol_key(office, grant, keys / "ana.pem", lambda _: None, key.plug)
    return key, FidoToken(read_enrolled(keys), key.plug)


def pull_key(key: VirtualKey) -> None:
    key.present = False


def mute_key(key: VirtualKey) -> None:
    key.trouble = lambda _: b"\0\xa0"


@pytest.mark.parametrize("go_wrong", [pull_key, mute_key], ids=["pulled", "nonsense"])
def test_a_fido2_key_opens_after_a_touch_and_ends_blank(
    tmp_path: Path, go_wrong: Callable[[VirtualKey], None]
) -> None:
    key, token = fido(tmp_path)
    with Scene(tmp_path, token=token) as scene:
        scene.until_open()
        scene.spend(2.0)
        assert scene.open
        go_wrong(key)
        scene.until_blank()


def test_a_fido2_key_that_nobody_touches_never_opens(tmp_path: Path) -> None:
    key, token = fido(tmp_path)
    key.touched = False
    with Scene(tmp_path, token=token) as scene:
        scene.until(lambda: scene.keeper.tally.last_card not in UNTOUCHED, 8.0)
        assert scene.keeper.tally.sessions == 0
        scene.require_blank()


# As processes: what a signal or the kernel does at each state.

STATES = ["blank", "challenging", "open", "sealing"]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_at_any_state_ends_blank(
    tmp_path_factory: pytest.TempPathFactory, state: str, number: int
) -> None:
    with VaultProcess(tmp_path_factory.mktemp("v"), "medium") as site:
        site.start()
        if state == "challenging":
            site.stage.card.trouble = slow(1.0)
            site.stage.insert()
            site.until(lambda: site.status()["state"] == "challenging")
        elif state != "blank":
            site.stage.insert()
            site.until_open()
        if state == "sealing":
            site.fill(2)
        assert site.stop(number) == (0 if number == signal.SIGTERM else -number)
        assert site.offer() == 0
        site.stage.pull()
        if number == signal.SIGTERM:
            assert blank_on_disk(site)
        site.start()
        assert blank_on_disk(site)
        assert (site.status()["state"], site.status()["sealed"]) == ("blank", 0)
        assert site.stop() == 0
        reasons = site.reasons()  # the chain is verified on the way
        died = number == signal.SIGKILL and state in ("open", "sealing")
        assert (reasons[0], reasons[-1]) == ("start", "shutdown")
        assert ("died" in reasons) == died


def blank_on_disk(site: VaultProcess) -> bool:
    return not any((site.config.vault_folder / "medium").read_bytes())


def test_too_little_memory_ends_blank(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No more memory for it while it is open; then the kernel kills it."""
    with VaultProcess(tmp_path_factory.mktemp("v"), "medium") as site:
        site.start()
        site.stage.insert()
        site.until_open()
        site.fill(1)
        resource.prlimit(site.pid, resource.RLIMIT_AS, (1 << 20, 1 << 20))
        for _ in range(20):
            site.offer()
        site.stage.pull()
        ends = time.monotonic() + 5
        while site.status()["state"] == "open":
            assert time.monotonic() < ends
        site.stop(signal.SIGKILL)
        site.start()
        assert blank_on_disk(site)
        site.stop()


def test_there_are_at_least_thirty_faults() -> None:
    assert len(BAD_CARDS) + len(FAULTS) + 2 * len(STATES) >= 30
