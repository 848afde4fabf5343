"""A .bmap: what is written of an image, and what is no map."""

from __future__ import annotations

from pathlib import Path

import pytest
from card_images import BLOCK, make_image, map_text, write_map

from doorsill.errors import ConfigError, UntrustedError
from doorsill_fleet.flash.block_map import Piece, read_block_map, whole

DIGEST = "ab" * 32
ROW = f'<Range chksum="{DIGEST}"> 0-1 </Range>'


def test_a_map_names_the_pieces_and_the_last_one_may_be_short() -> None:
    rows = [ROW, f'<Range chksum="{DIGEST}"> 3 </Range>']
    found = read_block_map(map_text(3 * BLOCK + 100, rows).encode())
    assert found.pieces == (
        Piece(0, 2 * BLOCK, DIGEST),
        Piece(3 * BLOCK, 100, DIGEST),
    )
    assert found.holes == (Piece(2 * BLOCK, BLOCK, None),)
    assert (found.image_bytes, found.mapped_bytes) == (3 * BLOCK + 100, 2 * BLOCK + 100)


def test_the_map_of_an_image_covers_all_that_is_not_zero(tmp_path: Path) -> None:
    image = make_image(tmp_path / "a.img")
    data, found = image.read_bytes(), read_block_map(write_map(image).read_bytes())
    rebuilt = bytearray(len(data))
    for each in found.pieces:
        ends = each.first + each.size
        rebuilt[each.first : ends] = data[each.first : ends]
    assert rebuilt == data and found.mapped_bytes < len(data) / 4


def test_an_image_without_a_map_is_written_whole() -> None:
    assert whole(7).pieces == (Piece(0, 7, None),)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("no xml", id="no XML"),
        pytest.param("<bmap/>", id="nothing in it"),
        pytest.param('<!DOCTYPE x [<!ENTITY a "b">]><bmap/>', id="entities"),
        pytest.param(map_text(BLOCK, []), id="no ranges"),
        pytest.param(map_text(BLOCK, [ROW, ROW]), id="twice the same range"),
        pytest.param(map_text(BLOCK, [ROW.replace("0-1", "1-2")]), id="outside"),
        pytest.param(map_text(BLOCK, [ROW.replace("0-1", "1-0")]), id="backwards"),
        pytest.param(map_text(BLOCK, [ROW.replace("0-1", "x")]), id="a word"),
        pytest.param(map_text(BLOCK, [ROW.replace(DIGEST, "")]), id="no hash"),
        pytest.param(map_text(BLOCK, [ROW], block=0), id="blocks of nothing"),
    ],
)
def test_what_is_no_map_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^is not a \.bmap"):
        read_block_map(text.encode())


def test_a_map_that_was_changed_is_not_trusted() -> None:
    text = map_text(4 * BLOCK, [ROW]).replace("0-1", "0-2")
    with pytest.raises(UntrustedError, match="was changed"):
        read_block_map(text.encode())
