"""What may be erased: no disk that is in use, no partition, nothing too small."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from doorsill.errors import ConfigError
from doorsill_fleet.flash.target import LARGE_BYTES, Part, Target, require_erasable

GIGA = 10**9
CARD = Target(
    path="/dev/sdb", size=32 * GIGA, is_file=False, is_part=False, fixed=False,
    model="SanDisk SD", used_by=(), parts=(
        Part(1, 256 * 10**6, "vfat", "bootfs"), Part(2, 31 * GIGA, "", ""),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param({"used_by": ("/",)}, "this machine runs from", id="its root"),
        pytest.param({"used_by": ("/boot/efi",)}, "machine runs from", id="its boot"),
        pytest.param({"used_by": ("swap",)}, "this machine runs from", id="its swap"),
        pytest.param(
            {"used_by": ("/media/ana/bootfs",)},
            "in use (/media/ana/bootfs); unmount it: umount /dev/sdb*",
            id="mounted",
        ),
        pytest.param({"used_by": ("/dev/dm-0",)}, "in use (/dev/dm-0)", id="encrypted"),
        pytest.param({"is_part": True}, "name the whole card", id="a partition"),
        pytest.param({"size": GIGA}, "1.0 GB, and the image needs 2.0 GB", id="small"),
    ],
)
@pytest.mark.parametrize("any_disk", [False, True], ids=["", "the second word"])
def test_it_is_refused_and_no_word_helps(
    changed: dict[str, Any], words: str, any_disk: bool
) -> None:
    with pytest.raises(ConfigError) as refused:
        require_erasable(replace(CARD, **changed), 2 * GIGA, any_disk=any_disk)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param({"size": LARGE_BYTES + 1}, "more than a card has", id="large"),
        pytest.param({"fixed": True}, "is a disk of this machine", id="a fixed disk"),
    ],
)
def test_it_needs_a_second_word(changed: dict[str, Any], words: str) -> None:
    target = replace(CARD, **changed)
    with pytest.raises(ConfigError, match=words):
        require_erasable(target, GIGA, any_disk=False)
    require_erasable(target, GIGA, any_disk=True)


def test_a_card_may_be_erased_and_what_is_on_it_is_named_first() -> None:
    require_erasable(CARD, 32 * GIGA, any_disk=False)
    require_erasable(replace(CARD, size=LARGE_BYTES), GIGA, any_disk=False)
    assert CARD.described() == [
        "/dev/sdb  SanDisk SD, 32.0 GB, has:",
        '   1   256.0 MB  vfat      "bootfs"',
        "   2    31.0 GB  unknown",
    ]
    empty = replace(CARD, parts=())
    assert empty.described() == ["/dev/sdb  SanDisk SD, 32.0 GB, has no partition"]
