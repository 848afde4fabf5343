"""The table of a card."""

from __future__ import annotations

from image import layout


def test_what_grows_is_last_and_slots_are_pairs() -> None:
    names = [each.name for each in layout.TABLE]
    assert names[-1] == "state"
    for name in ("boot", "system"):
        a, b = f"{name}_a", f"{name}_b"
        assert layout.size_of(a) == layout.size_of(b)
        assert names.index(b) == names.index(a) + 1


def test_ids_are_one_of_each_and_the_same_in_every_image() -> None:
    ids = [each.id for each in layout.TABLE]
    assert len(set(ids)) == len(ids)
    assert layout.TABLE[0].id == str(layout.identity("bootconfig"))


def test_genimage_gets_a_content_only_where_there_is_one() -> None:
    text = layout.genimage()
    for each in layout.TABLE:
        assert (f'image = "{each.name}.img"' in text) == (each.name not in layout.BLANK)
    assert layout.genimage() == text


def test_a_card_of_two_gigabytes_is_enough() -> None:
    assert sum(each.size for each in layout.TABLE) < 1_900_000_000
