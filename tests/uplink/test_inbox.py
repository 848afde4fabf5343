"""What came by air lies in one file, whole, until the policy process has answered."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from children import DIES_AT
from limits import END_S, PROGRAM_S

from doorsill.errors import UplinkError
from doorsill.policy.verdict import IN_FORCE, Verdict, digest_of
from doorsill.uplink.inbox import ASK_AGAIN_MOST_S, ASK_AGAIN_S, REST_S, Inbox
from doorsill.wire.messages import POLICY_LARGEST_BYTES

T0 = 1000.0


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "policy.json", tmp_path / "verdict")


def answer(inbox: Inbox, document: bytes) -> None:
    verdict = Verdict(IN_FORCE, digest_of(document), 1)
    inbox.verdict.write_bytes(verdict.spell())


def node(inbox: Inbox) -> int:
    """Another one after each write."""
    return inbox.path.stat().st_ino


def test_the_newest_is_written_and_they_are_few(inbox: Inbox) -> None:
    inbox.take(b"one")
    inbox.step(T0)
    assert inbox.path.read_bytes() == b"one"
    for each in (b"two", b"three"):
        inbox.take(each)
        inbox.step(T0 + REST_S / 2)
    assert inbox.path.read_bytes() == b"one"
    inbox.step(T0 + REST_S)
    assert inbox.path.read_bytes() == b"three"
    assert {each.name for each in inbox.path.parent.iterdir()} == {"policy.json"}


def test_the_same_again_after_a_reconnect_writes_nothing(inbox: Inbox) -> None:
    inbox.take(b"one")
    inbox.step(T0)
    answer(inbox, b"one")
    before = node(inbox)
    for later in range(1, 200):
        inbox.take(b"one")
        inbox.step(T0 + later)
    assert node(inbox) == before


def test_one_that_comes_and_is_taken_back_before_the_disk_is_none(inbox: Inbox) -> None:
    inbox.take(b"one")
    inbox.step(T0)
    inbox.take(b"two")
    inbox.take(b"one")
    inbox.step(T0 + REST_S)
    assert inbox.path.read_bytes() == b"one"


def test_without_an_answer_it_is_written_again_and_with_one_no_more(
    inbox: Inbox,
) -> None:
    """The policy process was killed, or systemd missed the change: ask again."""
    inbox.take(b"one")
    inbox.step(T0)
    first = node(inbox)
    inbox.step(T0 + ASK_AGAIN_S - 0.1)
    assert node(inbox) == first
    inbox.step(T0 + ASK_AGAIN_S)
    second = node(inbox)
    assert second != first and inbox.path.read_bytes() == b"one"
    answer(inbox, b"another")
    inbox.step(T0 + 3 * ASK_AGAIN_S - 0.1)
    assert node(inbox) == second  # twice as long
    inbox.step(T0 + 3 * ASK_AGAIN_S)
    third = node(inbox)
    assert third != second
    answer(inbox, b"one")
    inbox.step(T0 + 7 * ASK_AGAIN_S)
    assert node(inbox) == third


def test_it_asks_less_and_less_often_where_nobody_ever_answers(inbox: Inbox) -> None:
    """A disk that is full for a day is not worn out by it."""
    inbox.take(b"one")
    inbox.step(T0)
    nodes = [node(inbox)]
    for later in range(86_400):
        inbox.step(T0 + later)
        if later % 10 == 0 and node(inbox) != nodes[-1]:
            nodes.append(node(inbox))
    assert 86_400 / ASK_AGAIN_MOST_S < len(nodes) < 200


def test_a_new_uplink_asks_for_an_answer_to_what_the_old_one_left(
    inbox: Inbox,
) -> None:
    inbox.take(b"one")
    inbox.step(T0)
    before = node(inbox)
    Inbox(inbox.path, inbox.verdict).step(T0)
    assert node(inbox) != before and inbox.path.read_bytes() == b"one"


def test_nothing_that_is_too_large_is_kept(inbox: Inbox) -> None:
    inbox.take(bytes(POLICY_LARGEST_BYTES + 1))
    inbox.step(T0)
    assert not inbox.path.exists()
    inbox.take(bytes(POLICY_LARGEST_BYTES))
    inbox.step(T0)
    assert inbox.path.stat().st_size == POLICY_LARGEST_BYTES


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(os.mkfifo, id="a pipe"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), id="a link"),
        pytest.param(lambda path: path.write_bytes(bytes(99_999)), id="a large file"),
    ],
)
def test_what_lies_in_its_place_is_replaced(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    spoil(tmp_path / "policy.json")
    spoil(tmp_path / "policy.json.new")
    inbox = Inbox(tmp_path / "policy.json", tmp_path / "verdict")
    inbox.take(b"one")
    inbox.step(T0)
    assert inbox.path.read_bytes() == b"one" and not inbox.path.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk_is_an_error_and_nothing_is_lost(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)]
    subprocess.run(command, check=True, timeout=END_S)
    try:
        inbox = Inbox(small / "policy.json", small / "verdict")
        inbox.take(b"one" * 1000)
        inbox.step(T0)
        (small / "filler").write_bytes(bytes(48 << 10))
        inbox.take(b"two" * 5000)
        with pytest.raises(UplinkError, match="No space left"):
            inbox.step(T0 + REST_S)
        assert inbox.path.read_bytes() == b"one" * 1000
        (small / "filler").unlink()
        inbox.step(T0 + 2 * REST_S)
        assert inbox.path.read_bytes() == b"two" * 5000
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True, timeout=END_S)


PROGRAM = (
    DIES_AT
    + """
from doorsill.uplink.inbox import Inbox
inbox = Inbox(folder / "policy.json", folder / "verdict")
inbox.take(b"new" * 3000)
inbox.step(0.0)
print("done")
"""
)


def test_a_kill_at_any_step_of_the_write_leaves_the_old_or_the_new(
    tmp_path: Path,
) -> None:
    old, new = b"old" * 3000, b"new" * 3000
    left = []
    for at in range(1, 20):
        (tmp_path / "policy.json").write_bytes(old)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path), str(at)],
            capture_output=True,
            timeout=PROGRAM_S,
            check=False,
        )
        left.append((tmp_path / "policy.json").read_bytes())
        assert left[-1] in (old, new)
        again = Inbox(tmp_path / "policy.json", tmp_path / "verdict")
        again.take(new)
        again.step(0.0)
        assert again.path.read_bytes() == new
        if b"done" in done.stdout:
            break
    assert set(left) == {old, new} and left[-1] == new and len(left) > 4
