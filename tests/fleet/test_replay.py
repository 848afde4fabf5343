"""The case in miniature, and a judge who sees what is not so."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from limits import END_S, LONG_S, wait_until
from messages import LINE
from places import ROOT
from replay import chain
from replay.camera import Camera, cells
from replay.judge import Part, compare, judge
from replay.plan import Door, days, doors, minutes, opening, visitors

from doorsill.cells import LineCell, LooksCell, Quality
from doorsill.channels.cell_link import Received
from doorsill.privacy.floors import K_FLOOR
from doorsill.wire.codec import encode
from doorsill.wire.messages import LineInterval
from doorsill_fleet.store.windows import Store

# Its imports, and the end of its processes, come before and after on a busy machine.
WITHIN = LONG_S - 4 * END_S
PART = Part(doors(1), days(1))
NOW = PART.until
Change = Callable[[list[LineInterval]], None]


def planned(door: Door) -> list[LineInterval]:
    """The messages of the door's first day, as its camera would send them."""
    day, found = PART.days[0], []
    total_in = total_out = 0
    counted = minutes(door.number, day, visitors()[door.number, day])
    for minute, (came, left) in enumerate(counted):
        start = opening(day) + 60 * minute
        total_in, total_out = total_in + came, total_out + left
        found.append(
            replace(
                LINE,
                start=start,
                end=start + 60,
                count_in=came,
                count_out=left,
                total_in=total_in,
                total_out=total_out,
            )
        )
    return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "store.db", now=lambda: NOW)
    yield made
    made.close()


def keep(store: Store, messages: list[LineInterval]) -> None:
    door = PART.doors[0]
    topic = f"doorsill/{door.site}/{door.device}/interval"
    store.keep([(topic, encode(each)) for each in messages])


def test_what_was_planned_is_whole(store: Store) -> None:
    keep(store, planned(PART.doors[0]))
    sums = compare(store.engine, PART)
    assert (sums.windows, sums.came, sums.left) == (600, PART.people, PART.people)
    assert [
        each.what for each in judge(store.engine, PART, sums, 1) if not each.holds
    ] == []


def lose(messages: list[LineInterval]) -> None:
    messages.pop(300)


def double(messages: list[LineInterval]) -> None:
    messages.append(replace(messages[7], epoch=1))


def miscount(messages: list[LineInterval]) -> None:
    messages[9] = replace(messages[9], count_in=messages[9].count_in + 1)


def invent(messages: list[LineInterval]) -> None:
    night = messages[0].start - 3600
    messages.append(replace(messages[0], start=night, end=night + 60, epoch=1))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        pytest.param(lose, "lost", id="a window is lost"),
        pytest.param(double, "doubled", id="a window counts twice"),
        pytest.param(miscount, "wrong", id="a window has another count"),
        pytest.param(invent, "invented", id="a window that nobody made"),
    ],
)
def test_negative_control_the_judge_sees_it(
    store: Store, change: Change, word: str
) -> None:
    messages = planned(PART.doors[0])
    change(messages)
    keep(store, messages)
    sums = compare(store.engine, PART)
    assert getattr(sums, word) == 1
    verdicts = {each.what: each.holds for each in judge(store.engine, PART, sums, 1)}
    assert not verdicts["windows"]


def test_cells_have_the_same_numbers_each_time() -> None:
    door, people = doors(1)[0], visitors()
    daily = {day: people[door.number, day] for day in days(7)}
    first, second = (list(cells(door, daily, looks=True)) for _ in range(2))
    assert first == second
    numbers = [each.sequence for _, given in first for each in given]
    assert numbers == list(range(1, len(numbers) + 1))
    every = [each.cell for _, given in first for each in given]
    lines = [each for each in every if isinstance(each, LineCell)]
    looks = [each for each in every if isinstance(each, LooksCell)]
    assert sum(each.count_in for each in lines) == sum(daily.values())
    assert looks and all(sum(each.ages) >= K_FLOOR for each in looks)


def test_what_a_power_cut_left_goes_out_although_no_day_is_new(tmp_path: Path) -> None:
    """As a shop that is killed after its last day is taken in, before it is sent."""
    door, day = doors(1)[0], days(1)[0]
    given = [LineCell(0, opening(day), 60, True, 1, 1, 60_000, Quality.GOOD)]
    received = [Received(1, number, each) for number, each in enumerate(given, 1)]
    world = chain.found(tmp_path)
    chain.open_shops(world, 1)
    with world.serving():
        voucher = chain.add(world, [door])[door.site, door.device]
        chain.enrol(world, voucher, tmp_path / "camera")
    killed = Camera(tmp_path / "camera", opening(day))
    assert killed.take(day, received)
    killed.uplink.delivery.outbox.close()
    again = Camera(tmp_path / "camera", opening(day))
    broker = chain.broker_of(world)
    broker.start()
    try:
        again.start()
        assert not again.take(day, received) and again.uplink.delivery.outbox.due(1)
        wait_until(again.send, "all is at the broker")
    finally:
        again.stop()
        broker.stop()
        world.register.dispose()


def relive(*words: str) -> subprocess.CompletedProcess[str]:
    """One day of three cameras, whose program says where it stands at the limit."""
    of = ["--days", "1", "--cameras", "3", "--no-film", *words]
    try:
        return subprocess.run(
            [sys.executable, "-m", "tests.replay", *of],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LONG_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:  # what it said is in no message of it
        said = (error.stdout or b"").decode() + (error.stderr or b"").decode()
        raise AssertionError(f"not within {LONG_S:g} s: {said}") from None


@pytest.mark.timeout(300)  # a dozen programs start one after the other
def test_three_cameras_relive_a_day(tmp_path: Path) -> None:
    """Enrolled, replayed, killed, stolen, judged: through the real broker and store."""
    own = tmp_path / "it"
    done = relive("--folder", str(own), "--within", str(WITHIN))
    assert done.returncode == 0, done.stdout + done.stderr
    for word in (
        "1,800 of 1,800: 0 lost, 0 doubled",
        "0 places with a canary face",
        "the control was found in broker",
        "is revoked",
    ):
        assert word in " ".join(done.stdout.split()), done.stdout
    assert not own.exists()


def test_one_that_is_not_done_says_where_it_stands(tmp_path: Path) -> None:
    """And what it has goes on: the folder stays, and no process of it does."""
    own = tmp_path / "it"
    done = relive("--folder", str(own), "--within", "0.5")
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert "not within 0.5 s. It stands at:" in said
    assert 'File "' in done.stderr  # where in the program
    assert own.exists()
    wait_until(lambda: str(own) not in running(), running)


def running() -> str:
    """The words of all processes."""
    said = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            said.append(each.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return "\n".join(said)
