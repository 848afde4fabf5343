"""A wait of the tests: what it gives, and what it says where nothing comes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from limits import wait_until


def test_it_gives_what_came_and_goes_on_with_the_world_meanwhile() -> None:
    turns = count()
    assert wait_until(lambda: next(turns) == 3 and "here", between=int) == "here"
    assert next(turns) == 4


@pytest.mark.parametrize(
    ("what", "says"),
    [
        pytest.param("a state", r"not within 0\.01 s: a state", id="a sentence"),
        pytest.param(lambda: [1, 2], r"\[1, 2\]", id="asked when it is too late"),
        pytest.param("", 'lambda: not "the door"', id="its own words"),
    ],
)
def test_it_says_what_it_waited_for(
    what: str | Callable[[], object], says: str
) -> None:
    with pytest.raises(AssertionError, match=says):
        wait_until(lambda: not "the door", what, within_s=0.01)


def test_what_has_no_text_is_named() -> None:
    with pytest.raises(AssertionError, match="int"):
        wait_until(int, within_s=0.01)
