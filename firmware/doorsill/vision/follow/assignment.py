"""Who is who: pair tracks with detections at the least total cost.

The shortest augmenting path method (Jonker and Volgenant 1987), started from each
row's cheapest column. In a door's picture that start is nearly always the answer, and
a row knows but the two or three columns in its reach: the search runs in plain Python
for the few rows that want the same column.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

Wish = Sequence[tuple[float, int]]  # what a row may have: cost, column


def pair(wishes: Sequence[Wish], limit: float) -> list[int]:
    """The column of each row, or -1, with the least total cost.

    A wish costs less than ``limit``, which is what leaving a row alone costs.
    """
    best = [min(wish)[1] if wish else -1 for wish in wishes]
    taken = [column for column in best if column >= 0]
    if len(set(taken)) == len(taken):
        return best
    return [column if column >= 0 else -1 for column in _augment(wishes, limit)]


def _augment(wishes: Sequence[Wish], limit: float) -> list[int]:
    """The optimal column of each row; a negative one is the row's own, at the limit."""
    open_to = [[*wish, (limit, -1 - row)] for row, wish in enumerate(wishes)]
    holds: dict[int, int] = {}  # row that holds a column
    has: dict[int, int] = {}  # column that a row has
    row_price = []
    for row, wish in enumerate(open_to):
        price, column = min(wish)
        row_price.append(price)
        if column not in holds:
            holds[column], has[row] = row, column
    column_price: dict[int, float] = {}
    for row in range(len(wishes)):
        if row not in has:
            _search(open_to, row, holds, has, (row_price, column_price))
    return [has[row] for row in range(len(wishes))]


def _search(
    open_to: Sequence[Wish],
    start: int,
    holds: dict[int, int],
    has: dict[int, int],
    prices: tuple[list[float], dict[int, float]],
) -> None:
    """Dijkstra from row ``start`` to a free column, then flip the path."""
    row_price, column_price = prices
    nearest: dict[int, float] = {}  # columns that can be reached
    came_from: dict[int, int] = {}
    done: dict[int, float] = {}
    row, so_far = start, 0.0
    while True:
        begin = so_far - row_price[row]
        for cost, column in open_to[row]:
            reach = begin + cost - column_price.get(column, 0.0)
            if column not in done and reach < nearest.get(column, inf):
                nearest[column], came_from[column] = reach, row
        column = min(nearest, key=nearest.__getitem__)
        so_far = nearest.pop(column)
        if column not in holds:
            break
        done[column] = so_far
        row = holds[column]
    row_price[start] += so_far
    for each, at in done.items():
        row_price[holds[each]] += so_far - at
        column_price[each] = column_price.get(each, 0.0) - (so_far - at)
    while True:
        row = came_from[column]
        holds[column] = row
        if row == start:
            has[row] = column
            return
        has[row], column = column, has[row]
