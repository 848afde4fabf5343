"""An image on a card: whole and read back, or a card that does not start."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from card_images import MEGA, ROOT_AT, make_card, make_image, write_map
from limits import PROGRAM_S

from doorsill.errors import ConfigError, DoorsillError, UntrustedError
from doorsill_fleet.flash import writing
from doorsill_fleet.flash.image import Image, find_image
from doorsill_fleet.flash.writing import SPOILT_BYTES, write_image


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = make_image(tmp_path_factory.mktemp("image") / "a.img")
    write_map(image)
    packed = ["zstd", "-q", str(image), "-o", f"{image}.zst"]
    subprocess.run(packed, check=True, timeout=PROGRAM_S)
    return image


def nothing(_: int) -> None:
    """Progress that nobody sees."""


@pytest.mark.parametrize("suffix", ["", ".zst"], ids=["raw", "packed"])
def test_a_used_card_is_the_image_and_nothing_of_before(
    made: Path, tmp_path: Path, suffix: str
) -> None:
    card = make_card(tmp_path / "card")
    image, seen = find_image(Path(f"{made}{suffix}")), 0

    def progress(count: int) -> None:
        nonlocal seen
        seen += count

    write_image(image, card, progress)
    found = card.read_bytes()
    assert found[: 32 * MEGA] == made.read_bytes()  # the holes of its map as well
    assert found[33 * MEGA : 34 * MEGA] == b"old " * (MEGA // 4)
    assert seen == image.map.image_bytes + image.map.mapped_bytes


def test_an_image_without_a_map_is_written_whole(tmp_path: Path) -> None:
    image = make_image(tmp_path / "a.img")
    card = make_card(tmp_path / "card")
    write_image(find_image(image), card, nothing)
    assert card.read_bytes()[: 32 * MEGA] == image.read_bytes()


def after(count: int, error: OSError, real: Callable[..., int]) -> Callable[..., int]:
    """``real``, and ``error`` from the ``count``-th call on."""
    calls = 0

    def call(*words: object) -> int:
        nonlocal calls
        calls += 1
        if calls > count:
            raise error
        return real(*words)

    return call


GONE, BROKEN = OSError(19, "No such device"), OSError(5, "Input/output error")


@pytest.mark.parametrize(
    ("name", "count", "error", "words"),
    [
        pytest.param("pwrite", 1, GONE, "pulled, is broken or full at byte", id="gone"),
        pytest.param("pwrite", 0, OSError(28, "No space left"), "No space", id="full"),
        pytest.param("preadv", 1, GONE, "while it was read back: No such", id="later"),
        pytest.param("preadv", 0, BROKEN, "Input/output error", id="unreadable"),
        pytest.param("fsync", 0, BROKEN, "at its end: Input/output", id="never there"),
    ],
)
def test_a_card_that_vanishes_is_said_with_its_place(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    name: str, count: int, error: OSError, words: str,
) -> None:  # fmt: skip
    card = make_card(tmp_path / "card")
    monkeypatch.setattr(writing.os, name, after(count, error, getattr(os, name)))
    with pytest.raises(ConfigError, match=words):
        write_image(find_image(made), card, nothing)


def test_a_kernel_that_takes_less_at_once_gets_the_rest(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, image = make_card(tmp_path / "card"), find_image(made)
    put, get = os.pwrite, os.preadv
    monkeypatch.setattr(
        writing.os, "pwrite", lambda handle, data, at: put(handle, data[:9999], at)
    )
    monkeypatch.setattr(
        writing.os, "preadv", lambda handle, to, at: get(handle, [to[0][:7777]], at)
    )
    write_image(image, card, nothing)
    assert (
        card.read_bytes()[ROOT_AT : ROOT_AT + MEGA]
        == (made.read_bytes()[ROOT_AT : ROOT_AT + MEGA])
    )


def test_a_card_that_takes_nothing_ends_it(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing.os, "pwrite", lambda *_: 0)
    with pytest.raises(ConfigError, match="takes nothing more"):
        write_image(find_image(made), make_card(tmp_path / "card"), nothing)


def flip(card: Path) -> None:
    """One bit, in the middle of what was written."""
    with card.open("r+b") as file:
        file.seek(ROOT_AT + MEGA)
        byte = file.read(1)[0]
        file.seek(ROOT_AT + MEGA)
        file.write(bytes([byte ^ 1]))


def shrink(card: Path) -> None:
    """A card that claims more than it has."""
    os.truncate(card, ROOT_AT + MEGA)


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        pytest.param(flip, UntrustedError, "does not give back what was", id="a bit"),
        pytest.param(shrink, ConfigError, "it is not that large", id="a false size"),
    ],
)
def test_what_does_not_come_back_is_no_card(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], None], kind: type[DoorsillError], words: str,
) -> None:  # fmt: skip
    card, real = make_card(tmp_path / "card"), writing.forget

    def forget(handle: int) -> None:
        real(handle)
        spoil(card)

    monkeypatch.setattr(writing, "forget", forget)
    with pytest.raises(kind, match=words):
        write_image(find_image(made), card, nothing)
    assert card.read_bytes()[:SPOILT_BYTES] == bytes(SPOILT_BYTES)  # it does not start


def copy(made: Path, folder: Path) -> Image:
    for each in made.parent.glob("a.img*"):
        shutil.copy(each, folder / each.name)
    return find_image(folder / "a.img")


def test_an_image_that_was_truncated_while_it_is_written(
    made: Path, tmp_path: Path
) -> None:
    image, card = copy(made, tmp_path), make_card(tmp_path / "card")
    os.truncate(image.path, ROOT_AT + MEGA)
    with pytest.raises(ConfigError, match=r"a\.img is truncated: it ends at byte"):
        write_image(image, card, nothing)
    assert not any(card.read_bytes()[:SPOILT_BYTES])


def test_a_packed_image_that_was_truncated(made: Path, tmp_path: Path) -> None:
    copy(made, tmp_path)
    packed = tmp_path / "a.img.zst"
    os.truncate(packed, packed.stat().st_size // 2)
    with pytest.raises(ConfigError, match="is truncated"):
        write_image(find_image(packed), make_card(tmp_path / "card"), nothing)


def test_an_image_that_is_not_the_one_of_its_map(made: Path, tmp_path: Path) -> None:
    image, card = copy(made, tmp_path), make_card(tmp_path / "card")
    flip(image.path)
    with pytest.raises(UntrustedError, match=r"is not the image of its \.bmap"):
        write_image(image, card, nothing)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        pytest.param("no.img", None, "make image", id="none"),
        pytest.param("empty.img", b"", "is empty", id="empty"),
        pytest.param("lost.img.zst", b"x", r"needs its map beside it: lost\.img\.bmap",
                     id="packed, without a map"),
    ],
)  # fmt: skip
def test_an_image_that_cannot_be_used_says_why(
    tmp_path: Path, name: str, data: bytes | None, words: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ConfigError, match=words):
        find_image(tmp_path / name)
