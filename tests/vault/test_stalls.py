"""A medium that stalls, as an SD card does, keeps no key alive."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from cards import BINDING
from limits import wait_until
from scripted import CONTROLLER, Room, ScriptedSwitch, ScriptedToken

from doorsill.consent.challenge import Answer, Challenge
from doorsill.consent.events import Event, Lost, Switched
from doorsill.consent.gate import ANSWER_MAX_AGE_S
from doorsill.consent.reasons import Reason
from doorsill.errors import UntrustedError
from doorsill.process.deadman import Deadman
from doorsill.vault import sealing
from doorsill.vault import vault as vaults
from doorsill.vault.keeper import CHECK_EVERY_S
from doorsill.vault.sealing import DataKey, new_key_id
from doorsill.vault.token_threads import Attendant

STALL_S = 2.0  # longer than an answer of the card counts
SOON_S = 0.100  # what the product promises after a pull
SLACK_S = 0.100  # for the threads of a busy machine
WITHIN_S = 20.0


class Stall:
    """Holds up one call of the medium, for STALL_S or until it is let go."""

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
        assert key.destroyed_at is not None
        with pytest.raises(UntrustedError, match="destroyed"):
            key.seal(b"x", b"")
        assert key.destroyed_at - pulled <= SOON_S
        assert not stall.released.is_set() and room.vault.session is not None
        wait_until(lambda: room.vault.verified_blank)
        assert time.monotonic() - begun >= STALL_S  # it stalled to the end
    assert room.bench.verified()[-1].body["reason"] == Reason.REMOVED
    assert room.keeper.tally.shut_after_us[-1] <= SOON_S * 1e6


@pytest.mark.alone
def test_the_thread_that_decides_alone_would_be_late(
    room: Room, unit_priority: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: as it was, the key waited for the disk."""
    room.attendant.sever = lambda _: None
    monkeypatch.setattr(Deadman, "set", lambda deadman, due: None)
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
        room.look()
        assert room.vision.open
        pulled = room.token.pull()
        wait_until(lambda: not room.vision.open, between=room.look)
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
    tmp_path: Path, unit_priority: None
) -> None:
    switch = ScriptedSwitch()
    room = Room(tmp_path, switch=switch)
    room.keeper.gate = replace(
        room.keeper.gate, binding=replace(BINDING, needs_line=True)
    )
    switch.turn(on=True)
    with at_work(room):
        key = opened(room)
        stall = stalled(room, "append")
        turned = time.monotonic()
        switch.turn(on=False)
        wait_until(lambda: key.destroyed_at is not None)
        assert key.destroyed_at is not None
        assert key.destroyed_at - turned <= SOON_S
        stall.released.set()
        wait_until(lambda: room.vault.verified_blank)
    assert room.bench.verified()[-1].body["reason"] == Reason.LINE_LOW
    room.close()


def test_a_pull_while_the_hourly_look_stalls_is_a_pull_and_no_fault(room: Room) -> None:
    room.offset += CHECK_EVERY_S - 30.0
    room.open()
    while room.monotonic() < room.began + CHECK_EVERY_S - 3.0:
        room.beat()
    stall, session = Stall(room, "read_back"), room.vault.session
    assert session is not None
    key = session.key
    with at_work(room):
        wait_until(stall.begun.is_set)
        room.token.pull()
        wait_until(lambda: key.destroyed_at is not None)
        stall.released.set()
        wait_until(lambda: room.vault.verified_blank)
    assert room.bench.verified()[-1].body["reason"] == Reason.REMOVED
    assert CHECK_EVERY_S > STALL_S > ANSWER_MAX_AGE_S + SLACK_S


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
        wait_until(room.told)
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


class Greedy:
    """A lock that the thread which seals gets before the one that destroys."""

    def __init__(self) -> None:
        self._lock, self._owner = threading.Lock(), threading.current_thread()
        self.asked, self.refused = threading.Event(), threading.Event()

    def __enter__(self) -> None:
        if threading.current_thread() is self._owner:
            self.asked.set()
            assert self.refused.wait(WITHIN_S), "sealed, though the key was to go"
        assert self._lock.acquire(timeout=WITHIN_S)

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_no_seal_begins_once_the_key_is_to_be_destroyed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever has the lock then destroys it: a flood of crops puts nothing off."""
    greedy = Greedy()
    monkeypatch.setattr(sealing, "threading", SimpleNamespace(Lock=lambda: greedy))
    key = DataKey(new_key_id())
    destroyed: list[float | None] = []

    def seal() -> None:
        assert greedy.asked.wait(WITHIN_S)
        with pytest.raises(UntrustedError, match="destroyed"):
            key.seal(b"x", b"x")
        destroyed.append(key.destroyed_at)
        greedy.refused.set()

    thread = threading.Thread(target=seal)
    thread.start()
    key.destroy()
    thread.join(WITHIN_S)
    assert destroyed == [key.destroyed_at] != [None]


def test_the_attendant_tells_first_and_then_severs() -> None:
    """So a key that is made in between finds the event before it seals."""
    token, switch = ScriptedToken(CONTROLLER.card()), ScriptedSwitch()
    seen: list[list[Event]] = []
    attendant = Attendant(token, lambda *_: pytest.fail("no card"), switch)
    attendant.sever = lambda _: seen.append(attendant.take())
    attendant.start()
    token.pull()
    wait_until(lambda: len(seen) == 1)
    switch.turn(on=True)
    switch.turn(on=False)
    wait_until(lambda: len(seen) == 2)
    assert seen == [[Lost(Reason.REMOVED)], [Switched(on=True), Switched(on=False)]]
    attendant.close()
