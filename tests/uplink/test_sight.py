"""What the uplink takes for news of vision, as it keeps each for a minute."""

from __future__ import annotations

from math import inf

import pytest

from doorsill.cells import Picture
from doorsill.uplink.sight import Sight, is_news

NOTHING = Sight()
THERE = Sight(Picture.UNKNOWN, 0.0)
COUNTING = Sight(Picture.FRESH, 0.0, counts=True)
AWAY = Sight(Picture.FRESH, inf)
NO_PICTURE = Sight(Picture.NONE, 0.0, counts=True)


@pytest.mark.parametrize(
    ("seen", "known", "news"),
    [
        pytest.param(NOTHING, NOTHING, False, id="nothing new"),
        pytest.param(THERE, NOTHING, False, id="it starts and counts in a moment"),
        pytest.param(COUNTING, NOTHING, True, id="it started and counts"),
        pytest.param(AWAY, COUNTING, True, id="it went"),
        pytest.param(THERE, AWAY, False, id="it comes back and counts in a moment"),
        pytest.param(COUNTING, AWAY, True, id="it came back"),
        pytest.param(THERE, COUNTING, True, id="it has stopped counting"),
        pytest.param(NO_PICTURE, NOTHING, True, id="it started without a picture"),
    ],
)
def test_what_is_news(seen: Sight, known: Sight, news: bool) -> None:
    assert is_news(seen, known) is news
