"""Without a lease no face is cropped, copied or even looked at."""

import fcntl
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from children import first_line, started
from hypothesis import given
from hypothesis import strategies as st
from limits import END_S
from vaults import open_handles

from doorsill.channels import crop_sender
from doorsill.channels.crop_sender import GAP_S, HEADS_MOST, Handover
from doorsill.channels.crops import (
    CROP,
    CROP_TAG,
    LEASE,
    LEASE_MOST_S,
    LEASE_TAG,
    SEALS,
    CropSource,
)
from doorsill.errors import ConfigError, UntrustedError
from doorsill.values import Boxes, Frame, Pixels

HEADS = np.array([[0.25, 0.25, 0.5, 0.5], [0.6, 0.1, 0.7, 0.3]], np.float32)


class Hand:
    """Both ends, and a clock that we turn."""

    def __init__(self, folder: Path) -> None:
        self.now = 100.0
        self.path = folder / "faces.sock"
        self.vision = Handover(self.path, lambda: self.now)
        self.vault = CropSource(self.path)

    def offer(self, heads: Boxes = HEADS) -> int:
        return self.vision.offer(Frame(pixels(), self.now), heads, self.now)

    def close(self) -> None:
        self.vision.close()
        self.vault.close()


@pytest.fixture
def hand(tmp_path: Path) -> Iterator[Hand]:
    made = Hand(tmp_path)
    yield made
    made.close()


def pixels() -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)


class Untouchable:
    """Stands where the pixels are; a look at it fails the test."""

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(f"the pixels were looked at: {name}")


def test_without_a_lease_the_pixels_are_not_even_looked_at(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> int:
        raise AssertionError("memory for a crop was made")

    monkeypatch.setattr(os, "memfd_create", forbidden)
    frame = Frame(Untouchable(), hand.now)  # type: ignore[arg-type]
    for _ in range(50):
        assert hand.vision.offer(frame, HEADS, hand.now) == 0
        hand.now += 0.08
    assert hand.vault.receive() is None
    hand.vault.lease(hand.now + 1.0)  # the control: with a lease it trips
    with pytest.raises(AssertionError, match="looked at"):
        hand.vision.offer(frame, HEADS, hand.now)


def test_with_a_lease_the_crops_are_the_heads(hand: Hand) -> None:
    hand.vault.lease(hand.now + 1.0)
    assert hand.offer() == 2
    crop = hand.vault.receive()
    assert crop is not None
    # 0.25..0.5 of 160 x 120 with a margin of 0.2 of the box on each side
    assert (crop.width, crop.height) == (88 - 32, 66 - 24)
    with crop.map() as found:
        assert found[:] == pixels()[24:66, 32:88].tobytes()
    crop.close()


def test_a_crop_is_sealed_and_nobody_can_change_it(hand: Hand) -> None:
    hand.vault.lease(hand.now + 1.0)
    hand.offer()
    crop = hand.vault.receive()
    assert crop is not None
    assert fcntl.fcntl(crop.handle, fcntl.F_GET_SEALS) & SEALS == SEALS
    for act in (
        lambda: os.pwrite(crop.handle, b"x", 0),
        lambda: os.ftruncate(crop.handle, 0),
    ):
        with pytest.raises(PermissionError):
            act()
    assert "pixels withheld" in repr(crop)
    with pytest.raises(TypeError):
        crop.__reduce__()
    crop.close()
    crop.close()


def test_a_lease_ends_by_itself(hand: Hand) -> None:
    hand.vault.lease(hand.now + 1.5)
    hand.now += 1.4
    assert hand.offer() == 2
    hand.now += 0.2
    assert hand.offer() == 0 and not hand.vision.open


def test_a_lease_is_taken_back_at_once(hand: Hand) -> None:
    hand.vault.lease(hand.now + 1.5)
    assert hand.offer() == 2
    hand.vault.lease(0.0)
    hand.now += 1.0
    assert hand.offer() == 0


def test_a_vault_that_dies_takes_its_lease_with_it(hand: Hand) -> None:
    hand.vault.lease(hand.now + 1.5)
    assert hand.offer() == 2
    hand.vault.close()
    hand.now += 0.5
    assert hand.offer() == 0


def test_a_new_vault_starts_without_a_lease(hand: Hand) -> None:
    hand.vault.lease(hand.now + 1.5)
    assert hand.offer() == 2
    second = CropSource(hand.path)
    hand.now += 0.5
    assert hand.offer() == 0
    second.lease(hand.now + 1.0)
    assert hand.offer() == 2
    second.close()


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(LEASE.pack(LEASE_TAG, 1e12), id="a lease for ever"),
        pytest.param(LEASE.pack(LEASE_TAG, float("inf")), id="a lease without end"),
        pytest.param(LEASE.pack(LEASE_TAG, float("nan")), id="a lease until nan"),
        pytest.param(LEASE.pack(b"LSE9", 101.0), id="another version"),
        pytest.param(b"open!", id="too short"),
        pytest.param(bytes(4096), id="too long"),
    ],
)
def test_a_wrong_lease_is_no_lease(hand: Hand, message: bytes) -> None:
    assert hand.offer() == 0  # our usual vault is taken; this one takes its place
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as vault:
        vault.connect(str(hand.path))
        vault.send(LEASE.pack(LEASE_TAG, hand.now + 1.0))  # the control
        assert hand.offer() == 2
        hand.now += GAP_S + 0.1
        vault.send(message)
        assert hand.offer() == 0


STRANGER = """\
import os, socket, sys
os.setuid(12345)
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
    line.connect(sys.argv[1])
    print("connected", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's process needs root")
def test_a_stranger_at_the_door_does_not_end_a_lease() -> None:
    """A real process of another user connects while the vault holds its lease."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        hand = Hand(Path(folder))
        hand.path.chmod(0o666)
        hand.vault.lease(hand.now + 1.0)
        assert hand.offer() == 2
        command = [sys.executable, "-c", STRANGER, str(hand.path)]
        with started(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as stranger:
            assert first_line(stranger) == b"connected\n"
            hand.now += GAP_S + 0.1
            assert hand.offer() == 2 and hand.vision.open
            stranger.communicate(timeout=END_S)
        hand.close()


def test_a_new_vault_takes_the_place_of_the_old_one(hand: Hand) -> None:
    hand.vault.lease(hand.now + 1.0)
    assert hand.offer() == 2
    newer = CropSource(hand.path)
    assert hand.offer() == 0 and not hand.vision.open
    newer.lease(hand.now + 1.0)
    hand.now += GAP_S + 0.1
    assert hand.offer() == 2
    newer.close()


def test_a_lease_is_never_longer_than_two_seconds(hand: Hand) -> None:
    """A vault that hangs, or was taken over, is forgotten that soon."""
    assert LEASE_MOST_S == 2.0
    hand.vault.lease(hand.now + 2.0)
    assert hand.offer() == 2
    hand.now += 2.0
    assert hand.offer() == 0
    hand.vault.lease(hand.now + 2.01)
    assert hand.offer() == 0 and not hand.vision.open


def test_another_users_process_is_not_the_vault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crop_sender, "vault_users", lambda: frozenset({12345}))
    hand = Hand(tmp_path)
    hand.vault.lease(hand.now + 1.0)
    assert hand.offer() == 0
    hand.close()


@pytest.mark.parametrize(
    "head",
    [
        (0.5, 0.5, 0.5, 0.5),
        (0.5, 0.5, 0.52, 0.52),
        (0.9, 0.9, 0.1, 0.1),
        (float("nan"), 0.1, 0.5, 0.5),
        (-3.0, -3.0, -2.0, -2.0),
        (2.0, 2.0, 3.0, 3.0),
    ],
)
def test_a_head_that_is_none_is_left_out(
    hand: Hand, head: tuple[float, float, float, float]
) -> None:
    hand.vault.lease(hand.now + 1.0)
    assert hand.offer(np.array([head], np.float32)) == 0


@given(
    st.lists(st.floats(width=32) | st.floats(-2, 3, width=32), min_size=4, max_size=4)
)
def test_any_box_gives_a_crop_inside_the_frame_or_none(box: list[float]) -> None:
    found = crop_sender.cut_head(pixels(), np.array(box, np.float32))
    assert found is None or (8 <= found.shape[0] <= 120 and 8 <= found.shape[1] <= 160)


def test_at_most_a_few_heads_of_a_few_frames_are_taken(hand: Hand) -> None:
    many = np.repeat(HEADS, 10, axis=0)
    hand.vault.lease(hand.now + 1.9)
    taken = []
    for _ in range(10):
        taken.append(hand.offer(many))
        hand.now += GAP_S / 4
    assert sum(taken) <= HEADS_MOST * 3 and max(taken) == HEADS_MOST


def test_a_busy_vault_loses_crops_and_never_stalls_the_camera(hand: Hand) -> None:
    hand.offer()  # connects
    before = open_handles()
    taken = []
    for _ in range(2000):
        hand.vault.lease(hand.now + 1.0)
        taken.append(hand.offer())
        hand.now += GAP_S + 0.01
    assert taken[0] == 2 and taken[-1] == 0
    assert open_handles() == before


FORGED = [
    ("not sealed", 30 * 30 * 3, False, (30, 30), "not sealed"),
    ("too short", 30 * 30 * 3 - 1, True, (30, 30), "2699 bytes for a crop of 2700"),
    ("too long", 30 * 30 * 3 + 1, True, (30, 30), "2701 bytes for a crop of 2700"),
    ("too large", 30 * 30 * 3, True, (513, 30), "the limit is 512"),
    ("too small", 30 * 30 * 3, True, (7, 30), "crop of 7x30"),
]


@pytest.mark.parametrize(
    ("size", "sealed", "shape", "message"),
    [f[1:] for f in FORGED],
    ids=[f[0] for f in FORGED],
)
def test_the_vault_takes_nothing_but_a_sealed_crop(
    tmp_path: Path, size: int, sealed: bool, shape: tuple[int, int], message: str
) -> None:
    vision, vault = raw_pair(tmp_path)
    handle = os.memfd_create("x", os.MFD_ALLOW_SEALING)
    os.ftruncate(handle, size)
    if sealed:
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, SEALS)
    before = open_handles()
    socket.send_fds(vision, [CROP.pack(CROP_TAG, *shape, 1.0)], [handle])
    with pytest.raises(UntrustedError, match=message):
        vault.receive()
    assert open_handles() == before
    os.close(handle)
    vision.close()
    vault.close()


@pytest.mark.parametrize(
    ("message", "handles", "said"),
    [
        (b"hello", 0, "5 bytes and 0 handles: not a crop"),
        (CROP.pack(CROP_TAG, 30, 30, 1.0), 0, "0 handles"),
        (CROP.pack(CROP_TAG, 30, 30, 1.0), 2, "2 handles"),
        (CROP.pack(b"CRP9", 30, 30, 1.0), 1, "another version"),
    ],
)
def test_the_vault_refuses_any_other_message(
    tmp_path: Path, message: bytes, handles: int, said: str
) -> None:
    vision, vault = raw_pair(tmp_path)
    before = open_handles()
    with Path("/dev/null").open("rb") as null:
        socket.send_fds(vision, [message], [null.fileno()] * handles)
        with pytest.raises(UntrustedError, match=said):
            vault.receive()
    assert open_handles() == before
    vision.close()
    with pytest.raises(UntrustedError, match="vision went away"):
        vault.receive()
    vault.close()


def raw_pair(folder: Path) -> tuple[socket.socket, CropSource]:
    """A vision that we play ourselves, and the vault's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(folder / "s"))
        listener.listen(1)
        listener.settimeout(END_S)
        vault = CropSource(folder / "s")
        return listener.accept()[0], vault


def test_vision_that_does_not_listen_is_said(tmp_path: Path) -> None:
    with pytest.raises(UntrustedError, match="vision does not listen"):
        CropSource(tmp_path / "none.sock")
    with pytest.raises(ConfigError, match="cannot listen"):
        Handover(tmp_path / "no" / "folder.sock")


def test_a_vision_that_hangs_does_not_hold_the_vault_up(tmp_path: Path) -> None:
    """It is stopped, and its queue of connections is full: the vault must go on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(0)
        before = CropSource(tmp_path / "s")
        with pytest.raises(UntrustedError, match="vision does not listen"):
            CropSource(tmp_path / "s")
        before.close()
