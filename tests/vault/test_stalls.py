"""A medium that stalls, as an SD card does, keeps no key alive."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cards import BINDING
from limits import wait_until
from scripted import Room
from vaults import Bench

from doorsill.consent.challenge import Answer, Challenge
from doorsill.consent.events import Switched
from doorsill.consent.gate import ANSWER_MAX_AGE_S
from doorsill.consent.reasons import Reason
from doorsill.errors import UntrustedError
from doorsill.vault import keeper as keepers
from doorsill.vault import vault as vaults
from doorsill.vault.keeper import CHECK_EVERY_S
from doorsill.vault.sealing import DataKey, new_key_id
from doorsill.vault.token_threads import Attendant

STALL_S = 3.0
SOON_S = 0.100  # what the product promises after a pull
SLACK_S = 0.100  # for the threads of a busy machine
WITHIN_S = 20.0


class Stall:
    """Holds up one call of the medium, for three seconds or until it is let go."""

    def __init__(self, room: Room, method: str) -> None:
        self.begun, self.released = threading.Event(), threading.Event()
        inner = getattr(room.medium, method)

        def stalling(*arguments: object) -> object:
            if not self.begun.is_set():
                self.begun.set()
                self.released.wait(STALL_S)
            return inner(*arguments)

        setattr(room.medium, method, stalling)


@contextmanager
def at_work(room: Room, offering: bool = True) -> Iterator[None]:
    """The keeper's thread, as the service runs it, and vision beside it."""
    ended = threading.Event()

    def turn() -> None:
        while not ended.is_set():
            room.keeper.turn()
            ended.wait(0.002)

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(WITHIN_S)
        assert not thread.is_alive()


def opened(room: Room) -> DataKey:
    room.token.insert()
    wait_until(lambda: room.vault.session is not None)
    session = room.vault.session
    assert session is not None
    return session.key


def stalled(room: Room, method: str) -> Stall:
    """The keeper's thread is inside the medium now."""
    stall = Stall(room, method)
    wait_until(stall.begun.is_set, between=room.offer)
    return stall


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("method", ["append", "read_back"])
@pytest.mark.alone
def test_the_key_is_destroyed_100_ms_after_the_pull_while_the_medium_stalls(
    room: Room, unit_priority: None, method: str
) -> None:
    with at_work(room):
        key = opened(room)
        begun = time.monotonic()
        stall = stalled(room, method)
        assert key.destroyed_at is None
        pulled = room.token.pull()
        wait_until(lambda: key.destroyed_at is not None)
        assert key.destroyed_at is not None and key._cipher is None
        assert key.destroyed_at - pulled <= SOON_S
        assert not stall.released.is_set() and room.vault.session is not None
        wait_until(lambda: room.vault.verified_blank)
        assert time.monotonic() - begun >= STALL_S  # it stalled to the end
    assert room.bench.verified()[-1].body["reason"] == Reason.REMOVED
    assert room.keeper.tally.shut_after_us[-1] <= SOON_S * 1e6


@pytest.mark.alone
def test_the_thread_that_decides_alone_would_be_late(
    room: Room, unit_priority: None
) -> None:
    """The control: as it was, the key waited for the disk."""
    room.attendant.sever = lambda _: None
    room.keeper._deadman.close()
    with at_work(room):
        key = opened(room)
        stall = stalled(room, "append")
        pulled = room.token.pull()
        threading.Timer(1.0, stall.released.set).start()
        wait_until(lambda: key.destroyed_at is not None)
        assert key.destroyed_at is not None
        assert key.destroyed_at - pulled > 0.9


@pytest.mark.alone
def test_vision_is_told_at_once_while_the_medium_stalls(room: Room) -> None:
    with at_work(room):
        opened(room)
        stall = stalled(room, "append")
        room.vision._listen()
        assert room.vision.open
        pulled = room.token.pull()
        wait_until(lambda: not room.vision.open, between=room.vision._listen)
        assert time.monotonic() - pulled < ANSWER_MAX_AGE_S / 2
        stall.released.set()


@pytest.mark.alone
def test_a_card_that_falls_silent_while_the_medium_stalls_ends_in_time(
    room: Room, unit_priority: None
) -> None:
    """Nobody hears anything: the deadman has the time of the last good answer."""
    silent = threading.Event()

    def answer(challenge: Challenge) -> Answer:
        if silent.is_set():
            threading.Event().wait(WITHIN_S)
        return room.card.answer(challenge)

    room.token.answer = answer
    with at_work(room):
        key = opened(room)
        stall = stalled(room, "append")
        silent.set()
        fresh = room.keeper.gate.fresh
        wait_until(lambda: key.destroyed_at is not None)
        assert key.destroyed_at is not None
        assert key.destroyed_at - fresh <= ANSWER_MAX_AGE_S + SLACK_S
        assert not stall.released.is_set()
        stall.released.set()
        wait_until(lambda: room.vault.verified_blank)
    assert room.bench.verified()[-1].body["reason"] == Reason.MISSED_BEAT


@pytest.mark.alone
def test_the_key_switch_that_is_turned_off_does_not_wait_for_the_disk(
    room: Room, unit_priority: None
) -> None:
    room.keeper.gate = replace(
        room.keeper.gate, binding=replace(BINDING, needs_line=True), switch=True
    )
    with at_work(room):
        key = opened(room)
        stall = stalled(room, "append")
        turned = time.monotonic()
        room.attendant._tell(Switched(on=False))
        assert key.destroyed_at is not None
        assert key.destroyed_at - turned <= SOON_S
        stall.released.set()
        wait_until(lambda: room.vault.verified_blank)
    assert room.bench.verified()[-1].body["reason"] == Reason.LINE_LOW


def test_a_pull_while_the_hourly_look_stalls_is_a_pull_and_no_fault(room: Room) -> None:
    with at_work(room):
        key = opened(room)
        wait_until(
            lambda: room.vault.session and room.vault.session.records,
            between=room.offer,
        )
        stall = Stall(room, "read_back")
        room.keeper._check_at = room.keeper._now
        wait_until(stall.begun.is_set)
        room.token.pull()
        wait_until(lambda: key.destroyed_at is not None)
        stall.released.set()
        wait_until(lambda: room.vault.verified_blank)
    assert room.bench.verified()[-1].body["reason"] == Reason.REMOVED
    assert CHECK_EVERY_S > STALL_S


def test_a_marker_that_stalls_on_the_disk_holds_up_no_key(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is made last, so that there is none while the marker is written."""
    order: list[str] = []
    write = vaults.marker.write
    monkeypatch.setattr(
        vaults.marker, "write", lambda *a: (order.append("marker"), write(*a))
    )

    class Noted(DataKey):
        def __init__(self, key_id: str) -> None:
            order.append("key")
            super().__init__(key_id)

    monkeypatch.setattr(vaults, "DataKey", Noted)
    with at_work(room):
        opened(room)
    assert order == ["marker", "key"]


def test_a_card_that_goes_while_the_key_is_made_seals_nothing(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There was no key yet to destroy: the event is seen before the first crop."""
    make, lease = vaults.DataKey, room.keeper.vision.lease

    def late(key_id: str) -> DataKey:
        room.token.pull()
        wait_until(lambda: room.attendant._events)
        return make(key_id)

    def leased(ends: float) -> None:
        lease(ends)
        if ends:
            assert room.offer()  # a crop waits in the very turn that opens

    monkeypatch.setattr(vaults, "DataKey", late)
    room.keeper.vision.lease = leased  # type: ignore[method-assign]
    appended: list[bytes] = []
    append = room.medium.append
    room.medium.append = lambda r: (appended.append(r), append(r))[1]  # type: ignore[method-assign]
    room.token.insert()
    room.until(lambda: room.bench.chain.counter == 2)
    assert appended == []
    assert room.bench.verified()[-1].body["reason"] == Reason.REMOVED


@pytest.mark.alone
def test_destroy_waits_for_no_more_than_one_crop_and_seal_then_refuses() -> None:
    """Two threads at one key: never half a cipher, never a key that comes back."""
    for _ in range(50):
        key, refused = DataKey(new_key_id()), threading.Event()
        plain = bytes(200_000)

        def seal(key: DataKey = key, refused: threading.Event = refused) -> None:
            try:
                while True:
                    assert len(key.seal(plain, b"x")) == len(plain) + 28  # noqa: B023
            except UntrustedError:
                refused.set()

        thread = threading.Thread(target=seal)
        thread.start()
        begun = time.monotonic()
        key.destroy()
        key.destroy()
        assert key.destroyed_at is not None and key.destroyed_at - begun < SOON_S
        thread.join(WITHIN_S)
        assert refused.is_set()


def test_the_attendant_tells_first_and_then_severs(tmp_path: Path) -> None:
    """So a key that is made in between finds the event before it seals."""
    bench, room = Bench(tmp_path / "b"), Room(tmp_path / "r")
    seen: list[int] = []
    attendant = Attendant(room.token, room.judge)
    attendant.sever = lambda _: seen.append(len(attendant._events))
    attendant._tell(keepers.Lost(Reason.REMOVED))
    attendant._tell(Switched(on=True))
    attendant._tell(Switched(on=False))
    assert seen == [1, 3]
    assert bench.vault.session is None
    room.close()
